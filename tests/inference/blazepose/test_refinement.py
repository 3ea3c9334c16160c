"""Predictions fitted to the landmarks of BlazePose: nearer to the truth, or left as they were."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from hmr_tf.body import body_model, fitting, theta
from hmr_tf.body.smpl import SMPL
from hmr_tf.data.crop import Crop
from hmr_tf.files.errors import InputError
from hmr_tf.inference import model as models
from hmr_tf.inference.blazepose import landmarks, refinement
from hmr_tf.networks import engines
from hmr_tf.networks.hmr import HMR, IterativeRegressor, mean_theta
from hmr_tf.networks.prediction import prediction_as_dict
from tests.fakes import landmark_fakes, tiny_hmr

SIZE = tiny_hmr.SIZE
# The photograph is the fakes' picture; the crop shows all of it, smaller.
CROP = Crop(np.full(2, SIZE / landmark_fakes.SIZE), np.zeros(2, int), (SIZE, SIZE))
IMAGE = np.zeros((landmark_fakes.SIZE, landmark_fakes.SIZE, 3), np.uint8)
COUNT = 3


@pytest.fixture(scope="module")
def hmr():
    regressor = IterativeRegressor(mean_theta(), 1)
    made = HMR(tiny_hmr.encoder(SIZE), regressor, SMPL(body_model.read_model()))
    made(np.zeros((1, SIZE, SIZE, 3), np.float32))
    return made


@pytest.fixture(scope="module")
def made(hmr):
    return landmark_fakes.people(hmr.smpl, COUNT)


@pytest.fixture
def refiner(hmr, made, monkeypatch):
    """With a BlazePose that returns the landmarks of the people, one after another."""
    blazepose = SimpleNamespace(landmarks=list(made.landmarks), keypoints_px=[])

    def detect(image, keypoints_px):
        blazepose.keypoints_px.append(keypoints_px)
        return blazepose.landmarks[len(blazepose.keypoints_px) - 1]

    blazepose.detect_predicted = detect
    monkeypatch.setattr(landmarks, "BlazePose", lambda folder, num_calls: blazepose)
    monkeypatch.setattr(engines, "calls_at_once", lambda: 1)
    return refinement.Refiner(hmr, "somewhere")


@pytest.fixture(scope="module")
def predicted(hmr):
    """The mean body for each."""
    thetas = np.tile(mean_theta(), (COUNT, 1))
    prediction = hmr.with_mesh(hmr.predictions_from_thetas([thetas])[-1])
    return {name: np.asarray(x) for name, x in prediction_as_dict(prediction, SIZE).items()}


def errors(arrays, made):
    """Mean distance in the crop's pixels, and in 3D about the hips, of each person."""
    wanted_px = made.keypoints_px[..., :2] * SIZE / landmark_fakes.SIZE
    apart_px = np.linalg.norm(arrays["keypoints2d_px"] - wanted_px, axis=-1)
    refined, wanted = (
        x[:, :14] - x[:, 2:4].mean(axis=1, keepdims=True)
        for x in (arrays["joints3d"], made.joints3d)
    )
    return apart_px.mean(axis=1), np.linalg.norm(refined - wanted, axis=-1).mean(axis=1)


def test_refinement_moves_bodies_onto_the_landmarks(refiner, made, predicted):
    refined = refiner(predicted, [IMAGE] * COUNT, [CROP] * COUNT)
    assert refined.is_refined.all()
    assert set(refined.predicted) == set(predicted)
    before, after = errors(predicted, made), errors(refined.predicted, made)
    assert (after[0] < 0.5 * before[0]).all()
    assert after[1].max() < 0.08
    assert (after[1] < before[1]).all()
    pose = theta.split(refined.predicted["theta"]).pose
    assert np.abs(pose - made.pose)[:, 1:].max() < 1.5


def test_refinement_asks_blazepose_in_pixels_of_the_photograph(refiner, predicted):
    refiner(predicted, [IMAGE] * COUNT, [CROP] * COUNT)
    expected = predicted["keypoints2d_px"][0] * landmark_fakes.SIZE / SIZE
    np.testing.assert_allclose(refiner.blazepose.keypoints_px[0][:, :2], expected, rtol=1e-5)


class SlowForFirst:
    """A BlazePose whose first people take longest; knows them by their landmarks' place."""

    def __init__(self, made, failing):
        self.made, self.failing, self.num_calls = made, failing, None

    def detect_predicted(self, image, keypoints_px):
        number = int(image[0, 0, 0])
        if number == self.failing:
            raise RuntimeError("BlazePose failed")
        time.sleep(0.05 * (COUNT - number))
        return self.made.landmarks[number]


@pytest.mark.parametrize("failing", [None, 1])
def test_refinement_of_several_people_at_once_keeps_their_order(
    hmr, made, predicted, monkeypatch, failing
):
    blazepose = SlowForFirst(made, failing)

    def build(folder, num_calls):
        blazepose.num_calls = num_calls
        return blazepose

    monkeypatch.setattr(landmarks, "BlazePose", build)
    monkeypatch.setattr(engines, "calls_at_once", lambda: COUNT)
    refiner = refinement.Refiner(hmr, "somewhere")
    assert blazepose.num_calls == COUNT
    images = [np.full_like(IMAGE, number) for number in range(COUNT)]
    if failing is not None:
        with pytest.raises(RuntimeError, match="BlazePose failed"):
            refiner(predicted, images, [CROP] * COUNT)
        return
    refined = refiner(predicted, images, [CROP] * COUNT)
    before, after = errors(predicted, made), errors(refined.predicted, made)
    assert (after[0] < 0.5 * before[0]).all()


def test_refinement_leaves_people_that_blazepose_does_not_detect(refiner, predicted):
    refiner.blazepose.landmarks[1] = refiner.blazepose.landmarks[1]._replace(presence=0.1)
    refined = refiner(predicted, [IMAGE] * COUNT, [CROP] * COUNT)
    assert refined.is_refined.tolist() == [True, False, True]
    for name, values in refined.predicted.items():
        np.testing.assert_allclose(values[1], predicted[name][1], atol=1e-4, err_msg=name)


def test_refinement_links_only_people_that_blazepose_detects():
    linked = fitting.Motion(np.array([0, 0, 1, 2]), np.zeros((4, 24, 3, 3)), np.ones(4))
    motion = refinement._between_detected(linked, np.array([True, False, True, True]))
    assert motion.previous.tolist() == [0, 1, 2, 2]
    assert motion.has_anchor.tolist() == [1, 0, 1, 1]


def test_refinement_of_video_frames_continues_from_the_frames_before(hmr):
    model = models.Model(hmr, body_model.read_model())
    model._refiner = lambda predicted, images, crops, motion: motions.append(motion) or refined
    motions = []
    boxes = [[(10, 10, 90, 150)], [(12, 10, 90, 150)]]
    plain = model.predict_batch([IMAGE] * 2, boxes)
    predicted = model.predict_crops(np.zeros((2, SIZE, SIZE, 3)))
    refined = refinement.Refined(predicted, np.ones(2, bool))
    before = plain[0]
    for people_before in (None, [], before):
        model.predict_batch([IMAGE] * 2, boxes, refine=True, people_before=people_before)
    assert motions[0] is None
    assert [motion.previous.tolist() for motion in motions[1:]] == [[0, 0], [0, 0]]
    assert [motion.has_anchor.tolist() for motion in motions[1:]] == [[0, 0], [1, 0]]
    np.testing.assert_array_equal(motions[2].anchors[0], before[0].rotations)


def test_refinement_of_a_photograph_changes_all_that_depends_on_the_body(hmr, refiner, monkeypatch):
    model = models.Model(hmr, body_model.read_model())
    model._refiner = refiner
    (plain,) = model.predict(IMAGE, [None])
    (person,) = model.predict(IMAGE, [None], refine=True)
    assert set(person) == set(plain)
    for name in ("theta", "vertices", "keypoints2d_px", "transl", "pose", "joints3d"):
        assert np.abs(person[name] - plain[name]).max() > 1e-3, name


def test_refinement_without_blazepose_names_the_command(hmr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"python -m tools\.blazepose"):
        models.Model(hmr, body_model.read_model(), refine=True)
    with pytest.raises(InputError, match=r"python -m tools\.blazepose"):
        models.Model(hmr, body_model.read_model()).predict(IMAGE, [None], refine=True)
