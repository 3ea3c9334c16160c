import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body import body_model
from hmr_tf.body.body_model import rest_body
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.body.smpl import SMPL
from hmr_tf.exporters import bvh, motion
from hmr_tf.exporters.axes import from_y_up
from tests.fakes import other_programs
from tests.fakes.motions import walker


@pytest.fixture(scope="module")
def model():
    return body_model.read_model()


@pytest.fixture(scope="module")
def smpl(model):
    return SMPL(model)


def joints_of(smpl, person):
    """(N, 24, 3) where SMPL has the joints."""
    betas = tf.constant(np.repeat(person.betas[None], len(person.frames), axis=0), tf.float32)
    body = smpl.joints_only(tf.constant(person.rotations, tf.float32), betas)
    return body.smpl_joints.numpy() + person.transl[:, None]


def read(path):
    """Name -> parent and offset, in file order; (N, C) channels; seconds of a frame."""
    hierarchy, _, rest = path.read_text().partition("MOTION\n")
    tree, stack, name = {}, [], None
    for words in map(str.split, hierarchy.splitlines()):
        if words[0] in ("ROOT", "JOINT", "End"):
            name = words[1] if words[0] != "End" else f"end of {stack[-1]}"
        elif words[0] == "{":
            stack.append(name)
        elif words[0] == "}":
            stack.pop()
        elif words[0] == "OFFSET":
            parent = stack[-2] if len(stack) > 1 else None
            tree[name] = (parent, np.array(words[1:], float))
    count, seconds, *rows = rest.splitlines()
    rows = np.array([row.split() for row in rows], float)
    assert count == f"Frames: {len(rows)}"
    return tree, rows, float(seconds.split(":")[1])


def forward(tree, rows):
    """Name -> (N, 3): positions as the format defines them; Z, X, Y rotations after another."""
    joints = [name for name in tree if not name.startswith("end")]
    angles = dict(zip(joints, np.moveaxis(rows[:, 3:].reshape(len(rows), -1, 3), 1, 0)))
    places, rotations = {}, {}
    for name in joints:
        parent, offset = tree[name]
        local = Rotation.from_euler("ZXY", angles[name], degrees=True).as_matrix()
        places[name] = (
            rows[:, :3] if parent is None else places[parent] + rotations[parent] @ offset
        )
        rotations[name] = local if parent is None else rotations[parent] @ local
    return places


@pytest.mark.parametrize("up_axis", ["y", "z"])
def test_bvh_angles_lead_to_smpls_joints(model, smpl, tmp_path, up_axis):
    person = walker(frames=6)
    bvh.write_bvh(tmp_path / "a.bvh", person, model, fps=25, up_axis=up_axis)
    tree, rows, seconds = read(tmp_path / "a.bvh")
    assert seconds == 1 / 25
    places = forward(tree, rows)
    assert set(places) == set(SMPL_JOINTS)
    expected = joints_of(smpl, person) @ from_y_up(up_axis).T
    for joint, name in enumerate(SMPL_JOINTS):
        np.testing.assert_allclose(places[name] / 100, expected[:, joint], atol=1e-5)


@pytest.mark.parametrize(("up_axis", "up"), [("y", 1), ("z", 2)])
def test_bvh_skeleton_at_rest_stands_up(model, tmp_path, up_axis, up):
    bvh.write_bvh(tmp_path / "a.bvh", walker(frames=1), model, up_axis=up_axis, units_per_metre=1)
    tree, rows, _ = read(tmp_path / "a.bvh")
    rest = forward(tree, np.zeros_like(rows))
    assert rest["head"][0, up] - rest["left_ankle"][0, up] > 1
    assert np.abs(rest["left_wrist"][0, up] - rest["right_wrist"][0, up]) < 1e-5


def test_bvh_offsets_are_those_of_the_persons_shape(model, tmp_path):
    person = walker(frames=1)
    bvh.write_bvh(tmp_path / "a.bvh", person, model, units_per_metre=1)
    tree, _, _ = read(tmp_path / "a.bvh")
    joints = dict(zip(SMPL_JOINTS, rest_body(model, person.betas)[1]))
    for name, (parent, offset) in tree.items():
        if parent and not name.startswith("end"):
            np.testing.assert_allclose(offset, joints[name] - joints[parent], atol=1e-6)
    assert sum(name.startswith("end") for name in tree) == 5  # hands, feet, head


def test_bvh_angles_continue_past_180_degrees(model, tmp_path):
    poses = np.zeros((40, 24, 3))
    poses[:, 0, 1] = np.linspace(0, 4 * np.pi, 40)
    poses[:, 3, 0] = np.linspace(0, np.pi, 40)  # through the pole of x
    bvh.write_bvh(tmp_path / "a.bvh", motion.from_arrays("a", np.zeros(10), poses), model)
    _, rows, _ = read(tmp_path / "a.bvh")
    assert np.abs(np.diff(rows[:, 3:], axis=0)).max() < 20  # 18.5 degrees a frame
    assert rows[-1, 5] == pytest.approx(720, abs=1e-3)


def test_bvh_fills_missing_frames(model, tmp_path):
    person = walker(frames=5)
    gap = motion.from_arrays("a", person.betas, person.rotations, person.transl, [2, 3, 7, 8, 9])
    bvh.write_bvh(tmp_path / "a.bvh", gap, model)
    assert len(read(tmp_path / "a.bvh")[1]) == 8


@pytest.mark.parametrize("options", [{"fps": 0}, {"fps": np.nan}, {"up_axis": "x"}])
def test_bvh_refuses_a_bad_rate_or_axis_and_leaves_no_file(model, tmp_path, options):
    with pytest.raises(ValueError, match=r"fps|up_axis"):
        bvh.write_bvh(tmp_path / "a.bvh", walker(frames=1), model, **options)
    assert not list(tmp_path.iterdir())


def test_bvh_read_by_bvhio_has_the_same_joints(model, smpl, tmp_path):
    bvhio = pytest.importorskip("bvhio", reason="bvhio is not installed: tests/requirements.txt")
    person = walker(frames=6)
    bvh.write_bvh(tmp_path / "a.bvh", person, model, fps=25)
    skeleton = bvhio.readAsHierarchy(str(tmp_path / "a.bvh"))
    expected = joints_of(smpl, person)
    for frame in range(6):
        skeleton.loadPose(frame)
        places = {joint.Name: np.array(joint.PositionWorld) for joint, _, _ in skeleton.layout()}
        ours = np.stack([places[name] for name in SMPL_JOINTS]) / 100
        np.testing.assert_allclose(ours, expected[frame], atol=1e-5)


def test_bvh_read_by_blender_has_the_same_joints(model, smpl, tmp_path):
    person = walker(frames=6)
    bvh.write_bvh(tmp_path / "a.bvh", person, model, fps=24)
    points = other_programs.read_with_blender(tmp_path / "a.bvh", frame=4)  # it counts from 1
    expected = joints_of(smpl, person)[3] @ from_y_up("z").T
    ours = [points[f"a/{name}"] for name in SMPL_JOINTS]
    np.testing.assert_allclose(ours, expected, atol=1e-5)
