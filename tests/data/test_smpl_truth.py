"""SMPL parameters as measured: what goes into a record comes out, absent ones are NaN."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.data import record, smpl_truth
from hmr_tf.data.crop import Crop
from hmr_tf.data.smpl_truth import SmplTruth, decode_smpl_truth
from tests.fakes.image_records import image_record


@pytest.fixture
def truth(rng):
    return SmplTruth(
        pose=rng.normal(size=(24, 3)),
        betas=rng.normal(size=10),
        transl=rng.normal(size=3),
        gender="female",
        smpl_joints=rng.normal(size=(24, 3)),
        camera=np.array([1961.9, 1969.2, 540.0, 960.0]),
        frame=17,
    )


@pytest.fixture
def person(rng):
    image = rng.integers(0, 256, (30, 40, 3), np.uint8)
    crop = Crop(np.array([0.5, 0.25]), np.array([7, -3]), (30, 40))
    points_px, labelled = rng.uniform(0, 30, (19, 2)), np.arange(19) % 3
    return image_record(image, points_px, crop=crop, labelled=labelled)


def test_smpl_truth_comes_back(person, truth):
    decoded = decode_smpl_truth(record.encode(person._replace(reference=truth)))
    numbers = truth._asdict()
    assert decoded.pop("truth_gender") == numbers.pop("gender").encode()
    for name, value in numbers.items():
        np.testing.assert_array_equal(decoded.pop(f"truth_{name}"), np.float32(value), name)
    assert decoded.pop("truth_scale_xy").numpy().tolist() == [0.5, 0.25]
    assert decoded.pop("truth_corner_px").numpy().tolist() == [7, -3]
    assert decoded.pop("truth_visibility").numpy().tolist() == [row % 3 for row in range(14)]
    assert not decoded


def test_smpl_truth_is_not_a_label_for_training(person, truth):
    with_truth = record.decode(record.encode(person._replace(reference=truth)))
    without = record.decode(record.encode(person))
    assert with_truth.keys() == without.keys()
    for name, value in without.items():
        np.testing.assert_array_equal(with_truth[name], value, name)
    assert not with_truth["has_joints"]
    assert not with_truth["has_smpl"]


def test_smpl_truth_of_another_record_is_absent(person):
    decoded = decode_smpl_truth(record.encode(person))
    for name in ("pose", "betas", "transl", "smpl_joints", "camera"):
        assert np.isnan(decoded[f"truth_{name}"]).all(), name
    assert decoded["truth_gender"] == b""
    assert decoded["truth_frame"] == smpl_truth.PHOTOGRAPH
    assert decoded["truth_scale_xy"].numpy().tolist() == [1.0, 1.0]


def test_smpl_truth_has_known_shapes_inside_tf_data(person, truth):
    serialized = record.encode(person._replace(reference=truth))
    dataset = tf.data.Dataset.from_tensors(serialized).map(decode_smpl_truth)
    shapes = {name: spec.shape.as_list() for name, spec in dataset.element_spec.items()}
    assert shapes["truth_pose"] == shapes["truth_smpl_joints"] == [24, 3]
    assert shapes["truth_betas"] == [10]
    assert shapes["truth_camera"] == [4]
    eager = decode_smpl_truth(serialized)
    for name, value in next(iter(dataset)).items():
        np.testing.assert_array_equal(value, eager[name], name)
