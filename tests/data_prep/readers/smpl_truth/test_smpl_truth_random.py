"""Valid files of 3DPW, EMDB and SSP-3D in many forms: types, orders, more keys, frames left out."""

import pickle

import numpy as np

from data_prep.reader_items import LabelledPerson, Skipped
from data_prep.readers.smpl_truth import emdb, pw3d, ssp3d
from hmr_tf.body import skeleton
from tests.fakes import python2_pickle, truth_fakes
from tests.fakes.random_cases import chance, check_cases, choose

NUM_CASES = 60  # of each dataset


def number_type(rng):
    return choose(rng, np.float64, np.float32)


def as_container(rng, values):
    """One entry for each person: a list, a tuple, or an array if they have one shape."""
    if len({np.shape(value) for value in values}) == 1 and chance(rng, 0.3):
        return np.array(values)
    return choose(rng, list, tuple)(values)


def write_pickle(rng, path, content):
    """As Python 2 or Python 3 writes it."""
    if chance(rng):
        python2_pickle.write(path, content)
    else:
        path.write_bytes(pickle.dumps(content, choose(rng, 0, 1, 2, 3, 4, 5)))


def in_random_order(rng, content):
    return {key: content[key] for key in map(str, rng.permutation(list(content)))}


def random_openpose(rng, num_frames):
    points = truth_fakes.standing_openpose(num_frames)
    points[:, :2] += rng.uniform(-15, 15, (num_frames, 2, 18))
    points[:, 2] = rng.choice([0.0, 0.1, 0.31, 1.02], (num_frames, 18))
    for frame in range(num_frames):
        if chance(rng, 0.2):
            points[frame] = 0
    return points


def random_3dpw(rng):
    """The content of a pickle; its scenes; its keypoints and valid frames, of each person."""
    num_people, num_frames = rng.integers(1, 4), rng.integers(1, 6)
    scenes = [truth_fakes.scene(rng, num_frames)]
    scenes += [
        truth_fakes.scene(rng, num_frames, extrinsics=scenes[0].extrinsics)
        for _ in range(num_people - 1)
    ]
    points = [random_openpose(rng, num_frames) for _ in scenes]
    valid = [rng.random(num_frames) < 0.8 for _ in scenes]
    kind = choose(rng, bool, int, float, np.uint8)
    number = number_type(rng)
    content = truth_fakes.content_3dpw(
        scenes,
        genders=as_container(rng, [choose(rng, "m", "f") for _ in scenes]),
        poses2d=as_container(rng, [one.astype(number) for one in points]),
        campose_valid=as_container(rng, [one.astype(kind) for one in valid]),
        betas=as_container(
            rng, [np.append(one.betas, np.ones(rng.integers(0, 3))) for one in scenes]
        ),
    )
    if chance(rng):
        content.update(v_template_clothed=[np.zeros((5, 3))] * num_people, betas_clothed=[])
    return in_random_order(rng, content), scenes, points, valid


def check_3dpw(rng, folder):
    content, scenes, points, valid = random_3dpw(rng)
    path = folder / "sequenceFiles/train/a.b_00.pkl"
    path.parent.mkdir(parents=True)
    (folder / "imageFiles" / "a.b_00").mkdir(parents=True)
    write_pickle(rng, path, content)
    items = list(pw3d.read(folder, "train"))
    people = [item for item in items if isinstance(item, LabelledPerson)]
    reasons = [item.reason for item in items if isinstance(item, Skipped)]
    has_points = [(one[:, 2] > 0).any(axis=1) for one in points]
    expected = [
        (number, frame)
        for number in range(len(scenes))
        for frame in np.flatnonzero(valid[number] & has_points[number])
    ]
    assert reasons.count("camera pose invalid") == sum((~one).sum() for one in valid)
    hidden = sum((ok & ~has).sum() for ok, has in zip(valid, has_points))
    assert reasons.count("no 2D keypoints") == hidden
    assert len(reasons) + len(expected) == len(items)
    assert len(people) == len(expected)
    for person, (number, frame) in zip(people, expected):
        check_person_of_3dpw(person, scenes[number], points[number][frame], frame)
        assert person.sequence == f"a.b_00_p{number}"
        assert person.reference.gender == {"m": "male", "f": "female"}[content["genders"][number]]


def check_person_of_3dpw(person, scene, points, frame):
    truth = person.reference
    assert truth.frame == frame
    assert person.image.endswith(f"/imageFiles/a.b_00/image_{frame:05d}.jpg")
    np.testing.assert_array_equal(truth.betas, scene.betas)
    posed = truth_fakes.posed_joints(truth.pose[None], truth.betas)[0] + truth.transl
    for joints in (posed, truth.smpl_joints):
        np.testing.assert_allclose(joints, scene.camera_joints[frame], atol=1e-6)
    for index, name in enumerate(skeleton.KEYPOINTS):
        x, y, confidence = (
            points[:, pw3d.OPENPOSE_18.index(name)] if name != "head_top" else [0] * 3
        )
        assert person.labelled[index] == int(confidence > 0) + int(confidence > 0.3)
        if confidence > 0:
            np.testing.assert_allclose(person.keypoints_px[index], [x, y], rtol=1e-6)


def test_3dpw_means_the_same_in_every_form(tmp_path):
    check_cases(check_3dpw, tmp_path, NUM_CASES)


def check_emdb(rng, folder):
    num_frames = rng.integers(2, 7)
    scene = truth_fakes.scene(rng, num_frames)
    is_good = rng.random(num_frames) < 0.8
    is_in_split = chance(rng, 0.8)
    gender = choose(rng, "female", "male", "neutral")
    kind = choose(rng, bool, np.bool_, int)
    content = truth_fakes.content_emdb(
        scene,
        gender=gender,
        emdb1=kind(is_in_split),
        good_frames_mask=is_good.astype(choose(rng, bool, int, np.uint8)),
        kp2d=np.where(is_good[:, None, None], scene.joints_px, choose(rng, 0.0, np.nan)),
    )
    content["smpl"]["betas"] = choose(rng, list, np.array)(content["smpl"]["betas"])
    content = in_random_order(rng, content)
    subject, sequence = f"P{rng.integers(0, 10)}", f"{rng.integers(0, 99):02d}_a.b"
    path = folder / subject / sequence / f"{subject}_{sequence}_data.pkl"
    (path.parent / "images").mkdir(parents=True)
    write_pickle(rng, path, content)
    items = list(emdb.read(folder, "test"))
    if not is_in_split:
        assert [item.reason for item in items] == ["sequence not in emdb1"]
        return
    people = [item for item in items if isinstance(item, LabelledPerson)]
    assert [person.reference.frame for person in people] == np.flatnonzero(is_good).tolist()
    assert len(items) == num_frames
    for person in people:
        truth, expected = person.reference, scene.camera_joints[person.reference.frame]
        assert truth.gender == gender
        assert person.sequence == f"{subject}_{sequence}_p0"
        posed = truth_fakes.posed_joints(truth.pose[None], truth.betas)[0] + truth.transl
        # The depth of one frame alone is not known; relative to the pelvis it is exact.
        np.testing.assert_allclose(posed - posed[0], expected - expected[0], atol=1e-6)
        if is_good.sum() > 1:
            np.testing.assert_allclose(posed, expected, atol=1e-5)


def test_emdb_means_the_same_in_every_form(tmp_path):
    check_cases(check_emdb, tmp_path, NUM_CASES)


def check_ssp3d(rng, folder):
    number = rng.integers(1, 6)
    content = truth_fakes.content_ssp3d(rng, number)
    order, kind = rng.permutation(number), number_type(rng)
    stored = {key: array[order] for key, array in content.items()}
    for key in ("shapes", "poses", "cam_trans", "joints2D"):
        stored[key] = stored[key].astype(kind)
    if chance(rng):
        stored = {k: a.astype("S") if a.dtype.kind == "U" else a for k, a in stored.items()}
    (folder / "images").mkdir()
    np.savez(folder / "labels.npz", **in_random_order(rng, stored))
    people = list(ssp3d.read(folder, "test"))
    assert [person.image for person in people] == [
        str(folder / "images" / f"athlete_{row}.png") for row in order
    ]
    for person, row in zip(people, order):
        truth = person.reference
        assert truth.gender == {"m": "male", "f": "female"}[content["genders"][row]]
        np.testing.assert_allclose(truth.betas, content["shapes"][row], rtol=1e-6)
        np.testing.assert_allclose(truth.pose.ravel(), content["poses"][row], rtol=1e-6)
        np.testing.assert_allclose(truth.transl, content["cam_trans"][row], rtol=1e-6)
        nose = content["joints2D"][row, 0, :2]
        index = skeleton.KEYPOINTS.index("nose")
        np.testing.assert_allclose(person.keypoints_px[index], nose, rtol=1e-6)


def test_ssp3d_means_the_same_in_every_form(tmp_path):
    check_cases(check_ssp3d, tmp_path, NUM_CASES)
