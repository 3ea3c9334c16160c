"""Fitted bodies are written into records, and nothing else in the records changes."""

import json

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import skeleton, theta
from hmr_tf.cli.fit import summary, write_coco
from hmr_tf.data import record, shards
from hmr_tf.files.errors import InputError
from hmr_tf.inference import fit_records
from hmr_tf.networks.hmr import mean_theta
from tests.fakes import full_disk, tiny_hmr
from tests.fakes.image_records import image_record, write

SIZE = 224


@pytest.fixture
def records(tmp_path, rng):
    """Two shards of three people, the last of them labelled at two points only."""
    hmr = tiny_hmr.build(tmp_path)
    body = hmr.smpl(tf.constant(theta.split(mean_theta()).pose), tf.zeros([1, 10]))
    points = 112 * (1 + 0.8 * body.joints3d[0, :, :2].numpy())
    for shard in range(2):
        people = [
            image_record(
                np.zeros((SIZE, SIZE, 3), np.uint8),
                points,
                filename=f"{shard}{number}.jpg",
                labelled=(np.arange(19) < num_labelled).astype(int),
            )
            for number, num_labelled in enumerate((19, 19, 2))
        ]
        write(tmp_path / "data" / "coco" / f"train_{shard:03d}.tfrecord", people)
    return hmr, tmp_path


def test_fit_names_a_record_that_is_damaged(records):
    hmr, folder = records
    files = shards.find(folder / "data", "coco")
    content = files[1].read_bytes()
    files[1].write_bytes(content[:-9] + bytes([content[-9] ^ 255]) + content[-8:])
    with pytest.raises(InputError, match=r"train_001\.tfrecord: record 3 is corrupt"):
        list(fit_records._batches(files[1], 2, hmr.image_size))


def test_fit_records_get_their_bodies(records):
    hmr, folder = records
    files = shards.find(folder / "data", "coco")
    done = fit_records.fit_dataset(hmr, None, files, folder / "data", folder / "new", 2, 200)
    assert (done.num_people, done.num_fitted) == (6, 4)
    new = shards.find(folder / "new", "coco")
    assert [path.name for path in new] == [path.name for path in files]
    assert shards.count_records(new) == record.check_shards(new) == 6
    assert shards.has_3d_in_index(new)
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
    coco = json.loads(write_coco(done.folder, files, hmr).read_text())
    assert len(coco["annotations"]) == 4
    with np.load(done.folder / "fits.npz") as fits:
        prediction = hmr.predictions_from_thetas([tf.constant(fits["theta"][is_fitted])])[0]
    points = np.reshape([entry["keypoints"] for entry in coco["annotations"]], (4, 17, 3))[..., :2]
    expected = skeleton.convert(
        112 * (1 + prediction.keypoints2d_norm.numpy()), skeleton.KEYPOINTS, skeleton.COCO_KEYPOINTS
    )
    np.testing.assert_allclose(points, expected, atol=2e-3)


def test_fit_records_full_disk_leaves_no_half_of_a_shard(records, monkeypatch):
    hmr, folder = records
    files = shards.find(folder / "data", "coco")
    write = fit_records._write_shard

    def write_into_little_room(*arguments):
        with full_disk.room_for(files[0].stat().st_size // 2):
            write(*arguments)

    monkeypatch.setattr(fit_records, "_write_shard", write_into_little_room)
    with pytest.raises(OSError, match=r"^File too large$"):
        fit_records.fit_dataset(hmr, None, files, folder / "data", folder / "new", 2, 1)
    assert not list((folder / "new" / "coco").iterdir())


def test_fit_summary_is_one_line():
    some, none = (
        fit_records.Fitted("out/lsp", 5, 4, 0.05),
        fit_records.Fitted("out/lsp", 5, 0, float("nan")),
    )
    expected = "lsp: 4 of 5 people fitted, 5.6 px of the crop on average, out/lsp"
    assert summary("lsp", some, 224) == expected
    assert summary("lsp", none, 224) == "lsp: 0 of 5 people fitted, out/lsp"
