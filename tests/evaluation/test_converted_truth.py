"""3DPW and EMDB from raw files to scores, as 3dpw-eval and EMDB's program compute them.

These transform the joints in the world with the camera's matrix; our records hold SMPL parameters
in the camera.
"""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_prep import to_tfrecords
from hmr_tf.body.skeleton import SMPL_PARENTS
from hmr_tf.evaluation import evaluate_protocol, evaluation_set, true_bodies
from hmr_tf.evaluation.protocols import smpl_errors
from tests.fakes import evaluation_fakes as fakes
from tests.fakes import tiny_body, truth_fakes
from tests.fakes.commands import run_command

FRAMES = 9
GENDERS = ("female", "male")
ANGLE_JOINTS = [0, 1, 2, 4, 5, 16, 17, 18, 19]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for gender in GENDERS:
        tiny_body.write(folder / f"SMPL_{gender.upper()}.npz")
    return folder


def write_3dpw(folder, rng):
    """Two people with 300 betas; gives (file, person, frames that 3dpw-eval counts)."""
    first = truth_fakes.scene(rng, FRAMES)
    people = [first, truth_fakes.scene(rng, FRAMES, first.extrinsics)]
    valid, points = np.ones((2, FRAMES), int), truth_fakes.standing_openpose(FRAMES)
    valid[0, 2] = valid[1, [0, 5]] = 0
    others = points.copy()
    points[4] = 0
    others[3, 2] = 0.05  # a detector that is not sure is enough
    content = truth_fakes.content_3dpw(
        people,
        betas=[np.concatenate([one.betas, rng.normal(size=290)]) for one in people],
        campose_valid=list(valid),
        poses2d=[points, others],
    )
    truth_fakes.write_3dpw(folder, content, sequence="downtown_arguing_00")
    counted = valid.astype(bool)
    counted[0, 4] = False
    return [
        (f"downtown_arguing_00_p{number}", one, np.flatnonzero(counted[number]))
        for number, one in enumerate(people)
    ]


def write_emdb(folder, rng):
    """One person; gives (file, person, frames of the mask)."""
    person, mask = truth_fakes.scene(rng, FRAMES), np.ones(FRAMES, bool)
    mask[[3, 4]] = False
    truth_fakes.write_emdb(folder, truth_fakes.content_emdb(person, good_frames_mask=mask))
    return [("P1_14_outdoor_climb_p0", person, np.flatnonzero(mask))]


def global_rotations(pose):
    """(24, 3) axis-angle -> list of 24 Rotation, relative to the camera or the world."""
    rotations = [Rotation.from_rotvec(vector) for vector in pose]
    for joint in range(1, 24):
        rotations[joint] = rotations[SMPL_PARENTS[joint]] * rotations[joint]
    return rotations


def scores_of_frame(person, frame, theta, joints, origin):
    """MPJPE, PA-MPJPE, MPJAE, PA-MPJAE of (24, 3) predicted joints; `origin` as their rows."""
    camera = Rotation.from_matrix(person.extrinsics[frame, :3, :3])
    true = person.camera_joints[frame]
    target, source = true - true.mean(0), joints - joints.mean(0)
    aligning, _ = Rotation.align_vectors(target, source)
    rotated = aligning.apply(source)
    scale = (target * rotated).sum() / (source**2).sum()
    moved = joints - joints[origin].mean(0) - true + true[origin].mean(0)
    pairs = list(
        zip(global_rotations(theta[3:75].reshape(24, 3)), global_rotations(person.pose[frame]))
    )
    angles = [
        [((before * ours).inv() * camera * labelled).magnitude() for ours, labelled in pairs]
        for before in (Rotation.identity(), aligning)
    ]
    return {
        "mpjpe_mm": 1e3 * np.linalg.norm(moved, axis=1).mean(),
        "pa_mpjpe_mm": 1e3 * np.linalg.norm(scale * rotated - target, axis=1).mean(),
        "mpjae_deg": np.degrees(np.array(angles[0])[ANGLE_JOINTS].mean()),
        "pa_mpjae_deg": np.degrees(np.array(angles[1])[ANGLE_JOINTS].mean()),
    }


def wrong_thetas(rng, person, frames):
    """(F, 85) the person in the camera, with errors at random."""
    camera = Rotation.from_matrix(person.extrinsics[frames, :3, :3])
    pose = person.pose[frames] + 0.2 * rng.normal(size=(len(frames), 24, 3))
    pose[:, 0] = (camera * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    betas = person.betas + 0.5 * rng.normal(size=(len(frames), 10))
    return np.hstack([np.ones((len(frames), 3)), pose.reshape(-1, 72), betas]).astype(np.float32)


def predictions(model, thetas):
    """Those of a file, as `cached_predictions.predict_files` returns them."""
    bodies = true_bodies.pose_predictions(model, thetas)
    joints = {name: np.float32(getattr(bodies, name)) for name in ("joints3d", "smpl_joints")}
    return {"theta": thetas, **joints}


@pytest.mark.parametrize(
    ("dataset", "write", "origin", "given"),
    [("3dpw", write_3dpw, [0], {"variant": "official"}), ("emdb", write_emdb, [1, 2], {})],
)
def test_converted_truth_gives_the_scores_of_the_public_programs(
    rng, models, tmp_path, dataset, write, origin, given
):
    """Frames, camera and errors, from files; the predictions are wrong at random."""
    people = write(tmp_path / "raw", rng)
    folders = {"data_dir": tmp_path / "raw", "output_dir": tmp_path / "data"}
    assert run_command(to_tfrecords, dataset=dataset, split="test", **folders) == 0
    options = {"smpl_model_dir": str(models), **given}
    plan = evaluate_protocol.plan(dataset, tmp_path / "data", options, allow_missing=True)
    model = fakes.Oracle(fakes.thetas(), fakes.smpl(models / "SMPL_MALE.npz"))
    expected, predicted = [], []
    for name, person, frames in people:
        is_of_person = plan.frames.sequences == name
        assert plan.frames.truth["truth_frame"][is_of_person].tolist() == frames.tolist()
        thetas = wrong_thetas(rng, person, frames)
        predicted.append(predictions(model, thetas))
        for frame, theta in zip(frames, thetas.astype(float)):
            (joints,) = truth_fakes.posed_joints(theta[3:75].reshape(1, 24, 3), theta[75:])
            expected.append(scores_of_frame(person, frame, theta, joints, origin))
    frames = evaluation_set.with_predictions(plan.frames, predicted, plan.is_evaluated)
    metrics = smpl_errors.score(frames, plan.options, model).metrics
    for name in expected[0]:
        mean = np.mean([scores[name] for scores in expected])
        assert mean > 10
        assert metrics[name] == pytest.approx(mean, abs=1e-3), name
