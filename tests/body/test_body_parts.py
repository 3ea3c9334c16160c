"""Body parts of the faces: from the skinning, from files, and refusals."""

import numpy as np
import pytest

from hmr_tf.body import body_model, body_parts
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.files.errors import InputError

LEFT_ARM, RIGHT_ARM, HEAD, LEFT_LEG, RIGHT_LEG, TORSO = range(1, 7)
FACES = np.array([[0, 1, 2], [0, 1, 3], [2, 3, 4]])


def test_parts_have_the_numbers_of_upi_s1h():
    assert body_parts.PARTS[1:] == (
        *("left_arm", "right_arm", "head"),
        *("left_leg", "right_leg", "torso"),
    )
    labels = dict(zip(SMPL_JOINTS, body_parts.joint_labels()))
    assert labels["left_elbow"] == LEFT_ARM
    assert labels["right_hand"] == RIGHT_ARM
    assert labels["neck"] == HEAD
    assert labels["left_knee"] == LEFT_LEG
    assert labels["right_foot"] == RIGHT_LEG
    assert labels["pelvis"] == labels["left_collar"] == TORSO


def test_parts_label_a_face_by_its_largest_weight():
    weights = np.zeros((3, 24))
    for vertex, shares in enumerate(
        [{"left_elbow": 1.0}, {"left_elbow": 0.2, "spine2": 0.8}, {"spine1": 0.5, "pelvis": 0.5}]
    ):
        for joint, share in shares.items():
            weights[vertex, SMPL_JOINTS.index(joint)] = share
    # Arm 1.2 against torso 1.8; twice the first corner: arm 2.2.
    labels = body_parts.face_labels_from_weights(weights, [[0, 1, 2], [0, 0, 1]])
    assert labels.tolist() == [TORSO, LEFT_ARM]


def test_parts_of_the_built_in_body_are_where_they_should_be():
    model = body_model.read_model()
    labels = body_parts.face_labels_from_weights(model.lbs_weights, model.faces)
    centre = model.v_template[model.faces].mean(1)
    mean = {label: centre[labels == label].mean(0) for label in range(1, 7)}
    assert mean[LEFT_ARM][0] > 0.3 > -0.3 > mean[RIGHT_ARM][0]
    assert mean[HEAD][1] > mean[TORSO][1] > mean[LEFT_LEG][1]
    assert mean[LEFT_LEG][0] > 0 > mean[RIGHT_LEG][0]
    counts = np.bincount(labels, minlength=7)
    assert counts[0] == 0
    assert counts[LEFT_ARM] == counts[RIGHT_ARM]
    assert counts[LEFT_LEG] == counts[RIGHT_LEG]


def test_part_labels_from_a_file_of_faces_or_vertices(tmp_path):
    np.save(tmp_path / "faces.npy", np.array([3, 6, 1]))
    assert body_parts.read_labels(tmp_path / "faces.npy", FACES).tolist() == [3, 6, 1]
    np.save(tmp_path / "vertices.npy", np.array([1, 6, 6, 2, 3], np.int64))
    # Two of three are 6; all differ: the first; 6, 2, 3: the first.
    labels = body_parts.read_labels(tmp_path / "vertices.npy", FACES)
    assert labels.tolist() == [6, 1, 6]


def test_part_labels_from_the_public_codes_files(tmp_path):
    """Each face has one colour in all its texels; floor(100 * colour) is a place in the cube."""
    cube = np.zeros((100, 92, 17))
    cube[12, 50, 3], cube[99, 91, 16], cube[0, 0, 0] = 2, 5, 4
    colors = np.array([[0.125, 0.505, 0.035], [0.999, 0.919, 0.169], [0.001, 0.002, 0.003]])
    texture = np.broadcast_to(colors[None, :, None, None, None], (1, 3, 2, 2, 2, 3))
    np.save(tmp_path / "cube_parts.npy", cube)
    np.save(tmp_path / "vertex_texture.npy", texture.astype(np.float32))
    assert body_parts.read_labels(tmp_path, FACES).tolist() == [2, 5, 4]
    np.save(tmp_path / "vertex_texture.npy", np.zeros((1, 3, 2, 2)))
    with pytest.raises(InputError, match="do not fit"):
        body_parts.read_labels(tmp_path, FACES)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([1, 2]), "has 2 numbers; the mesh has 3 faces and 5 vertices"),
        (np.array([0, 1, 2]), "from 1 to 6"),
        (np.array([1.5, 1, 2]), "from 1 to 6"),
        (np.array([[1, 2, 3]]), "from 1 to 6"),
        (np.array(["a", "b", "c"]), "from 1 to 6"),
        (np.array([{}], dtype=object), "from 1 to 6|holds"),
    ],
)
def test_part_labels_of_another_mesh_are_refused(tmp_path, labels, message):
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(InputError, match=message):
        body_parts.read_labels(tmp_path / "labels.npy", FACES)


def test_part_labels_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        body_parts.read_labels(tmp_path / "labels.npy", FACES)
    with pytest.raises(InputError, match=r"lacks vertex_texture\.npy and cube_parts\.npy"):
        body_parts.read_labels(tmp_path, FACES)
