"""The functions that use TensorFlow Addons."""

import builtins
import sys
import warnings

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf import addons
from hmr_tf.files.errors import InputError


@pytest.fixture
def images(rng):
    return rng.uniform(0.1, 0.9, (4, 32, 32, 3)).astype("float32")


@pytest.fixture
def without_addons(monkeypatch):
    real_import = builtins.__import__

    def importing(name, *args, **kwargs):
        if name == "tensorflow_addons":
            raise ModuleNotFoundError("No module named 'tensorflow_addons'")
        return real_import(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "tensorflow_addons", raising=False)
    monkeypatch.setattr(builtins, "__import__", importing)


@pytest.mark.usefixtures("tensorflow_addons")
def test_random_cutout_covers_a_square_and_keeps_the_rest(images):
    places, sizes = set(), set()
    for number in range(8):
        covered = addons.random_cutout(images[0], [1, number]).numpy()
        hole = covered == 0
        np.testing.assert_array_equal(covered[~hole], images[0][~hole])
        rows, columns = np.nonzero(hole.all(-1))
        assert hole[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
        assert 1 <= len(rows) <= 16 * 16
        places.add((rows.min(), columns.min()))
        sizes.add(len(rows))
    assert len(places) > 4
    assert len(sizes) > 2


@pytest.mark.usefixtures("tensorflow_addons")
def test_random_color_keeps_the_range_and_grey(images):
    changed = addons.random_color(images[0], [3, 4]).numpy()
    assert np.abs(changed - images[0]).max() > 0.01
    assert np.abs(changed).max() <= 1
    grey = addons.random_color(np.full((8, 8, 3), 0.25, "float32"), [3, 4]).numpy()
    np.testing.assert_allclose(np.ptp(grey, axis=-1), 0, atol=1e-3)


@pytest.mark.usefixtures("tensorflow_addons")
def test_addons_augmentation_follows_the_seed_eagerly_and_in_tf_data(images):
    image = images[0]
    for function in (addons.random_cutout, addons.random_color):
        dataset = tf.data.Dataset.from_tensors(image).map(lambda v, f=function: f(v, [5, 6]))
        np.testing.assert_array_equal(function(image, [5, 6]), next(iter(dataset)))
        assert np.any(function(image, [5, 6]) != function(image, [5, 7]))


@pytest.mark.usefixtures("tensorflow_addons")
def test_spectral_normalization_makes_the_largest_singular_value_one(rng):
    layer = addons.spectral_normalization(tf.keras.layers.Dense(6, kernel_initializer="normal"))
    layer.build((None, 5))
    layer.layer.kernel.assign(rng.normal(size=(5, 6)).astype("float32"))
    for _ in range(30):
        layer(np.ones((2, 5), "float32"), training=True)
    assert np.linalg.svd(layer.layer.kernel.numpy())[1][0] == pytest.approx(1, abs=1e-3)


@pytest.mark.usefixtures("tensorflow_addons")
def test_addons_silence_only_the_end_of_life_notice(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow_addons.utils.tfa_eol_msg", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow_addons", raising=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        addons.require("augment_color")
        warnings.warn("something else", UserWarning, stacklevel=1)
    assert [str(w.message) for w in caught if w.category is UserWarning] == ["something else"]


@pytest.mark.usefixtures("without_addons")
@pytest.mark.parametrize(
    ("flag", "use"),
    [
        ("augment_occlusion", lambda: addons.random_cutout(tf.zeros([8, 8, 3]), [0, 0])),
        ("augment_color", lambda: addons.random_color(tf.zeros([8, 8, 3]), [0, 0])),
        ("critic_spectral_norm", lambda: addons.spectral_normalization(tf.keras.layers.Dense(1))),
    ],
)
def test_addons_missing_names_the_flag(flag, use):
    with pytest.raises(InputError, match=rf"--{flag} needs TensorFlow Addons.*3\.9 to 3\.11"):
        use()
