"""The TFRecord schema: what goes in comes out, under the original's keys; faults have a name."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.data import record
from hmr_tf.data.crop import Crop
from hmr_tf.files.errors import InputError
from tests.fakes.image_records import image_record

KEYS_2D = ["center", "encoded", "filename", "format", "height", "visibility", "width", "x", "y"]
KEYS_3D = ["crop_pt", "has_3d", "scale_factors"]
KEYS_MOSH = ["gt3d", "pose", "shape"]


@pytest.fixture
def person(rng):
    image = rng.integers(0, 256, (30, 40, 3), np.uint8)
    return image_record(
        image,
        rng.uniform(0, 40, (19, 2)),
        crop=Crop(np.array([0.5, 0.25]), np.array([7, 3]), (30, 40)),
        center_px=np.array([20.9, 14.2]),
        labelled=np.arange(19) % 3,
    )


@pytest.fixture
def person_3d(person, rng):
    joints, pose, betas = rng.normal(size=(14, 3)), rng.normal(size=(24, 3)), rng.normal(size=10)
    return person._replace(
        lsp_joints=joints, pose=pose, betas=betas, camera=np.array([500.0, 20, 15])
    )


def parse(serialized):
    return tf.train.Example.FromString(serialized).features.feature


def test_record_2d_comes_back(person):
    sample = record.decode(record.encode(person))
    np.testing.assert_allclose(sample["keypoints_px"][:, :2], person.keypoints_px, rtol=1e-6)
    np.testing.assert_array_equal(sample["keypoints_px"][:, 2], person.labelled > 0)
    np.testing.assert_array_equal(sample["image"], tf.io.decode_jpeg(person.jpeg))
    assert sample["image"].dtype == tf.uint8
    assert sample["center_px"].numpy().tolist() == [20.0, 14.0]  # cut, not rounded
    assert sample["filename"].numpy() == b"im0001.jpg"
    assert not sample["has_joints"]
    assert not sample["has_smpl"]
    assert not np.any(sample["lsp_joints"])


def test_record_3d_comes_back(person_3d):
    sample = record.decode(record.encode(person_3d))
    for key in ("lsp_joints", "pose", "betas"):
        np.testing.assert_allclose(sample[key], getattr(person_3d, key), rtol=1e-6)
    assert sample["has_joints"]
    assert sample["has_smpl"]


def test_record_of_joints_without_smpl_is_marked_as_the_originals(person_3d):
    serialized = record.encode(person_3d._replace(pose=None, betas=None))
    sample = record.decode(serialized)
    assert sample["has_joints"]
    assert not sample["has_smpl"]
    assert set(parse(serialized)["mosh/pose"].float_list.value) == {-1.0}


def test_record_reference_comes_back_and_training_ignores_it(person_3d, rng):
    reference = record.Reference(rng.normal(size=(17, 3)), rng.normal(size=(17, 3)), 5)
    serialized = record.encode(person_3d._replace(reference=reference))
    decoded = record.decode_reference(serialized)
    assert list(decoded) == list(reference._fields)
    for name, value in reference._asdict().items():
        np.testing.assert_allclose(decoded[name], value, rtol=1e-6)
    for key, value in record.decode(record.encode(person_3d)).items():
        np.testing.assert_array_equal(record.decode(serialized)[key], value)


def test_record_without_a_reference_has_nan_there(person_3d):
    decoded = record.decode_reference(record.encode(person_3d))
    assert np.isnan(decoded["joints"]).all()
    assert np.isnan(decoded["universal_joints"]).all()
    assert decoded["activity"] == 0


def test_record_keys_are_the_originals(person, person_3d):
    image_keys = [f"image/{key}" for key in KEYS_2D]
    assert sorted(parse(record.encode(person._replace(has_face=False)))) == image_keys
    assert sorted(parse(record.encode(person))) == sorted([*image_keys, "image/face_pts"])
    keys_3d = [f"meta/{key}" for key in KEYS_3D] + [f"mosh/{key}" for key in KEYS_MOSH]
    written = parse(record.encode(person_3d._replace(has_face=False)))
    assert sorted(written) == sorted([*image_keys, "image/cam", *keys_3d])


def test_record_order_of_numbers_is_the_originals(person_3d):
    features = parse(record.encode(person_3d))
    assert list(features["image/height"].int64_list.value) == [30]
    assert list(features["image/width"].int64_list.value) == [40]
    assert list(features["meta/scale_factors"].float_list.value) == [0.25, 0.5]  # y, x
    assert list(features["meta/crop_pt"].int64_list.value) == [7, 3]  # x, y
    assert list(features["image/visibility"].int64_list.value) == [i % 3 for i in range(14)]
    face = features["image/face_pts"].float_list.value
    np.testing.assert_allclose(face[:5], person_3d.keypoints_px[14:, 0], rtol=1e-6)  # five x
    np.testing.assert_allclose(face[5:10], person_3d.keypoints_px[14:, 1], rtol=1e-6)  # five y
    assert list(face[10:]) == [2, 0, 1, 2, 0]


def test_record_decodes_the_same_inside_tf_data(person_3d):
    serialized = record.encode(person_3d)
    eager = record.decode(serialized)
    mapped = next(iter(tf.data.Dataset.from_tensors(serialized).map(record.decode)))
    assert eager.keys() == mapped.keys()
    for key, value in eager.items():
        np.testing.assert_array_equal(value, mapped[key])


def test_record_shapes_are_known_inside_tf_data(person):
    spec = tf.data.Dataset.from_tensors(record.encode(person)).map(record.decode).element_spec
    assert spec["image"].shape.as_list() == [None, None, 3]
    assert spec["keypoints_px"].shape == (19, 3)
    assert spec["pose"].shape == (24, 3)
    assert spec["center_px"].shape == (2,)


def test_record_of_mocap_comes_back(rng):
    pose, betas = rng.normal(size=72), rng.normal(size=10)
    serialized = record.encode_mocap(pose, betas)
    decoded = record.decode_mocap(serialized)
    np.testing.assert_allclose(decoded["pose"], pose.reshape(24, 3), rtol=1e-6)
    np.testing.assert_allclose(decoded["betas"], betas, rtol=1e-6)
    assert sorted(parse(serialized)) == ["pose", "shape"]


def test_record_is_the_same_bytes_each_time(person_3d):
    assert record.encode(person_3d) == record.encode(person_3d)


def write(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for serialized in records:
            writer.write(serialized)
    return path


def test_record_check_counts_the_records(tmp_path, person):
    path = write(tmp_path / "a.tfrecord", [record.encode(person)] * 3)
    assert record.check_shards([path, path]) == 6


def test_record_check_names_a_cut_shard(tmp_path, person):
    path = write(tmp_path / "a.tfrecord", [record.encode(person)] * 3)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"a\.tfrecord: record 3 is corrupt \(truncated"):
        record.check_shards([path])


def test_record_check_names_a_flipped_byte(tmp_path, person):
    serialized = record.encode(person)
    path = write(tmp_path / "a.tfrecord", [serialized] * 3)
    content = bytearray(path.read_bytes())
    content[len(serialized) + 16 + 200] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tfrecord: record 2 is corrupt"):
        record.check_shards([path])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(b"no protobuf", "parse"), (record.encode_mocap(np.zeros(72), np.zeros(10)), "image/")],
)
def test_record_check_names_a_record_of_another_kind(bad, reason, tmp_path, person):
    path = write(tmp_path / "a.tfrecord", [record.encode(person), bad])
    with pytest.raises(InputError, match=rf"a\.tfrecord: record 2 .*{reason}"):
        record.check_shards([path])


def test_record_check_names_a_cut_jpeg(tmp_path, person):
    bad = record.encode(person._replace(jpeg=person.jpeg[:200]))
    path = write(tmp_path / "a.tfrecord", [record.encode(person), bad])
    with pytest.raises(InputError, match=r"record 2 .*JPEG"):
        record.check_shards([path])


def test_record_check_names_a_missing_shard(tmp_path):
    with pytest.raises(InputError, match=r"no TFRecord file .*b\.tfrecord"):
        record.check_shards([tmp_path / "b.tfrecord"])
