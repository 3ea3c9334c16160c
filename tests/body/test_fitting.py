"""Fitting finds bodies whose keypoints fall on the labels; records get them, and nothing else."""

import json

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model, camera, fitting, theta
from hmr_tf.body.smpl import SMPL
from hmr_tf.cli.fit import summary
from hmr_tf.data import record, shards
from hmr_tf.data.crop import Crop
from hmr_tf.inference import fit_records
from hmr_tf.networks.hmr import mean_theta
from tests.fakes import full_disk, tiny_hmr

COUNT, SIZE = 4, 224


@pytest.fixture(scope="module")
def smpl():
    return SMPL(body_model.read_model())


@pytest.fixture(scope="module")
def people(smpl):
    """Labels of bodies with raised arms and bent knees, and where the fitting starts."""
    rng = np.random.default_rng(0)
    pose = np.tile(theta.split(mean_theta()).pose.numpy(), (COUNT, 1, 1))
    pose[:, 16:18, 2] += rng.uniform(-0.9, 0.9, (COUNT, 2))
    pose[:, 4:6, 0] += rng.uniform(0, 1, (COUNT, 2))
    weak = np.column_stack([rng.uniform(0.6, 0.9, COUNT), rng.normal(0, 0.1, (COUNT, 2))])
    body = smpl(tf.constant(pose, tf.float32), tf.zeros([COUNT, 10]))
    points = camera.project(body.joints3d, tf.constant(weak, tf.float32))
    labels = tf.concat([points, tf.ones([COUNT, 19, 1])], axis=-1).numpy()
    return labels, np.tile(mean_theta(), (COUNT, 1))


@pytest.fixture(scope="module")
def fitter(smpl):
    return fitting.Fitter(smpl)


@pytest.fixture(scope="module")
def found(fitter, people):
    return fitter(*people, num_steps=150)


def test_keypoints_fall_on_the_labels(smpl, fitter, people, found):
    before = fitter(*people, num_steps=0).error_norm
    assert np.max(found.error_norm) < 0.02  # about 2 px of 224
    assert np.min(before) > 5 * np.max(found.error_norm)
    parts = theta.split(found.theta)
    points = camera.project(smpl(parts.pose, parts.betas).joints3d, parts.camera)
    distance = np.linalg.norm(points - people[0][..., :2], axis=-1).mean(axis=1)
    np.testing.assert_allclose(found.error_norm, distance, rtol=1e-4)
    assert np.abs(parts.betas).max() < 3


def test_a_person_does_not_depend_on_the_others(fitter, people, found):
    alone = fitter(people[0][1:2], people[1][1:2], num_steps=150)
    np.testing.assert_allclose(alone.theta[0], found.theta[1], atol=5e-3)


def test_unlabelled_keypoints_pull_nowhere(fitter, people):
    labels = people[0].copy()
    labels[:, ::2] = (9.0, -9.0, 0.0)
    hidden = fitter(labels, people[1], num_steps=60)
    assert np.max(hidden.error_norm) < 0.05
    nobody = fitter(np.zeros_like(labels), people[1], num_steps=10)
    assert np.isfinite(nobody.theta).all()
    np.testing.assert_array_equal(nobody.error_norm, np.zeros(COUNT))


def test_hinges_cost_only_the_wrong_way():
    straight, bent = np.zeros((1, 24, 3), np.float32), np.zeros((1, 24, 3), np.float32)
    bent[0, 4, 0] = bent[0, 5, 0] = 1.5  # knees, as in sitting down
    broken = -bent
    costs = [float(fitting._hinges(tf.constant(pose))[0]) for pose in (bent, straight, broken)]
    assert costs[0] < costs[1] < costs[2] / 100


def test_the_prior_is_heard(smpl, fitter, people):
    def arms_down(rotations, betas):
        return 100.0 * tf.reduce_sum(tf.square(rotations[:, 15:17] - tf.eye(3)), axis=[1, 2, 3])

    freely, held = (
        theta.split(fit_with(*people, 60).theta).pose[:, 16:18].numpy()
        for fit_with in (fitter, fitting.Fitter(smpl, arms_down))
    )
    assert np.abs(held).mean() < 0.5 * np.abs(freely).mean()


@pytest.fixture
def records(tmp_path, rng):
    """Two shards of three people, of whom the last is labelled at two points only."""
    hmr = tiny_hmr.build(tmp_path)
    body = hmr.smpl(tf.constant(theta.split(mean_theta()).pose), tf.zeros([1, 10]))
    points = 112 * (1 + 0.8 * body.joints3d[0, :, :2].numpy())
    for shard in range(2):
        path = tmp_path / "data" / "coco" / f"train_{shard:03d}.tfrecord"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number in range(3):
                labelled = np.arange(19) < (2 if number == 2 else 19)
                person = record.ImageRecord(
                    jpeg=tf.io.encode_jpeg(np.zeros((SIZE, SIZE, 3), np.uint8)).numpy(),
                    filename=f"{shard}{number}.jpg",
                    crop=Crop(np.ones(2), np.zeros(2, int), (SIZE, SIZE)),
                    center_px=np.array([112, 112]),
                    keypoints_px=points,
                    labelled=labelled.astype(int),
                    has_face=True,
                )
                writer.write(record.encode(person))
    return hmr, tmp_path


def test_records_get_their_bodies(records):
    hmr, folder = records
    files = shards.find(folder / "data", "coco")
    done = fit_records.fit_dataset(hmr, None, files, folder / "data", folder / "new", 2, 200)
    assert (done.num_people, done.num_fitted) == (6, 4)
    new = shards.find(folder / "new", "coco")
    assert [path.name for path in new] == [path.name for path in files]
    assert shards.count_records(new) == record.check_shards(new) == 6
    assert shards.has_3d("coco", new)
    with np.load(folder / "new" / "coco" / "fits.npz") as fits:
        thetas, is_fitted = fits["theta"], fits["is_fitted"]
    assert is_fitted.tolist() == [True, True, False] * 2
    pairs = zip(*(tf.data.TFRecordDataset([str(p) for p in paths]) for paths in (files, new)))
    for number, (before, after) in enumerate(pairs):
        if not is_fitted[number]:
            assert before.numpy() == after.numpy()
            continue
        old, sample = record.decode(before), record.decode(after)
        for key in ("image", "keypoints_px", "center_px", "filename"):
            np.testing.assert_array_equal(old[key], sample[key])
        assert sample["has_smpl"]
        assert sample["has_joints"]
        parts = theta.split(thetas[number][None])
        np.testing.assert_allclose(sample["pose"], parts.pose[0], atol=1e-6)
        joints = hmr.smpl(parts.pose, parts.betas).lsp_joints[0]
        np.testing.assert_allclose(sample["lsp_joints"], joints, atol=1e-5)
    index = json.loads((folder / "new" / "coco" / "fitted_index.json").read_text())
    assert index["fitted"] == 4


def test_a_full_disk_leaves_no_half_of_a_shard(records, monkeypatch):
    hmr, folder = records
    files = shards.find(folder / "data", "coco")
    write = fit_records._write_shard

    def write_into_little_room(*arguments):
        with full_disk.room_for(files[0].stat().st_size // 2):
            write(*arguments)

    monkeypatch.setattr(fit_records, "_write_shard", write_into_little_room)
    with pytest.raises(OSError, match="File too large"):
        fit_records.fit_dataset(hmr, None, files, folder / "data", folder / "new", 2, 1)
    assert not list((folder / "new" / "coco").iterdir())


def test_a_dataset_is_summed_up_in_one_line():
    some, nobody = (
        fit_records.Fitted("out/lsp", 5, 4, 0.05),
        fit_records.Fitted("out/lsp", 5, 0, float("nan")),
    )
    expected = "lsp: 4 of 5 people fitted, 5.6 px of the crop on average, out/lsp"
    assert summary("lsp", some, 224) == expected
    assert summary("lsp", nobody, 224) == "lsp: 0 of 5 people fitted, out/lsp"
