"""The example trains the whole network with plain Keras."""

import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from examples import fine_tune
from hmr_tf.cli.recipes import ROOT
from hmr_tf.files.errors import InputError
from tests.fakes import tiny_hmr


@pytest.fixture
def people(rng):
    """Images, and keypoints to the right of where a fresh network projects them."""
    images = rng.uniform(-1, 1, (8, tiny_hmr.SIZE, tiny_hmr.SIZE, 3)).astype(np.float32)
    keypoints = np.concatenate([rng.uniform(0.4, 0.6, (8, 19, 2)), np.ones((8, 19, 1))], axis=-1)
    return images, keypoints.astype(np.float32)


def test_fine_tune_trains_every_part(people, tmp_path):
    keras.utils.set_random_seed(0)
    hmr = tiny_hmr.build(tmp_path)
    before = [variable.numpy() for variable in hmr.trainable_variables]
    statistics = [variable.numpy() for variable in hmr.encoder.non_trainable_variables]
    history = fine_tune.fine_tune(
        hmr, *people, learning_rate=1e-3, batch_size=4, epochs=15, verbose=0
    )
    losses = history.history["loss"]
    assert np.mean(losses[-2:]) < 0.8 * losses[0]
    for old, variable in zip(before, hmr.trainable_variables):
        assert not np.array_equal(old, variable), variable.name
    for old, variable in zip(statistics, hmr.encoder.non_trainable_variables):
        assert not np.array_equal(old, variable), variable.name
    hmr.save_weights(str(tmp_path / "fine_tuned.weights.h5"))
    other = tiny_hmr.build(tmp_path)
    other.load_weights(str(tmp_path / "fine_tuned.weights.h5"))
    np.testing.assert_array_equal(other(people[0])[-1].theta, hmr(people[0])[-1].theta)


def test_fine_tune_loss_counts_labelled_keypoints_only():
    labels = tf.constant([[[0.0, 0.0, 1.0], [9.0, 9.0, 0.0]]])
    predicted = tf.constant([[[0.5, -0.1], [0.0, 0.0]]])
    loss = fine_tune.reprojection_loss(labels, predicted)
    assert loss.numpy() == pytest.approx(0.3)
    assert fine_tune.reprojection_loss(labels * [1.0, 1.0, 0.0], predicted).numpy() == 0


IMAGES, KEYPOINTS = np.zeros((2, 4, 4, 3)), np.zeros((2, 19, 3))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"pictures": IMAGES}, r"images must be numbers \(N, S, S, 3\); it holds nothing"),
        ({"images": IMAGES}, r"keypoints must be numbers \(2, 19, 3\); it holds nothing"),
        ({"images": IMAGES[:, :3], "keypoints": KEYPOINTS}, r"holds float64 \(2, 3, 4, 3\)"),
        ({"images": IMAGES, "keypoints": KEYPOINTS[:1]}, r"it holds float64 \(1, 19, 3\)"),
        ({"images": IMAGES[:0], "keypoints": KEYPOINTS[:0]}, r"it holds float64 \(0, 4, 4, 3\)"),
        ({"images": IMAGES[0], "keypoints": KEYPOINTS}, r"it holds float64 \(4, 4, 3\)"),
        ({"images": np.full(IMAGES.shape, "x"), "keypoints": KEYPOINTS}, "holds <U1"),
        ({"images": IMAGES + 255, "keypoints": KEYPOINTS}, r"lie in \[-1, 1\]"),
        ({"images": IMAGES * np.nan, "keypoints": KEYPOINTS}, r"lie in \[-1, 1\]"),
    ],
)
def test_fine_tune_names_what_is_wrong_with_the_arrays(arrays, reason, tmp_path):
    np.savez(tmp_path / "people.npz", **arrays)
    with pytest.raises(InputError, match=rf"people\.npz: .*{reason}"):
        fine_tune.read_people(tmp_path / "people.npz")


def test_fine_tune_refuses_images_of_another_size_than_the_networks(people, tmp_path, monkeypatch):
    """And the folder of the weights, before anything is loaded."""
    np.savez(tmp_path / "people.npz", images=IMAGES, keypoints=KEYPOINTS)
    model = types.SimpleNamespace(hmr=tiny_hmr.build(tmp_path))
    monkeypatch.setattr(fine_tune.hmr_tf, "load", lambda path: model)
    names = ["run", str(tmp_path / "people.npz")]
    with pytest.raises(InputError, match=f"have 4 px; run needs {tiny_hmr.SIZE}"):
        fine_tune.main([*names, str(tmp_path / "a.h5")])
    with pytest.raises(InputError, match=r"none/a\.h5: name a file \.h5 in a folder that exists"):
        fine_tune.main([*names, str(tmp_path / "none" / "a.h5")])


def test_fine_tune_command_reports_a_missing_file_in_one_line(tmp_path):
    command = [sys.executable, "-m", "examples.fine_tune", "", "none.npz", "a.h5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "error: none.npz cannot be read: No such file or directory"
    )
    assert "Traceback" not in done.stderr
