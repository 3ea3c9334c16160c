"""CMU's motions as SMPL poses: known ones, mirrored ones, bones where they should be; bad files."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_prep.reader_items import MocapPose, Skipped
from data_prep.readers import cmu
from data_prep.readers.formats import asf_amc
from hmr_tf.body import skeleton
from hmr_tf.files.errors import InputError
from tests.fakes import cmu_fakes


def pose_of(folder, frame, bones=None):
    """{joint: axis-angle in degrees, rounded} of the joints that are not at rest."""
    poses, betas = cmu.read_file(cmu_fakes.write(folder, [frame], bones))
    assert poses.shape == (1, 72)
    np.testing.assert_array_equal(betas, np.zeros(10))
    degrees = np.degrees(poses.reshape(24, 3))
    joints = zip(skeleton.SMPL_JOINTS, np.round(degrees, 6).tolist())
    return {name: angles for name, angles in joints if np.any(np.abs(angles) > 1e-6)}


def test_cmu_t_pose_is_the_zero_pose(tmp_path):
    assert pose_of(tmp_path, {}) == {}


def test_cmu_t_pose_of_a_skeleton_that_rests_otherwise_is_the_zero_pose(tmp_path):
    """CMU's skeletons rest with their legs 20 degrees apart; this one's arms hang, too."""
    bones = cmu_fakes.bones()
    sine, cosine = np.sin(np.radians(20)), np.cos(np.radians(20))
    for side, sign in cmu_fakes.SIDES.items():
        for name in ("femur", "tibia"):
            bones[side + name][1:3] = (sign * sine, -cosine, 0), (0, 0, sign * 20)
        for name in ("humerus", "radius", "wrist", "hand", "fingers"):
            bones[side + name][1] = (sign * cosine, -sine, 0)
    frame = {"lfemur": [0, 0, -20], "rfemur": [0, 0, 20]}
    assert set(pose_of(tmp_path, {}, bones)) == {
        *("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    }
    frame.update(lhumerus=[0, 0, 20], rhumerus=[0, 0, -20])
    assert pose_of(tmp_path, frame, bones) == {}


@pytest.mark.parametrize(
    ("frame", "joint", "angles"),
    [
        ({"lradius": [-90]}, "left_elbow", [0, -90, 0]),
        ({"rradius": [90]}, "right_elbow", [0, 90, 0]),
        ({"rtibia": [75]}, "right_knee", [75, 0, 0]),
        ({"lfemur": [-80, 0, 0]}, "left_hip", [-80, 0, 0]),
        ({"lhumerus": [0, 0, -70]}, "left_shoulder", [0, 0, -70]),
        ({"rclavicle": [0, 10]}, "right_collar", [0, 0, 10]),
        ({"lfoot": [-30, 0]}, "left_ankle", [-30, 0, 0]),
        ({"rtoes": [20]}, "right_foot", [20, 0, 0]),
        ({"lwrist": [15]}, "left_wrist", [15, 0, 0]),
        ({"rfingers": [15]}, "right_hand", [0, 0, 15]),
        ({"lowerback": [5, 0, 0]}, "spine1", [5, 0, 0]),
        ({"upperback": [5, 0, 0]}, "spine2", [5, 0, 0]),
        ({"thorax": [0, 5, 0]}, "spine3", [0, 5, 0]),
        ({"lowerneck": [5, 0, 0]}, "neck", [5, 0, 0]),
        ({"upperneck": [5, 0, 0]}, "neck", [5, 0, 0]),
        ({"head": [0, 0, 5]}, "head", [0, 0, 5]),
        ({"root": [3, 17, 5, 0, 90, 0]}, "pelvis", [0, 90, 0]),
    ],
)
def test_cmu_each_bone_rotates_its_joint(frame, joint, angles, tmp_path):
    assert pose_of(tmp_path, frame) == {joint: angles}


def test_cmu_bone_rotates_about_its_local_axes(tmp_path):
    """In CMU's files elbows bend about x, which their axes lay along the global -y or so."""
    bones = cmu_fakes.bones()
    bones["lradius"][2:] = (0, 0, 90), "rx"  # its x is the global y
    assert pose_of(tmp_path, {"lradius": [-90]}, bones) == {"left_elbow": [0, -90, 0]}
    bones["lradius"][2:] = (0, 90, 0), "rz"  # its z is the global x: it twists
    assert pose_of(tmp_path, {"lradius": [40]}, bones) == {"left_elbow": [40, 0, 0]}


def test_cmu_rotations_follow_each_other_about_fixed_axes(tmp_path):
    pose = pose_of(tmp_path, {"root": [0, 0, 0, 30, 40, 50]})["pelvis"]
    x, y, z = (
        Rotation.from_rotvec(np.radians(np.diag([30, 40, 50])[i])).as_matrix() for i in range(3)
    )
    rotations = Rotation.from_rotvec(np.radians(pose)).as_matrix()
    np.testing.assert_allclose(rotations, z @ y @ x, atol=1e-6)


def random_frame(rng, bones):
    frame = {name: rng.uniform(-50, 50, len(b[3].split())) for name, b in bones.items() if b[3]}
    return {"root": rng.uniform(-50, 50, 6), **frame}


def test_cmu_mirrored_motion_is_the_mirrored_pose(tmp_path, rng):
    bones = cmu_fakes.bones()
    frame = random_frame(rng, bones)
    signs = {"rx": 1, "ry": -1, "rz": -1}
    mirrored = {"root": frame["root"] * [-1, 1, 1, 1, -1, -1]}
    for name, bone in bones.items():
        other = {"l": "r", "r": "l"}.get(name[0], name[0]) + name[1:]
        other = name if other not in bones else other
        if bone[3]:
            mirrored[other] = frame[name] * [signs[axis] for axis in bone[3].split()]
    pose, reflected = (
        cmu.read_file(cmu_fakes.write(tmp_path, [f]))[0].reshape(24, 3) for f in (frame, mirrored)
    )
    swapped = pose[list(skeleton.mirror(skeleton.SMPL_JOINTS))] * [1, -1, -1]
    assert np.abs(pose).max() > 0.5
    np.testing.assert_allclose(reflected, swapped, atol=1e-9)


def test_cmu_smpls_bones_point_where_the_files_do(tmp_path, rng):
    """Posed by SMPL's rule, arms and legs of a random skeleton lie along the file's bones."""
    bones = cmu_fakes.bones()
    for name, bone in bones.items():
        bone[2] = tuple(rng.uniform(-90, 90, 3))
        if name[1:] in ("femur", "tibia", "humerus", "radius"):
            bone[1] = tuple(rng.normal(size=3))
    path = cmu_fakes.write(tmp_path, [random_frame(rng, bones) for _ in range(6)], bones)
    asf = asf_amc.read_skeleton(tmp_path / "01.asf")
    motion = asf_amc.read_motion(path, asf, range)
    theirs = asf_amc.global_rotations(asf, motion)
    local = Rotation.from_rotvec(cmu.smpl_poses(asf, motion).reshape(-1, 3)).as_matrix()
    local = local.reshape(6, 24, 3, 3)
    ours = []
    for joint, parent in enumerate(skeleton.SMPL_PARENTS):
        ours.append(local[:, joint] if parent < 0 else ours[parent] @ local[:, joint])
    for joint, bone, rest in (
        ("left_shoulder", "lhumerus", [1, 0, 0]),
        ("right_elbow", "rradius", [-1, 0, 0]),
        ("left_hip", "lfemur", [0, -1, 0]),
        ("right_knee", "rtibia", [0, -1, 0]),
    ):
        direction = ours[skeleton.SMPL_JOINTS.index(joint)] @ rest
        np.testing.assert_allclose(
            direction, theirs[bone].apply(asf.bones[bone].direction), atol=1e-9
        )


def test_cmu_25_hz_of_120(tmp_path):
    frames = [{"ltibia": [number]} for number in range(24)]
    poses, _ = cmu.read_file(cmu_fakes.write(tmp_path, frames))
    knee = np.degrees(poses.reshape(-1, 24, 3)[:, skeleton.SMPL_JOINTS.index("left_knee"), 0])
    np.testing.assert_allclose(knee, [0, 5, 10, 14, 19], atol=1e-9)


def test_cmu_all_motions_of_a_folder_come_out_once_in_shuffled_order(tmp_path):
    for subject in ("01", "02"):
        for take in ("01", "02"):
            frames = [{"ltibia": [int(subject + take)]}] * 5
            cmu_fakes.write(tmp_path / "subjects" / subject, frames, name=f"{subject}_{take}")
    read = [list(cmu.read(tmp_path, seed)["neutrSMPL_CMU"]) for seed in (0, 0, 1)]
    poses = [np.array([item.pose for item in items]) for items in read]
    assert all(isinstance(item, MocapPose) for item in read[0])
    np.testing.assert_array_equal(poses[0], poses[1])
    assert len(np.unique(poses[0], axis=0)) == 4
    assert not np.array_equal(poses[0], poses[2])


def test_cmu_joints_without_a_bone_stay_at_rest(tmp_path):
    bones = {n: b for n, b in cmu_fakes.bones().items() if n[1:] not in ("fingers", "toes", "hand")}
    assert pose_of(tmp_path, {"lwrist": [15]}, bones) == {}
    del bones["ltibia"], bones["lfoot"]
    with pytest.raises(InputError, match="the skeleton has no ltibia"):
        pose_of(tmp_path, {}, bones)


@pytest.mark.parametrize("head", [":RADIANS", ":FULLY-SPECIFIED"])
def test_cmu_radians(head, tmp_path):
    bones = cmu_fakes.bones()
    bones["lradius"][2:] = (0, 0, np.pi / 2), "rx"
    (tmp_path / "01.asf").write_text(cmu_fakes.asf_text(bones, angle="rad"))
    path = tmp_path / "01_01.amc"
    path.write_text(cmu_fakes.amc_text(bones, [{"lradius": [-np.pi / 2]}], head))
    pose = cmu.read_file(path)[0].reshape(24, 3)
    elbow = pose[skeleton.SMPL_JOINTS.index("left_elbow")]
    np.testing.assert_allclose(elbow, [0, -np.pi / 2, 0], atol=1e-9)


ASF_FAULTS = {
    "empty": ("", "not a readable Acclaim skeleton: it has no root"),
    "no bones": (":root\norder RX\n:bonedata\n:hierarchy\n", "0 blocks"),
    "direction": ("direction 1 0 0", "direction 0 0 0", "direction"),
    "NaN direction": ("direction 1 0 0", "direction nan 0 0", "direction"),
    "axes": ("axis 0 0 0 XYZ", "axis 0 0 0 XYQ", "axis .*XYQ"),
    "one axis": ("axis 0 0 0 XYZ", "axis 0 0 0 X", "axis .*X"),
    "channels": ("dof rx ry rz", "dof rx rx rz", "degrees of freedom rx rx rz"),
    "other channels": ("dof rx ry rz", "dof a b", "degrees of freedom a b"),
    "two parents": ("lfemur ltibia", "lfemur ltibia ltibia", "ltibia below lfemur"),
    "unknown bone": ("lfemur ltibia", "lfemur x", "x below lfemur"),
    "a rotated root": ("orientation 0 0 0", "orientation 0 90 0", "the root is rotated"),
    "no end": (":hierarchy\nbegin", ":hierarchy", "an end without a begin"),
}


@pytest.mark.parametrize("fault", ASF_FAULTS)
def test_cmu_broken_skeleton_is_refused(fault, tmp_path):
    path = cmu_fakes.write(tmp_path, [{}])
    *change, message = ASF_FAULTS[fault]
    text = (tmp_path / "01.asf").read_text()
    assert len(change) == 1 or change[0] in text
    text = change[0] if len(change) == 1 else text.replace(*change)
    (tmp_path / "01.asf").write_text(text)
    with pytest.raises(InputError, match=rf"01\.asf .*{message}"):
        cmu.read_file(path)


AMC_FAULTS = {
    "no frames": (":DEGREES\n1\n", ":DEGREES\n", "holds no Acclaim frame"),
    "no bone": ("ltibia 0\n", "", "frame 1: ltibia is missing"),
    "too few numbers": ("root 0 0 0 0 0 0", "root 0 0", "frame 1: root has not 6 numbers"),
    "text": ("ltibia 0", "ltibia x", "frame 1: ltibia has something that is not a number"),
    "NaN": ("ltibia 0", "ltibia nan", "frame 1: ltibia has not 1 numbers"),
}


@pytest.mark.parametrize("fault", AMC_FAULTS)
def test_cmu_broken_motion_is_counted_and_the_others_read(fault, tmp_path):
    cmu_fakes.write(tmp_path, [{}], name="01_02")
    path = cmu_fakes.write(tmp_path, [{}])
    before, after, message = AMC_FAULTS[fault]
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InputError, match=message):
        cmu.read_file(path)
    items = list(cmu.read(tmp_path, 0)["neutrSMPL_CMU"])
    assert [type(item) for item in items] == [Skipped, MocapPose]
    assert items[0].reason == "motion unreadable"
    assert "01_01.amc" in items[0].where


def test_cmu_hierarchy_in_a_circle_leaves_those_bones_out(tmp_path):
    path = cmu_fakes.write(tmp_path, [{}])
    text = (tmp_path / "01.asf").read_text()
    (tmp_path / "01.asf").write_text(text.replace("lhipjoint lfemur\n", "ltibia lfemur\n"))
    with pytest.raises(InputError, match="the skeleton has no lfemur, ltibia"):
        cmu.read_file(path)


def test_cmu_motion_without_its_skeleton(tmp_path):
    path = cmu_fakes.write(tmp_path, [{}])
    (tmp_path / "01.asf").rename(tmp_path / "body.asf")
    assert len(cmu.read_file(path)[0]) == 1  # the only one there
    (tmp_path / "other.asf").write_text("")
    with pytest.raises(InputError, match=r"its folder has 2 skeletons \(\.asf\)"):
        cmu.read_file(path)
    with pytest.raises(InputError, match=r"no \.amc files"):
        cmu.read(tmp_path / "none", 0)


def test_cmu_extensions_in_capitals_and_hidden_files(tmp_path):
    path = cmu_fakes.write(tmp_path, [{}] * 3)
    path.rename(tmp_path / "01_01.AMC")
    (tmp_path / "01.asf").rename(tmp_path / "body.ASF")
    hidden = [tmp_path / name for name in ("._01_01.amc", "._body.asf")]
    for file in hidden:
        file.write_bytes(b"\0\5\x16\7")
    items = list(cmu.read(tmp_path, 0)["neutrSMPL_CMU"])
    assert items[:2] == [Skipped("hidden file", str(file)) for file in hidden]
    assert [type(item) for item in items[2:]] == [MocapPose]
