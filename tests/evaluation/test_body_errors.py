"""Errors of a model that predicts the truth, changed by a known amount."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body import body_model, skeleton
from hmr_tf.body.smpl import SMPL
from hmr_tf.evaluation.protocols import body_errors
from hmr_tf.files.errors import InputError
from hmr_tf.networks.prediction import Prediction
from tests.fakes import image_records, tiny_body

STORED, SIZE = 224, 112  # the records' images, and the oracle's input: half of them
GREY_STEP = 20
NUM_PEOPLE = 5
HIPS = [skeleton.LSP_JOINTS.index(name) for name in ("right_hip", "left_hip")]
# Labels of each person in the records.
WITH_SMPL, WITH_JOINTS = (0, 1), (0, 1, 2)
NEITHER = (3, 4)


class Oracle:
    """Reads a person's number from the grey of the image and predicts their labels.

    `move` (B, N, 3) -> (B, N, 3) changes the predicted points in space, `translation_px` the
    keypoints in the crop.
    """

    image_size = SIZE

    def __init__(self, smpl, truth, move=lambda points: points, translation_px=(0.0, 0.0)):
        self.smpl = smpl
        body = smpl(tf.constant(truth["pose"]), tf.constant(truth["betas"]))
        keypoints2d_norm = 2.0 * truth["keypoints_px"] / STORED - 1.0
        self._all_people = Prediction(
            theta=tf.zeros([NUM_PEOPLE, 85]),
            camera=tf.zeros([NUM_PEOPLE, 3]),
            rotations=body.rotations,
            betas=tf.constant(truth["betas"]),
            vertices=move(body.vertices),
            joints3d=move(body.joints3d),
            smpl_joints=move(body.smpl_joints),
            keypoints2d_norm=tf.constant(
                keypoints2d_norm + 2.0 * np.float32(translation_px) / SIZE
            ),
        )

    def __call__(self, images, training=None):
        grey = (tf.reduce_mean(images, axis=[1, 2, 3]) + 1.0) * 127.5
        number = tf.cast(tf.round(grey / GREY_STEP), tf.int32)
        return None, Prediction(*(tf.gather(part, number) for part in self._all_people))

    def with_mesh(self, prediction):
        return prediction


@pytest.fixture(scope="module")
def smpl(tmp_path_factory):
    path = tiny_body.write(tmp_path_factory.mktemp("body") / "tiny.npz")
    return SMPL(body_model.read_model(path))


@pytest.fixture
def truth(rng):
    """Pose, betas and keypoints of all people, float32."""
    values = {
        "pose": 0.5 * rng.normal(size=(NUM_PEOPLE, 24, 3)),
        "betas": rng.normal(size=(NUM_PEOPLE, 10)),
        "keypoints_px": rng.uniform(10, STORED - 10, size=(NUM_PEOPLE, 19, 2)),
    }
    return {key: value.astype(np.float32) for key, value in values.items()}


@pytest.fixture
def body(smpl, truth):
    return smpl(tf.constant(truth["pose"]), tf.constant(truth["betas"]))


def write(path, truth, joints, labelled=lambda number: np.ones(19, int), numbers=None):
    """One shard with the people `numbers`; 3D labels for WITH_SMPL and WITH_JOINTS."""
    people = [
        image_records.image_record(
            np.full((STORED, STORED, 3), GREY_STEP * number, "uint8"),
            truth["keypoints_px"][number],
            filename=f"{number}.jpg",
            labelled=labelled(number),
            lsp_joints=joints[number] if number in WITH_JOINTS else None,
            pose=truth["pose"][number] if number in WITH_SMPL else None,
            betas=truth["betas"][number] if number in WITH_SMPL else None,
        )
        for number in (range(NUM_PEOPLE) if numbers is None else numbers)
    ]
    return {"coco": [image_records.write(path, people)]}


@pytest.fixture
def files(tmp_path, truth, body):
    """The shard of all people; their joints are 3 m in front of the camera."""
    joints = body.joints3d.numpy()[:, :14] + np.float32([0.2, -0.1, 3.0])
    return write(tmp_path / "test_000.tfrecord", truth, joints)


def evaluate(smpl, truth, files, **changes):
    return body_errors.Evaluation(Oracle(smpl, truth, **changes), files, NUM_PEOPLE).run()


def centred_joints(body):
    """(3, 14, 3) m, float64: true joints of the people who have some, mid-hips at the origin."""
    joints = body.joints3d.numpy()[list(WITH_JOINTS), :14].astype(np.float64)
    return joints - joints[:, HIPS].mean(axis=1, keepdims=True)


def centred_vertices(body):
    """(2, V, 3) m: the true vertices of the people with SMPL labels, pelvis at the origin."""
    known = list(WITH_SMPL)
    return body.vertices.numpy()[known] - body.smpl_joints.numpy()[known, :1]


def mean_length_mm(points):
    return 1e3 * np.linalg.norm(points, axis=-1).mean()


def test_body_errors_of_the_truth_are_zero_and_all_people_count(smpl, truth, files):
    results = evaluate(smpl, truth, files)
    assert results.pop("people") == NUM_PEOPLE
    assert set(results) == {
        *("keypoints_px", "mpjpe_mm", "pa_mpjpe_mm", "vertices_mm", "pa_vertices_mm")
    }
    assert results == pytest.approx(dict.fromkeys(results, 0.0), abs=2e-3)


def test_body_errors_ignore_the_position(smpl, truth, files):
    results = evaluate(smpl, truth, files, move=lambda points: points + 0.03)
    assert results["mpjpe_mm"] == pytest.approx(0, abs=2e-3)
    assert results["vertices_mm"] == pytest.approx(0, abs=2e-3)


def test_body_errors_of_a_scaled_body(smpl, truth, files, body):
    results = evaluate(smpl, truth, files, move=lambda points: 1.1 * points)
    expected = 0.1 * mean_length_mm(centred_joints(body))
    assert results["mpjpe_mm"] == pytest.approx(expected, rel=1e-4)
    expected = 0.1 * mean_length_mm(centred_vertices(body))
    assert results["vertices_mm"] == pytest.approx(expected, rel=1e-4)
    assert results["pa_mpjpe_mm"] == pytest.approx(0, abs=2e-3)


def test_body_errors_of_half_a_rotation(smpl, truth, files, body):
    """About x a point moves by twice its distance from the axis."""
    results = evaluate(smpl, truth, files, move=lambda points: points * [1.0, -1.0, -1.0])
    expected = 2 * mean_length_mm(centred_joints(body)[..., 1:])
    assert results["mpjpe_mm"] == pytest.approx(expected, rel=1e-4)
    assert results["pa_mpjpe_mm"] == pytest.approx(0, abs=2e-3)


def test_body_errors_align_a_similarity_but_no_mirror(smpl, truth, files):
    rotation = Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix().astype(np.float32)
    translation = np.float32([0.2, -0.4, 1.0])
    results = evaluate(
        smpl, truth, files, move=lambda points: 1.7 * points @ rotation.T + translation
    )
    for name in ("mpjpe_mm", "vertices_mm"):
        assert results[name] > 50
        assert results[f"pa_{name}"] == pytest.approx(0, abs=5e-3)
    mirrored = evaluate(smpl, truth, files, move=lambda points: points * [-1.0, 1.0, 1.0])
    assert mirrored["pa_mpjpe_mm"] > 10
    assert mirrored["pa_vertices_mm"] > 10


@pytest.mark.parametrize(("translation_px", "expected"), [((2.0, 0.0), 2.0), ((3.0, -4.0), 5.0)])
def test_body_errors_of_keypoints_are_in_pixels_of_the_crop(
    smpl, truth, files, translation_px, expected
):
    results = evaluate(smpl, truth, files, translation_px=translation_px)
    assert results["keypoints_px"] == pytest.approx(expected, abs=1e-3)
    assert results["mpjpe_mm"] == pytest.approx(0, abs=2e-3)


def test_body_errors_in_3d_count_people_with_3d_labels(smpl, tmp_path, truth, body):
    """The labels of person 2, who has joints alone, are 10 % too small: a third of the mean."""
    joints = body.joints3d.numpy()[:, :14].copy()
    joints[2] /= 1.1
    files = write(tmp_path / "test_000.tfrecord", truth, joints)
    results = evaluate(smpl, truth, files)
    expected = mean_length_mm(centred_joints(body)[2] * (1 - 1 / 1.1)) / len(WITH_JOINTS)
    assert results["mpjpe_mm"] == pytest.approx(expected, rel=1e-4)
    assert results["vertices_mm"] == pytest.approx(0, abs=2e-3)
    assert results["people"] == NUM_PEOPLE


def test_body_errors_without_3d_labels_have_no_3d_error(smpl, tmp_path, truth):
    files = write(tmp_path / "test_000.tfrecord", truth, None, numbers=(3, 4))
    results = evaluate(smpl, truth, files, translation_px=(0.0, 2.0))
    assert set(results) == {"people", "keypoints_px"}
    assert results == {"people": 2, "keypoints_px": pytest.approx(2.0, abs=1e-3)}


def test_body_errors_ignore_unlabelled_keypoints_and_people_without_any(
    smpl, tmp_path, truth, body
):
    """Person 4 has no labelled keypoint; person 3 one, which is off by 20 px of the record."""

    def labelled(number):
        return {3: np.eye(19, dtype=int)[0], 4: np.zeros(19, int)}.get(number, np.ones(19, int))

    predicted = {**truth, "keypoints_px": truth["keypoints_px"].copy()}
    predicted["keypoints_px"][3, 0, 0] += 20
    predicted["keypoints_px"][3, 1:] += 1000
    predicted["keypoints_px"][4] += 1000
    joints = body.joints3d.numpy()[:, :14]
    files = write(tmp_path / "test_000.tfrecord", truth, joints, labelled)
    results = evaluate(smpl, predicted, files)
    assert results["people"] == 4
    assert results["keypoints_px"] == pytest.approx(20 * SIZE / STORED / 4, abs=1e-3)


def test_body_errors_do_not_depend_on_the_batch_size(smpl, truth, files):
    oracle = Oracle(smpl, truth, lambda points: 1.1 * points, (1.0, 1.0))
    few, all_ = (body_errors.Evaluation(oracle, files, batch_size).run() for batch_size in (2, 16))
    assert few == pytest.approx(all_, rel=1e-4, abs=2e-3)


def test_body_errors_refuse_empty_and_broken_shards(smpl, truth, files, tmp_path):
    with pytest.raises(InputError, match="coco hold no records"):
        evaluate(smpl, truth, write(tmp_path / "empty.tfrecord", truth, None, numbers=()))
    path = files["coco"][0]
    content = bytearray(path.read_bytes())
    content[-100] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"test_000\.tfrecord: record 5"):
        evaluate(smpl, truth, files)


def test_body_errors_refuse_people_without_labels_and_non_finite_predictions(smpl, truth, tmp_path):
    unlabelled = write(
        tmp_path / "a.tfrecord", truth, None, lambda _: np.zeros(19, int), numbers=NEITHER
    )
    with pytest.raises(InputError, match="No person in the shards of coco has labelled keypoints"):
        evaluate(smpl, truth, unlabelled)
    some = write(tmp_path / "b.tfrecord", truth, None, numbers=NEITHER)
    with pytest.raises(InputError, match="not finite: train again"):
        evaluate(smpl, truth, some, move=lambda points: points * np.nan)
