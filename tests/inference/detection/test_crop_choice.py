"""One prediction from several crops: the best of a detected person, the mean of a searched one."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model, camera, rotation, skeleton, theta
from hmr_tf.body.smpl import SMPL
from hmr_tf.data import crop as crops
from hmr_tf.inference import model as models
from hmr_tf.inference import person_crops
from hmr_tf.inference.detection import crop_choice
from hmr_tf.inference.detection.detector import DetectedPerson, Detector
from hmr_tf.networks.prediction import prediction_as_dict, prediction_from_body
from tests.fakes import tiny_detector, tiny_hmr

TO_COCO = [skeleton.KEYPOINTS.index(name) for name in skeleton.COCO_KEYPOINTS]
MIRRORED = [is_mirrored for _, is_mirrored in crop_choice.DETECTED_VARIANTS]


@pytest.fixture
def hmr(tmp_path):
    return tiny_hmr.build(tmp_path)


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, size=(90, 120, 3), dtype=np.uint8)


def detected(keypoints_px, box=(30, 20, 40, 50)):
    """(19, 2) -> DetectedPerson with the 17 of them that COCO has."""
    confidence = np.full((17, 1), 0.9)
    keypoints_px = np.concatenate([keypoints_px[TO_COCO], confidence], axis=1)
    return DetectedPerson(box, keypoints_px, score=confidence.mean())


def crops_of(image, person, variants=crop_choice.DETECTED_VARIANTS):
    pinhole, (box, keypoints_px, *_) = person_crops.pinhole_of(image), person
    return crop_choice.crops_of_person(image, box, pinhole, tiny_hmr.SIZE, variants, keypoints_px)


def predict(hmr, crops_of_people):
    pixels = np.stack([crop.pixels for person in crops_of_people for crop in person.crops])
    prediction = hmr.with_mesh(hmr(pixels.astype(np.float32) / 127.5 - 1, training=False)[-1])
    predicted = prediction_as_dict(prediction, hmr.image_size)
    return {name: values.numpy() for name, values in predicted.items()}


def in_photograph(predicted, variant, person):
    """(19, 2) keypoints of one of the variants of the first person."""
    keypoints_px = predicted["keypoints2d_px"][variant].copy()
    if MIRRORED[variant]:
        keypoints_px[:, 0] = tiny_hmr.SIZE - keypoints_px[:, 0]
        keypoints_px = keypoints_px[list(skeleton.mirror(skeleton.KEYPOINTS))]
    return crops.to_image(keypoints_px, person.crops[variant].crop)


def assert_one_body(hmr, result):
    """All arrays are those of the body of theta."""
    parts = theta.split(tf.constant(result["theta"]))
    body = hmr.smpl(parts.pose, parts.betas)
    np.testing.assert_allclose(result["vertices"], body.vertices, atol=1e-5)
    np.testing.assert_allclose(result["joints3d"], body.joints3d, atol=1e-5)
    np.testing.assert_allclose(result["smpl_joints"], body.smpl_joints, atol=1e-5)
    np.testing.assert_array_equal(result["camera"], parts.camera)
    projected = camera.project(body.joints3d, parts.camera)
    expected_px = camera.pixels_from_norm(projected, hmr.image_size)
    np.testing.assert_allclose(result["keypoints2d_px"], expected_px, atol=1e-3)


def test_crops_of_a_detection_differ_in_size_and_one_is_mirrored(picture):
    person = crops_of(picture, detected(np.zeros((19, 2))))
    plain, mirrored, near, far = person.crops
    np.testing.assert_array_equal(mirrored.pixels, plain.pixels[:, ::-1])
    np.testing.assert_allclose(near.crop.scale_xy, plain.crop.scale_xy / 0.85, rtol=0.05)
    np.testing.assert_allclose(far.crop.scale_xy, plain.crop.scale_xy / 1.2, rtol=0.05)
    middles = [crops.to_image(np.full(2, tiny_hmr.SIZE / 2), crop.crop) for crop in person.crops]
    np.testing.assert_allclose(middles, [(50, 45)] * 4, atol=3)  # whole pixels of a small crop
    assert {crop.box for crop in person.crops} == {(30, 20, 40, 50)}


@pytest.mark.parametrize("variant", range(len(crop_choice.DETECTED_VARIANTS)))
def test_crop_choice_takes_the_prediction_that_fits_the_detected_keypoints(hmr, picture, variant):
    person = crops_of(picture, detected(np.zeros((19, 2))))
    predicted = predict(hmr, [person])
    for name in ("theta", "rotations", "joints3d", "keypoints2d_px"):
        assert np.ptp(predicted[name], axis=0).max() > 1e-4, "the variants differ"
    keypoints_px = in_photograph(predicted, variant, person)
    person = person._replace(keypoints_px=detected(keypoints_px).keypoints_px)
    result, (chosen,) = crop_choice.CropChoice(hmr)(predicted, [person])
    assert chosen is person.crops[variant]
    rotations = tf.constant(predicted["rotations"][variant])
    if not MIRRORED[variant]:  # the tiny body, unlike others, is not symmetric
        result_px = crops.to_image(result["keypoints2d_px"][0], chosen.crop)
        np.testing.assert_allclose(result_px, keypoints_px, atol=0.5)
    else:
        rotations = rotation.reflect(rotations, skeleton.mirror(skeleton.SMPL_JOINTS))
    np.testing.assert_allclose(result["rotations"][0], rotations, atol=1e-5)


@pytest.mark.parametrize("variant", [0, 1])
def test_crop_choice_gives_one_body_in_all_its_arrays(hmr, picture, variant):
    person = crops_of(picture, detected(np.zeros((19, 2))))
    predicted = predict(hmr, [person])
    keypoints_px = in_photograph(predicted, variant, person) * 1.1 + (4, -3)
    person = person._replace(keypoints_px=detected(keypoints_px).keypoints_px)
    for other in set(range(4)) - {variant}:
        predicted["keypoints2d_px"][other] = np.nan
    result, _ = crop_choice.CropChoice(hmr)(predicted, [person])
    assert_one_body(hmr, result)


def test_crop_choice_leaves_given_crops_as_predicted(hmr, picture):
    person = crops_of(picture, detected(np.zeros((19, 2))))
    given = crop_choice.CropsOfPerson([person.crops[2]])
    keypoints_px = in_photograph(predict(hmr, [person]), 0, person)
    person = person._replace(keypoints_px=detected(keypoints_px).keypoints_px)
    predicted = predict(hmr, [given, person, given])
    before = {name: values.copy() for name, values in predicted.items()}
    result, chosen = crop_choice.CropChoice(hmr)(predicted, [given, person, given])
    assert [crop is given.crops[0] for crop in chosen] == [True, False, True]
    for name, values in result.items():
        np.testing.assert_array_equal(values[[0, 2]], before[name][[0, 5]])


def test_crop_choice_without_detected_keypoints_gives_the_mean_body(hmr, picture):
    person = crops_of(picture, ((30, 20, 40, 50), None), crop_choice.SEARCHED_VARIANTS)
    predicted = predict(hmr, [person])
    result, (chosen,) = crop_choice.CropChoice(hmr)(predicted, [person])
    assert chosen is person.crops[0]
    assert_one_body(hmr, result)
    mirror = skeleton.mirror(skeleton.SMPL_JOINTS)
    as_plain = [
        rotation.reflect(tf.constant(rotations), mirror).numpy() if is_mirrored else rotations
        for rotations, (_, is_mirrored) in zip(predicted["rotations"], person.variants)
    ]
    assert len(as_plain) == 8
    of_pairs = {  # each set of predictions without two of them
        pair: [x for number, x in enumerate(as_plain) if number not in pair]
        for pair in itertools.combinations(range(8), 2)
    }
    means = [rotation.nearest_rotation(np.mean(x, 0, dtype=np.float64)) for x in of_pairs.values()]
    apart = [np.abs(result["rotations"][0] - mean).max() for mean in means]
    assert min(apart) < 1e-5
    some = np.delete(np.arange(8), list(of_pairs)[int(np.argmin(apart))])
    np.testing.assert_allclose(result["betas"][0], predicted["betas"][some].mean(0), atol=1e-5)


def test_crop_choice_of_equal_predictions_gives_that_prediction(hmr, picture):
    variants = ((1.0, False), (1.0, False))
    person = crops_of(picture, ((30, 20, 40, 50), None), variants)
    predicted = predict(hmr, [person])
    result, _ = crop_choice.CropChoice(hmr)(predicted, [person])
    for name in ("camera", "vertices", "keypoints2d_px", "betas"):
        np.testing.assert_allclose(result[name][0], predicted[name][0], atol=1e-3, err_msg=name)


@pytest.mark.parametrize("broken", [[1], [0, 2], [0, 1], list(range(7)), list(range(8))])
def test_crop_choice_averages_only_predictions_that_are_finite(hmr, picture, broken):
    person = crops_of(picture, ((30, 20, 40, 50), None), crop_choice.SEARCHED_VARIANTS)
    predicted = predict(hmr, [person])
    for values in predicted.values():
        values[broken] = np.nan
    result, _ = crop_choice.CropChoice(hmr)(predicted, [person])
    is_any_finite = len(broken) < len(person.crops)
    for name, values in result.items():
        assert np.isfinite(values).all() == is_any_finite, name
    if is_any_finite:
        assert_one_body(hmr, result)


class PersonInPhotograph:
    """A symmetric body in a photograph, and the right prediction for each of its crops."""

    def __init__(self, rng, variants):
        smpl = SMPL(body_model.read_model())
        self.hmr = SimpleNamespace(smpl=smpl, image_size=160)
        image = np.zeros((400, 500, 3), np.uint8)
        self.crops = crop_choice.crops_of_person(
            image, (150, 80, 120, 240), person_crops.pinhole_of(image), 160, variants
        )
        pose = rng.normal(0, 0.3, size=(1, 24, 3)).astype(np.float32)
        pose[:, 0] += (np.pi, 0, 0)  # upright
        self.rotations = rotation.matrix_from_axis_angle(tf.constant(pose))
        self.betas = tf.constant(rng.normal(0, 0.5, size=(1, 10)), tf.float32)
        self.points = smpl(self.rotations, self.betas).joints3d.numpy()[0, :, :2]
        in_crop_px = 80 + 64 * (self.points + np.array([0.1, 0.15]))
        self.keypoints_px = crops.to_image(in_crop_px, self.crops.crops[0].crop)

    def predicted(self, keypoints_px):
        """Predictions whose cameras show the body at these (V, 19, 2) of the photograph."""
        rows = []
        for target_px, crop, (_, is_mirrored) in zip(
            keypoints_px, self.crops.crops, self.crops.variants
        ):
            norm = crops.to_crop(target_px, crop.crop) / 80 - 1
            scale = np.ptp(norm[:, 1]) / np.ptp(self.points[:, 1])
            weak = np.append(scale, (norm / scale - self.points).mean(axis=0))
            rotations = self.rotations
            if is_mirrored:
                weak = weak * (1, -1, 1)
                rotations = rotation.reflect(rotations, skeleton.mirror(skeleton.SMPL_JOINTS))
            body = self.hmr.smpl(rotations, self.betas)
            pose = rotation.axis_angle_from_matrix(body.rotations)
            thetas = theta.join(*(np.float32(x) for x in (weak[None], pose, self.betas)))
            rows.append(prediction_as_dict(prediction_from_body(thetas, body), 160))
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    def assert_result(self, result, chosen):
        result_px = crops.to_image(result["keypoints2d_px"][0], chosen.crop)
        np.testing.assert_allclose(result_px, self.keypoints_px, atol=0.5)
        np.testing.assert_allclose(result["rotations"][0], self.rotations[0], atol=1e-5)


@pytest.mark.parametrize("variant", range(len(crop_choice.DETECTED_VARIANTS)))
def test_crop_choice_keeps_a_right_prediction_where_it_is_in_the_photograph(rng, variant):
    person = PersonInPhotograph(rng, crop_choice.DETECTED_VARIANTS)
    predicted = person.predicted([person.keypoints_px] * 4)
    for other in set(range(4)) - {variant}:
        predicted["keypoints2d_px"][other] = np.nan
    of_person = person.crops._replace(keypoints_px=detected(person.keypoints_px).keypoints_px)
    result, (chosen,) = crop_choice.CropChoice(person.hmr)(predicted, [of_person])
    assert chosen is of_person.crops[variant]
    person.assert_result(result, chosen)


@pytest.mark.parametrize("broken", [[], [0], [0, 1]])
def test_crop_choice_mean_of_right_predictions_is_right_in_the_photograph(rng, broken):
    person = PersonInPhotograph(rng, crop_choice.SEARCHED_VARIANTS)
    predicted = person.predicted([person.keypoints_px] * 8)
    for values in predicted.values():
        values[broken] = np.nan
    result, (chosen,) = crop_choice.CropChoice(person.hmr)(predicted, [person.crops])
    person.assert_result(result, chosen)


def test_crop_choice_mean_starts_from_the_first_camera_that_counts(rng, monkeypatch):
    monkeypatch.setattr(crop_choice, "_MEAN_WEIGHT", 0.0)  # and stays there
    person = PersonInPhotograph(rng, crop_choice.SEARCHED_VARIANTS)
    # Three are not finite, the fourth is an outlier.
    offsets_px = np.array([(9, 9)] * 3 + [(70, 0), (0, 0), (3, 0), (-3, 0), (0, 3)])
    predicted = person.predicted(person.keypoints_px + offsets_px[:, None])
    for values in predicted.values():
        values[:3] = np.nan
    result, (chosen,) = crop_choice.CropChoice(person.hmr)(predicted, [person.crops])
    person.assert_result(result, chosen)


@pytest.mark.parametrize(
    ("offsets_px", "kept"),
    [
        ([7], [0]),
        ([0, 1, 9], [0, 1, 2]),
        ([0, 9, 1, 2], [0, 2, 3]),
        ([9, 0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]),
        ([0, 9, 1, 2, 3, 4, 5, 30], [0, 2, 3, 4, 5, 6]),
        # The mean is 12.5, from which -20 is farther than 30.
        ([-20, 0, 0, 0, 0, 0, 30, 90], [0, 1, 2, 3, 4, 5]),
        ([0, 0, 0, 0, 0, 40, 41, 42], [0, 1, 2, 3, 4, 5]),
    ],
)
def test_outliers_are_the_quarter_with_the_greatest_median_distance(offsets_px, kept):
    keypoints_px = np.zeros((len(offsets_px), 19, 2)) + np.reshape(offsets_px, (-1, 1, 1))
    assert crop_choice._without_outliers(keypoints_px).tolist() == kept


@pytest.mark.parametrize("outliers", [(0, 1), (0, 5), (6, 7)])
def test_crop_choice_mean_leaves_out_the_two_of_eight_that_differ_most(rng, outliers):
    person = PersonInPhotograph(rng, crop_choice.SEARCHED_VARIANTS)
    offsets_px = np.zeros((8, 1, 2))
    offsets_px[list(outliers)] = [[(70, 0)], [(-20, 80)]]
    predicted = person.predicted(person.keypoints_px + offsets_px)
    predicted["betas"][list(outliers)] += 3
    predicted["rotations"][list(outliers)] = np.eye(3)
    result, (chosen,) = crop_choice.CropChoice(person.hmr)(predicted, [person.crops])
    person.assert_result(result, chosen)


def test_crop_choice_mean_has_the_mean_camera_not_that_of_the_first_crop(rng):
    variants = ((1.0, False), (0.9, True), (1.1, False))  # too few for an outlier
    person = PersonInPhotograph(rng, variants)
    factors, offsets_px = [1.1, 0.95, 0.95], [(10, -5), (-5, 2.5), (-5, 2.5)]  # 1, 0 in the mean
    predicted = person.predicted(
        [k * person.keypoints_px + offset for k, offset in zip(factors, offsets_px)]
    )
    result, (chosen,) = crop_choice.CropChoice(person.hmr)(predicted, [person.crops])
    person.assert_result(result, chosen)


def test_crop_choice_prefers_right_limbs_to_a_right_face(rng):
    """Five of the keypoints are of the face: their errors count half."""
    person = PersonInPhotograph(rng, ((1.0, False), (1.0, False)))
    predicted = person.predicted([person.keypoints_px] * 2)
    is_face = np.isin(skeleton.KEYPOINTS, skeleton.FACE_KEYPOINTS)
    sides = np.where(np.arange(19) % 2, 1, -1)  # errors that no camera makes good
    predicted["keypoints2d_px"][0, :, 0] += np.where(is_face, 0, 4) * sides
    predicted["keypoints2d_px"][1, :, 0] += np.where(is_face, 12, 0) * sides
    of_person = person.crops._replace(keypoints_px=detected(person.keypoints_px).keypoints_px)
    _, (chosen,) = crop_choice.CropChoice(person.hmr)(predicted, [of_person])
    assert chosen is of_person.crops[1]


def test_model_with_a_detector_predicts_detected_people_nearer_to_their_keypoints(
    tmp_path, picture
):
    people = [(0.1, 0.1, 0.5, 0.8, 0.9), (0.5, 0.3, 0.9, 0.9, 0.6)]
    detector = Detector(tiny_detector.save(tmp_path / "detector", people))
    model = models.Model(*tiny_hmr.with_body(tmp_path), detector)
    found = detector.detect(picture)
    assert [person.box for person in found] == detector(picture) == model.detect(picture)

    def distances(predicted):
        return [
            np.linalg.norm(
                person.keypoints2d_px[TO_COCO] - detected_person.keypoints_px[:, :2], axis=1
            )[detected_person.keypoints_px[:, 2] > 0.15].mean()
            for person, detected_person in zip(predicted, found)
        ]

    given = model.predict(picture, boxes=model.detect(picture))
    chosen = model.predict(picture)
    np.testing.assert_allclose([p.box for p in chosen], [p.box for p in given])
    assert (np.array(distances(chosen)) < distances(given)).all()
