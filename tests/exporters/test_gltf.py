import json

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body import body_model
from hmr_tf.body.body_model import rest_body
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.body.smpl import SMPL
from hmr_tf.exporters import motion
from hmr_tf.exporters.axes import from_y_up
from hmr_tf.exporters.gltf import glb
from tests.fakes import other_programs, tiny_body
from tests.fakes.gltf_reader import Glb
from tests.fakes.motions import walker

FPS = 24.0  # Blender's default


@pytest.fixture(scope="module")
def model():
    return body_model.read_model()


@pytest.fixture(scope="module")
def smpl(model):
    return SMPL(model)


@pytest.fixture(scope="module")
def plain_smpl(model):
    """Without pose blend shapes: what a skin can show."""
    return SMPL(model._replace(posedirs=np.zeros_like(model.posedirs)))


def vertices_of(layer, person, frame):
    """(V, 3) as SMPL poses the person in that row of the motion."""
    betas = tf.constant(person.betas[None], tf.float32)
    body = layer(tf.constant(person.rotations[frame][None], tf.float32), betas)
    return body.vertices[0].numpy() + person.transl[frame]


@pytest.fixture(scope="module")
def two_people(model):
    """Two people; the second is there from frame 3 to frame 8 of 12."""
    people = [walker(), walker("person_1", 6, seed=1, start=3)]
    return people, glb.glb(people, model, fps=FPS)


@pytest.mark.parametrize("frame", [0, 4, 8])
def test_gltf_skin_is_smpls(two_people, plain_smpl, frame):
    (first, second), content = two_people
    meshes = Glb(content).skinned(frame / FPS)
    np.testing.assert_allclose(meshes[0], vertices_of(plain_smpl, first, frame), atol=1e-5)
    if frame >= second.frames[0]:
        expected = vertices_of(plain_smpl, second, frame - second.frames[0])
        np.testing.assert_allclose(meshes[1], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("frame", "there"), [(0, False), (2, False), (3, True), (8, True), (9, False)]
)
def test_gltf_absent_people_are_scaled_to_zero(two_people, frame, there):
    _, content = two_people
    size = np.ptp(Glb(content).skinned(frame / FPS)[1], axis=0).max()
    assert size > 1 if there else size < 1e-6


def test_gltf_at_rest_shows_the_first_frame(two_people, plain_smpl):
    people, content = two_people
    for person, vertices in zip(people, Glb(content).skinned()):
        np.testing.assert_allclose(vertices, vertices_of(plain_smpl, person, 0), atol=1e-5)


def test_gltf_animates_the_pelvis_and_rotations_take_the_short_way(two_people, model):
    (person, _), content = two_people
    file = Glb(content)
    animation = file.document["animations"][0]
    pelvis = file.node("pelvis")[0]
    outputs = {
        (channel["target"]["node"], channel["target"]["path"]): file.array(
            animation["samplers"][channel["sampler"]]["output"]
        )
        for channel in animation["channels"]
    }
    expected = person.transl + rest_body(model, person.betas)[1][0]
    np.testing.assert_allclose(outputs[pelvis, "translation"], expected, atol=1e-6)
    for (_, path), values in outputs.items():
        if path == "rotation":
            assert (np.sum(values[1:] * values[:-1], axis=1) > 0).all()


def test_gltf_blends_rotations_past_180_degrees(model):
    angles = np.radians([170, 178, 186, 194])
    poses = np.zeros((4, 24, 3))
    poses[:, 0, 1] = angles
    file = Glb(glb.glb([motion.from_arrays("a", np.zeros(10), poses)], model, fps=1))
    for seconds, angle in ((0, 170), (1.5, 182), (2.5, 190)):
        rotation = Rotation.from_quat(file.posed(seconds)[file.node("pelvis")[0]]["rotation"])
        expected = Rotation.from_rotvec([0, np.radians(angle), 0])
        assert (rotation * expected.inv()).magnitude() < 1e-3


def test_gltf_joints_have_smpls_names_and_rest_places(two_people, model):
    people, content = two_people
    file = Glb(content)
    nodes = file.document["nodes"]
    for person, skin in zip(people, file.document["skins"]):
        assert tuple(nodes[joint]["name"] for joint in skin["joints"]) == SMPL_JOINTS
        inverse = file.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        places = np.linalg.inv(inverse)[:, :3, 3]
        np.testing.assert_allclose(places, rest_body(model, person.betas)[1], atol=1e-6)


def test_gltf_mesh_has_the_betas(two_people, model):
    people, content = two_people
    file = Glb(content)
    for person, mesh in zip(people, file.document["meshes"]):
        points = file.array(mesh["primitives"][0]["attributes"]["POSITION"])
        np.testing.assert_allclose(points, rest_body(model, person.betas)[0], atol=1e-6)
        assert mesh["extras"]["betas"] == person.betas.tolist()


def test_gltf_people_share_faces_and_weights(two_people):
    primitives = [mesh["primitives"][0] for mesh in Glb(two_people[1]).document["meshes"]]
    assert primitives[0]["indices"] == primitives[1]["indices"]
    assert primitives[0]["attributes"]["WEIGHTS_0"] == primitives[1]["attributes"]["WEIGHTS_0"]


def test_gltf_of_one_frame_has_no_animation(model, plain_smpl):
    person = walker(frames=1, start=40)
    file = Glb(glb.glb([person], model))
    assert "animations" not in file.document
    np.testing.assert_allclose(file.skinned()[0], vertices_of(plain_smpl, person, 0), atol=1e-5)


def morph_weights(file):
    """(N, T) of the first person's animation."""
    animation = file.document["animations"][0]
    (channel,) = (c for c in animation["channels"] if c["target"]["path"] == "weights")
    sampler = animation["samplers"][channel["sampler"]]
    return file.array(sampler["output"]).reshape(len(file.array(sampler["input"])), -1)


def test_gltf_pose_morphs_make_every_frame_exact(model, smpl):
    person = walker(frames=5)
    file = Glb(glb.glb([person], model, fps=FPS, pose_morphs=5))
    for frame, weights in enumerate(morph_weights(file)):
        assert (weights >= -1e-6).all()  # Blender cuts what is not between 0 and 1
        assert (weights <= 1 + 1e-6).all()
        ours = file.skinned(frame / FPS)[0]
        np.testing.assert_allclose(ours, vertices_of(smpl, person, frame), atol=1e-5)


def test_gltf_one_pose_morph_makes_a_still_exact(model, smpl):
    person = walker(frames=1)
    file = Glb(glb.glb([person], model, pose_morphs=1))
    np.testing.assert_allclose(file.skinned()[0], vertices_of(smpl, person, 0), atol=1e-5)


def test_gltf_more_pose_morphs_come_nearer(model, smpl):
    person = walker(frames=8)

    def error(number):
        file = Glb(glb.glb([person], model, fps=FPS, pose_morphs=number))
        truth = vertices_of(smpl, person, 3)
        return np.linalg.norm(file.skinned(3 / FPS)[0] - truth, axis=1).mean()

    errors = [error(number) for number in (0, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 1e-3
    assert errors[-1] < 1e-6


def test_gltf_shape_morphs_are_smpls_betas(model):
    person = walker(frames=2)
    file = Glb(glb.glb([person], model, shape_morphs=True, pose_morphs=1))
    mesh = file.document["meshes"][0]
    assert mesh["extras"]["targetNames"] == [*(f"beta{i}" for i in range(10)), "pose0"]
    assert mesh["weights"][:10] == [0] * 10
    primitive = mesh["primitives"][0]
    rest = file.array(primitive["attributes"]["POSITION"])
    taller = rest + 2 * file.array(primitive["targets"][0]["POSITION"])
    expected = rest_body(model, person.betas + 2 * np.eye(10)[0])[0]
    np.testing.assert_allclose(taller, expected, atol=1e-6)


def test_gltf_keeps_the_four_largest_weights_of_a_vertex(tmp_path):
    model = body_model.read_model(tiny_body.write(tmp_path / "body.npz"))
    file = Glb(glb.glb([walker(frames=2)], model))
    attributes = file.document["meshes"][0]["primitives"][0]["attributes"]
    weights, joints = (file.array(attributes[name]) for name in ("WEIGHTS_0", "JOINTS_0"))
    np.testing.assert_allclose(weights.sum(1, dtype=float), 1, atol=1e-7)
    order = np.sort(np.argsort(-model.lbs_weights, axis=1)[:, :4], axis=1)
    np.testing.assert_array_equal(np.sort(joints, axis=1), order)
    normals = file.array(attributes["NORMAL"])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("people", "fps"), [([], 30), ([walker(frames=1)], 0)])
def test_gltf_refuses_no_people_and_no_rate(model, people, fps):
    with pytest.raises(ValueError, match="must not be empty and fps must be positive"):
        glb.glb(people, model, fps=fps)


FILES = {
    "still": ([walker(frames=1)], {}),
    "two_people": ([walker(), walker("person_1", 4, seed=1, start=3)], {}),
    "every_morph": ([walker(frames=4)], {"shape_morphs": True, "pose_morphs": 4}),
}


def write(folder, name, model):
    people, options = FILES[name]
    path = folder / f"{name}.glb"
    glb.write_glb(path, people, model, fps=FPS, **options)
    return path


def test_gltf_passes_the_khronos_validator(model, tmp_path):
    paths = [write(tmp_path, name, model) for name in FILES]
    reports = other_programs.run_node("gltf_validate.cjs", "gltf-validator", *paths).splitlines()
    assert len(reports) == len(paths)
    for report in map(json.loads, reports):
        assert (report["numErrors"], report["numWarnings"]) == (0, 0), report["messages"]


@pytest.mark.parametrize(
    ("name", "frame"), [("still", 0), ("two_people", 5), ("every_morph", 2), ("every_morph", 3)]
)
def test_gltf_read_by_three_js_is_skinned_alike(model, smpl, plain_smpl, tmp_path, name, frame):
    people, options = FILES[name]
    path = write(tmp_path, name, model)
    output = other_programs.run_node("three_skin.cjs", "three", path, frame / FPS)
    meshes = np.frombuffer(output).reshape(len(people), -1, 3)
    layer = smpl if "pose_morphs" in options else plain_smpl
    for vertices, person in zip(meshes, people):
        expected = vertices_of(layer, person, frame - person.frames[0])
        np.testing.assert_allclose(vertices, expected, atol=1e-5)


@pytest.mark.parametrize(("name", "frame"), [("two_people", 5), ("every_morph", 2)])
def test_gltf_read_by_blender_is_skinned_alike(model, smpl, plain_smpl, tmp_path, name, frame):
    people, options = FILES[name]
    objects = other_programs.read_with_blender(write(tmp_path, name, model), frame)
    meshes = [points for points in objects.values() if len(points) == len(model.v_template)]
    assert len(meshes) == len(people)
    layer = smpl if "pose_morphs" in options else plain_smpl
    for vertices, person in zip(meshes, people):
        expected = vertices_of(layer, person, frame - person.frames[0]) @ from_y_up("z").T
        np.testing.assert_allclose(vertices, expected, atol=1e-5)
        assert sum(key.startswith(f"{person.name}/") for key in objects) == len(SMPL_JOINTS)
