"""The T-pose: straight arms, lengths, symmetry, twists, skin weights."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_tf.body import skeleton
from tools.cc0_body import makehuman, t_pose

J = skeleton.SMPL_JOINTS.index


def hanging_person(rng):
    """MakeHuman with one vertex per marker, arms hanging and bent; and its vertices as a person."""
    left = {
        "clavicle": (0.2, 4.6, 0.1), "scapula": (1.2, 4.6, -0.2), "shoulder": (1.6, 4.4, 0),
        "elbow": (2.9, 2.6, -0.3), "hand": (2.1, 1.6, 0.7), "eye": (0.3, 7, 1),
        "upper-leg": (1, -0.4, 0), "knee": (1.2, -4.4, 0.3), "ankle": (1.5, -8.5, -0.2),
        "foot-1": (1.6, -9, 1),
    }  # fmt: skip
    forearm = np.subtract(left["hand"], left["elbow"])  # the hand continues it, rotated by half
    across = np.cross(forearm, [0.3, 0.1, 0.2])
    for finger in (2, 3, 4, 5):
        knuckle = left["hand"] + 0.4 * forearm + 0.3 * (finger - 3.5) * across
        left[f"finger-{finger}-1"] = tuple(knuckle)
    middle = {f"spine-{k}": (0, 5 - k, 0) for k in (1, 2, 3, 4)}
    middle |= {"pelvis": (0, 0, 0), "neck": (0, 5.5, 0), "head": (0, 6.4, 0.3)}
    places = {**middle, **{f"l-{name}": place for name, place in left.items()}}
    places.update({f"r-{name}": (-x, y, z) for name, (x, y, z) in left.items()})
    markers = {name: (number,) for number, name in enumerate(places)}
    chains = {
        "clavicle": ("root", "clavicle"), "shoulder01": ("clavicle", "scapula"),
        "upperarm01": ("shoulder01", "shoulder"), "upperarm02": ("upperarm01", "shoulder"),
        "lowerarm01": ("upperarm02", "elbow"), "lowerarm02": ("lowerarm01", "elbow"),
        "wrist": ("lowerarm02", "hand"), "finger2-1": ("wrist", "finger-2-1"),
        "upperleg01": ("root", "upper-leg"), "upperleg02": ("upperleg01", "upper-leg"),
        "lowerleg01": ("upperleg02", "knee"), "lowerleg02": ("lowerleg01", "knee"),
        "foot": ("lowerleg02", "ankle"),
    }  # fmt: skip
    bones = {"root": makehuman.Bone("", markers["pelvis"])}
    for prefix, suffix in (("l-", ".L"), ("r-", ".R")):
        for name, (parent, place) in chains.items():
            parent = parent if parent == "root" else parent + suffix
            bones[name + suffix] = makehuman.Bone(parent, markers[prefix + place])
    weights = rng.dirichlet(np.ones(len(bones)), len(places))
    points = np.array([*places.values()], float)
    no_faces = np.zeros([0, 4], int)
    human = makehuman.MakeHuman(points, no_faces, no_faces, markers, bones, weights, len(places))
    return human, points[None]


def test_cc0_body_t_pose_stretches_the_arms_and_keeps_every_length(rng):
    human, person = hanging_person(rng)
    posed = t_pose.pose(human, person, np.arange(len(human.vertices)))
    joints = dict(zip(skeleton.SMPL_JOINTS, posed.joints[0]))
    place = {name: human.vertices[index[0]] for name, index in human.markers.items()}
    for side, prefix, sign in (("left", "l-", 1), ("right", "r-", -1)):
        chain = [joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand")]
        directions = np.diff(chain, axis=0)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        np.testing.assert_allclose(directions, np.tile([sign, 0, 0], [3, 1]), atol=1e-6)
        for end, start, first, second in (
            ("elbow", "shoulder", "elbow", "shoulder"),
            ("wrist", "elbow", "hand", "elbow"),
            ("knee", "hip", "knee", "upper-leg"),
            ("ankle", "knee", "ankle", "knee"),
        ):
            length = np.linalg.norm(joints[f"{side}_{end}"] - joints[f"{side}_{start}"])
            before = np.linalg.norm(place[prefix + first] - place[prefix + second])
            assert length == pytest.approx(before)


def test_cc0_body_t_pose_is_mirror_symmetric_and_palms_look_down(rng):
    human, person = hanging_person(rng)
    one_bone = np.zeros_like(human.weights)
    one_bone[:, 0] = 1.0
    for side, suffix in (("l-", ".L"), ("r-", ".R")):
        fingers = [human.markers[f"{side}finger-{k}-1"][0] for k in (2, 3, 4, 5)]
        one_bone[fingers] = np.eye(len(human.bones))[list(human.bones).index("wrist" + suffix)]
    human = human._replace(weights=one_bone)
    posed = t_pose.pose(human, person, np.arange(len(human.vertices)))
    mirrored = posed.joints[0][list(skeleton.mirror(skeleton.SMPL_JOINTS))] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored, posed.joints[0], atol=1e-9)
    index, little = (posed.vertices[0, human.markers[f"l-finger-{k}-1"][0]] for k in (2, 5))
    assert little[2] < index[2]
    assert abs(little[1] - index[1]) < 1e-6


def rotated_points(human, person, bones, place):
    """The T-posed places of points that lie at `place` (3,) and follow one bone each."""
    one_hot = np.eye(len(human.bones))[[list(human.bones).index(bone) for bone in bones]]
    human = human._replace(weights=np.concatenate([human.weights, one_hot]))
    person = np.concatenate([person, np.tile(place, [1, len(bones), 1])], axis=1)
    posed = t_pose.pose(human, person, np.arange(person.shape[1] - len(bones), person.shape[1]))
    return posed.vertices[0], dict(zip(skeleton.SMPL_JOINTS, posed.joints[0]))


def test_cc0_body_t_pose_spreads_the_forearms_twist_evenly(rng):
    human, person = hanging_person(rng)
    bones = ("lowerarm01.L", "lowerarm02.L", "wrist.L")
    beside_wrist = human.vertices[human.markers["l-hand"][0]] + [0.3, 0.2, 0.1]
    posed, joints = rotated_points(human, person, bones, beside_wrist)
    offsets = posed - joints["left_wrist"]
    steps = np.diff(np.unwrap(np.arctan2(offsets[:, 2], offsets[:, 1])))
    assert steps[0] == pytest.approx(steps[1])
    assert abs(steps[0]) > 0.1


def test_cc0_body_t_pose_spreads_the_upper_arms_twist_evenly(rng):
    human, person = hanging_person(rng)
    shoulder, elbow = (human.vertices[human.markers[name][0]] for name in ("l-shoulder", "l-elbow"))
    offset = np.array([0.1, 0.2, 0.3])
    posed, joints = rotated_points(human, person, ("upperarm01.L", "upperarm02.L"), elbow + offset)
    # Without twist: the shortest way from the hanging arm to x.
    along = (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
    axis = np.cross(along, [1.0, 0, 0])
    angle = np.arccos(along[0])
    untwisted = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).apply(offset)
    offsets = np.concatenate([untwisted[None], posed - joints["left_elbow"]])
    steps = np.diff(np.unwrap(np.arctan2(offsets[:, 2], offsets[:, 1])))
    assert steps[0] == pytest.approx(steps[1])
    assert abs(steps[0]) > 0.1


def test_cc0_body_t_pose_rotates_the_inside_of_the_elbow_to_the_front(rng):
    human, person = hanging_person(rng)
    elbow, wrist = (human.vertices[human.markers[name][0]] for name in ("l-elbow", "l-hand"))
    inside = elbow + 0.1 * (wrist - elbow)
    posed, joints = rotated_points(human, person, ("upperarm02.L",), inside)
    offset = posed[0] - joints["left_elbow"]
    assert offset[2] > 0.05
    assert abs(offset[1]) < 1e-6


def test_cc0_body_every_bone_gives_its_skin_to_smpl_joints(rng):
    human, _ = hanging_person(rng)
    weights = t_pose.smpl_weights(human)
    np.testing.assert_allclose(weights.sum(1), 1.0)
    wrist = list(human.bones).index("wrist.R")
    only_wrist = human._replace(weights=np.eye(len(human.bones))[[wrist]])
    assert t_pose.smpl_weights(only_wrist)[0, J("right_wrist")] == 1.0
