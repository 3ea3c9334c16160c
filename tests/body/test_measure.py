"""Lengths and girths: exact on simple bodies, plausible and invariant on the built-in one."""

import numpy as np
import pytest

from hmr_tf.body import body_model
from hmr_tf.body.body_model import rest_body
from hmr_tf.body.measure import measure, measure_shape
from hmr_tf.body.skeleton import SMPL_JOINTS, mirror

NAMES = {"height", "chest", "waist", "hips", "arm", "leg"}
# A person of simple bodies: where the joints are, on both sides alike.
MIDDLE = {"pelvis": 0.9, "spine1": 1.0, "spine2": 1.1, "spine3": 1.2, "neck": 1.4, "head": 1.5}
LEFT = {
    "hip": (0.1, 0.8), "knee": (0.1, 0.45), "ankle": (0.1, 0.1), "foot": (0.1, 0.05),
    "collar": (0.05, 1.35), "shoulder": (0.2, 1.35), "elbow": (0.45, 1.35), "wrist": (0.65, 1.35),
    "hand": (0.75, 1.35),
}  # fmt: skip


def joints():
    places = {name: (0, y, 0) for name, y in MIDDLE.items()}
    for name, (x, y) in LEFT.items():
        places[f"left_{name}"], places[f"right_{name}"] = (x, y, 0), (-x, y, 0)
    return np.array([places[name] for name in SMPL_JOINTS], float)


def column(profile, corners, radius=1.0):
    """A trunk whose outline is a regular polygon: {height: radius} rings; vertices and faces."""
    angles = 2 * np.pi * np.arange(corners) / corners
    rings = [
        np.stack([r * radius * np.cos(angles), np.full(corners, y), r * radius * np.sin(angles)], 1)
        for y, r in profile.items()
    ]
    faces = []
    for ring in range(len(rings) - 1):
        for i in range(corners):
            a, b = ring * corners + i, ring * corners + (i + 1) % corners
            faces += [(a, a + corners, b), (b, a + corners, b + corners)]
    return np.concatenate(rings), np.array(faces)


def following(name, number):
    """(V, 24) weights of vertices that follow one joint only."""
    return np.tile(np.eye(24)[SMPL_JOINTS.index(name)], (number, 1))


def around(corners, radius):
    return corners * 2 * radius * np.sin(np.pi / corners)


@pytest.mark.parametrize("corners", [3, 4, 96])
def test_measure_is_exact_on_columns(corners):
    vertices, faces = column({0.0: 1, 0.7: 1, 1.7: 1}, corners, radius=0.16)
    measured = measure(vertices, joints(), faces, following("pelvis", len(vertices)))
    assert set(measured) == NAMES
    for name in ("chest", "waist", "hips"):
        assert measured[name].metres == pytest.approx(around(corners, 0.16), rel=1e-12)
    assert measured["height"].metres == pytest.approx(1.7)
    assert measured["arm"].metres == pytest.approx(0.25 + 0.20)
    assert measured["leg"].metres == pytest.approx(0.8)


def test_measure_takes_each_girth_at_its_height():
    # Widest between spine2 and spine3, narrowest between spine1 and spine2, widest at the hips.
    profile = {0: 0.1, 0.73: 0.1, 0.815: 0.2, 0.99: 0.12, 1.05: 0.11, 1.15: 0.18, 1.4: 0.05}
    vertices, faces = column(profile, 64)
    measured = measure(vertices, joints(), faces, following("spine1", len(vertices)))
    for name, y, radius in (("hips", 0.815, 0.2), ("waist", 1.05, 0.11), ("chest", 1.15, 0.18)):
        line = measured[name].lines[0]
        assert np.ptp(line[:, 1]) < 1e-12
        assert line[0, 1] == pytest.approx(y, abs=1e-9)
        assert measured[name].metres == pytest.approx(around(64, radius), rel=1e-9)
        drawn = np.linalg.norm(np.diff(line, axis=0), axis=1).sum()
        assert drawn == pytest.approx(measured[name].metres)


def test_measure_leaves_out_the_arms():
    trunk, faces = column({0: 0.15, 1.1: 0.15, 1.4: 0.3}, 16)
    arm, arm_faces = column({1.16: 1, 1.3: 1}, 8, radius=0.2)
    vertices = np.concatenate([trunk, arm + np.array([0.5, 0, 0])])
    faces = np.concatenate([faces, arm_faces + len(trunk)])
    weights = np.concatenate(
        [following("spine2", len(trunk)), following("left_shoulder", len(arm))]
    )
    chest = measure(vertices, joints(), faces, weights)["chest"]
    assert chest.lines[0][0, 1] == pytest.approx(1.16)  # the armpit
    assert chest.metres == pytest.approx(around(16, 0.15 + 0.15 * 0.06 / 0.3))


def test_measure_refuses_a_body_without_a_trunk():
    vertices, faces = column({0: 1, 0.5: 1}, 8)
    with pytest.raises(ValueError, match="no trunk to measure at the height"):
        measure(vertices, joints(), faces, following("pelvis", len(vertices)))


@pytest.fixture(scope="module")
def model():
    return body_model.read_model()


def metres(measured):
    return np.array([measured[name].metres for name in sorted(NAMES)])


@pytest.fixture(scope="module")
def lean(model):
    """Some body that is not the mean."""
    betas = np.array([0.5, -1, 1, 0.3, 0, 0, -0.5, 0, 0, 0.2])
    return (*rest_body(model, betas), model.faces, model.lbs_weights)


def test_measure_built_in_body_like_a_person_of_its_height(model):
    """Shares of stature, with bounds wide enough for most adults: no survey is this exact about
    where a body without clothes, breath or bones is to be measured.
    """
    measured = {name: value.metres for name, value in measure_shape(model).items()}
    share = {name: value / measured["height"] for name, value in measured.items()}
    assert 1.6 < measured["height"] < 1.75
    assert 0.52 < share["chest"] < 0.64
    assert 0.40 < share["waist"] < 0.58
    assert 0.52 < share["hips"] < 0.66
    assert 0.50 < share["leg"] < 0.55
    assert 0.26 < share["arm"] < 0.33
    assert measured["waist"] < min(measured["chest"], measured["hips"])


@pytest.mark.parametrize("scale", [0.5, 0.93, 1.7])
def test_measure_scales_with_the_body(lean, scale):
    vertices, rest_joints, *mesh = lean
    scaled = measure(vertices * scale, rest_joints * scale, *mesh)
    np.testing.assert_allclose(metres(scaled), scale * metres(measure(*lean)), rtol=1e-9)


def test_measure_is_the_same_for_a_mirrored_body(lean):
    vertices, rest_joints, faces, weights = lean
    sides = list(mirror(SMPL_JOINTS))
    flip = np.array([-1, 1, 1])
    mirrored = measure(
        vertices * flip, rest_joints[sides] * flip, faces[:, ::-1], weights[:, sides]
    )
    np.testing.assert_allclose(metres(mirrored), metres(measure(*lean)), rtol=1e-12)


def test_measure_ignores_translation_vertical_rotation_and_numbering(lean, rng):
    vertices, rest_joints, faces, weights = lean
    cos, sin = np.cos(0.7), np.sin(0.7)
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    order = rng.permutation(len(vertices))
    places = np.argsort(order)
    moved = measure(
        (vertices @ rotation.T + (1, 2, 3))[order],
        rest_joints @ rotation.T + (1, 2, 3),
        places[faces][rng.permutation(len(faces))],
        weights[order],
    )
    np.testing.assert_allclose(metres(moved), metres(measure(*lean)), rtol=1e-9)


def test_measure_grows_with_the_first_beta(model):
    def metres_of(first_beta):
        return metres(measure_shape(model, first_beta * np.eye(10)[0]))

    sizes = np.stack([metres_of(beta) for beta in (-2, -1, 0, 1, 2)])
    assert (np.diff(sizes, axis=0) > 0).all()
