import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.exporters.axes import from_y_up
from hmr_tf.exporters.mesh import write_obj, write_ply
from hmr_tf.exporters.smpl_npz import write_smpl_npz
from tests.fakes import other_programs
from tests.fakes.motions import walker


def read_ply(path):
    """Header lines, and the bytes after them."""
    header, _, content = path.read_bytes().partition(b"end_header\n")
    return header.decode("ascii").splitlines(), content


def test_ply_of_two_bodies_byte_by_byte(tmp_path):
    bodies = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    write_ply(tmp_path / "a.ply", bodies, [(0, 1, 2)])
    header, content = read_ply(tmp_path / "a.ply")
    assert header == [
        "ply",
        "format binary_little_endian 1.0",
        "element vertex 6",
        "property float x",
        "property float y",
        "property float z",
        "element face 2",
        "property list uchar int vertex_indices",
    ]
    np.testing.assert_array_equal(np.frombuffer(content[:72], "<f4"), bodies.ravel())
    faces = np.frombuffer(content[72:], [("n", "u1"), ("ids", "<i4", 3)])
    assert faces["n"].tolist() == [3, 3]
    assert faces["ids"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("up_axis", ["y", "z"])
def test_smpl_npz_poses_smpl(tmp_path, up_axis):
    model = body_model.read_model()
    person = walker(frames=3)
    write_smpl_npz(tmp_path / "a.npz", person, model, fps=25, up_axis=up_axis)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        content = dict(file)
    shapes = {name: array.shape for name, array in content.items()}
    assert shapes == {
        "poses": (3, 72),
        "betas": (10,),
        "trans": (3, 3),
        "mocap_framerate": (),
        "gender": (),
    }
    assert content["gender"] == "neutral"
    assert content["mocap_framerate"] == 25
    smpl = SMPL(model)
    betas = tf.constant(np.repeat(content["betas"][None], 3, axis=0), tf.float32)
    written = smpl(tf.constant(content["poses"].reshape(3, 24, 3), tf.float32), betas).vertices
    meant = smpl(tf.constant(person.rotations, tf.float32), betas).vertices
    meant = (meant + person.transl[:, None]) @ from_y_up(up_axis).T.astype(np.float32)
    np.testing.assert_allclose(written + content["trans"][:, None], meant, atol=1e-5)


def test_ply_is_read_by_blender(tmp_path, rng):
    bodies = rng.normal(size=(2, 5, 3))
    write_ply(tmp_path / "a.ply", bodies, [(0, 1, 2), (2, 3, 4)])
    (points,) = other_programs.read_with_blender(tmp_path / "a.ply").values()
    np.testing.assert_allclose(points, bodies.reshape(-1, 3), atol=1e-6)


def test_obj_counts_vertices_from_one(tmp_path):
    write_obj(tmp_path / "a.obj", [np.eye(3), np.eye(3)], np.array([[0, 1, 2]]))
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert [line for line in lines if line[0] in "of"] == [
        *("o person_0", "f 1 2 3"),
        *("o person_1", "f 4 5 6"),
    ]


def test_smpl_npz_refuses_a_name_without_its_ending(tmp_path):
    """numpy adds .npz to the name, so that another file than the given one would be written."""
    with pytest.raises(ValueError, match=r"path must end with \.npz; received .*anna"):
        write_smpl_npz(tmp_path / "anna", walker(frames=3), body_model.read_model())
    assert not list(tmp_path.iterdir())
