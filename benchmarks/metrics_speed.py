"""Time of the metrics of a whole test set, beside the same body by body.

    python -m benchmarks.metrics_speed [--frames=100000]

The scores of Human3.6M, of MPI-INF-3DHP and of 2D keypoints (each its own photograph), MPJPE,
PA-MPJPE, PCK, AUC, by sequence and by joint, with the 95 % intervals of all of them, from
predictions in memory; 3DPW and EMDB by SMPL's joints, and by meshes on a part of them; and the
plain loop over bodies that it replaces, on a part of them. Seconds for all frames.
"""

import functools
import tempfile
import time
from pathlib import Path

import numpy as np

import benchmarks
from hmr_tf.body import body_model
from hmr_tf.body.skeleton import LSP_JOINTS
from hmr_tf.body.smpl import SMPL
from hmr_tf.data import h36m_names
from hmr_tf.evaluation import bootstrap, metrics
from hmr_tf.evaluation.evaluation_set import EvaluationSet
from hmr_tf.evaluation.protocols import (
    joints3d,
    keypoints2d,
    protocol_registry,
    scores,
    smpl_errors,
)
from hmr_tf.networks.hmr import HMR

_LOOPED = 2000  # bodies of the loop
_POSED = 1000  # bodies whose meshes are compared


def frames(count):
    """Random Frames of Human3.6M's sequences, with the truth of both datasets."""
    rng = np.random.default_rng(0)
    names = h36m_names.sequences_to_test(h36m_names.TRIALS, h36m_names.CAMERAS)
    joints = rng.normal(size=(count, 19, 3)).astype(np.float32) * 0.4
    reference = rng.normal(size=(count, 17, 3)).astype(np.float32) * 0.4
    noise = 0.05 * rng.normal(size=(count, 14, 3)).astype(np.float32)
    keypoints_px = rng.uniform(0, 224, size=(count, 19, 3)).astype(np.float32)
    truth = {
        "lsp_joints": joints[:, :14] + noise + np.float32([0, 0, 4]),
        "keypoints_px": keypoints_px,
        "center_px": np.full((count, 2), 112, np.float32),
        "reference_universal_joints": reference,
        "reference_activity": rng.integers(1, 8, count),
    }
    predicted = {
        "joints3d": joints,
        "smpl_joints": np.zeros((count, 24, 3), np.float32),
        "keypoints_px": keypoints_px[..., :2] + 5 * noise[:, :1, :2],
        "scale_xy": np.ones((count, 2), np.float32),
        "corner_px": np.zeros((count, 2), np.float32),
    }
    file = np.sort(rng.integers(len(names), size=count))
    return EvaluationSet(tuple(map(Path, names)), file, np.arange(count), truth, predicted)


def as_photographs(people):
    """The same people in one numbered shard, each in a photograph."""
    names = np.array([f"{number}.jpg".encode() for number in people.number], object)
    return people._replace(
        paths=(Path("lsp/test_000.tfrecord"),),
        file=np.zeros_like(people.file),
        truth={**people.truth, "filename": names},
    )


def with_smpl_labels(people):
    """The same people with random SMPL parameters, as labels and predicted."""
    rng, count = np.random.default_rng(1), len(people.file)
    theta = np.float32(0.2 * rng.normal(size=(count, 85)))
    joints = rng.normal(size=(count, 24, 3)).astype(np.float32) * 0.4
    truth = {
        "truth_pose": np.float32(0.2 * rng.normal(size=(count, 24, 3))),
        "truth_betas": np.float32(rng.normal(size=(count, 10))),
        "truth_gender": np.where(people.file % 2, b"female", b"male"),
        "truth_smpl_joints": joints + np.float32([0, 0, 4]),
        "truth_frame": people.number,
    }
    predicted = {"theta": theta, "smpl_joints": joints + 0.05 * joints[::-1]}
    return people._replace(
        truth={**people.truth, **truth}, predicted={**people.predicted, **predicted}
    )


def measure_meshes(people, count):
    """Prints the seconds of the errors of joints and meshes, for `count` bodies like `people`."""
    content = dict(np.load(body_model.BUILT_IN, allow_pickle=False))
    content["topology"] = np.array("smpl")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("FEMALE", "MALE"):
            np.savez(Path(folder) / f"SMPL_{name}.npz", **content)
        body = body_model.read_model(Path(folder) / "SMPL_MALE.npz")
        model = HMR(None, None, SMPL(body))
        options = protocol_registry.options_from_flags("3dpw", {"smpl_model_dir": folder})
        smpl_errors.score(first_of(people, 32), options, model)  # TensorFlow prepares itself
        taken = seconds(lambda: smpl_errors.score(people, options, model))
    bodies, vertices = len(people.file), len(body.v_template)
    print(f"3dpw, meshes of {vertices} vertices: {1e3 * taken / bodies:.2f} ms a body, ", end="")
    print(f"{taken * count / bodies:.0f} s for all, measured on {bodies}")


def first_of(people, count):
    """The first people of an EvaluationSet."""
    return people._replace(
        file=people.file[:count],
        number=people.number[:count],
        truth={name: values[:count] for name, values in people.truth.items()},
        predicted={name: values[:count] for name, values in people.predicted.items()},
    )


def measure(name, score, people, options):
    """Prints the seconds of a protocol's metrics and of their intervals."""
    start = time.perf_counter()
    terms = scores.terms_of(score(people, options))
    scored = time.perf_counter() - start
    groups = bootstrap.groups(people.clusters)
    together = scored + seconds(lambda: bootstrap.intervals(terms, groups))
    print(f"{name}: {scored:.2f} s, with intervals {together:.2f} s, ", end="")
    print(f"{len(terms)} metrics, {len(groups.names)} groups")


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--frames", type=benchmarks.positive, default=100_000)
    count = parser.parse_args().frames
    people = frames(count)
    options = {
        "root": "hips",
        "joints": LSP_JOINTS,
        "universal": True,
        "perspective_correction": True,
    }
    measure("h36m", joints3d.score_h36m, people, options)
    measure("mpi_inf_3dhp", joints3d.score_mpi_inf_3dhp, people, options)
    measure("keypoints2d", keypoints2d.score, as_photographs(people), {})
    labelled = with_smpl_labels(people)
    for protocol in ("3dpw", "emdb"):
        options = protocol_registry.options_from_flags(protocol, {})
        score = functools.partial(smpl_errors.score, hmr=None)
        measure(f"{protocol}, joints", score, labelled, options)
    measure_meshes(first_of(labelled, min(_POSED, count)), count)
    predicted, truth = (
        part[:, :14].astype(float)
        for part in (people.predicted["joints3d"], people.truth["lsp_joints"])
    )
    batched = seconds(lambda: (metrics.mpjpe(predicted, truth), metrics.pa_mpjpe(predicted, truth)))

    looped_frames = min(_LOOPED, count)

    def loop():
        for k in range(looped_frames):
            metrics.mpjpe(predicted[k : k + 1], truth[k : k + 1])
            metrics.pa_mpjpe(predicted[k : k + 1], truth[k : k + 1])

    looped = seconds(loop) * count / looped_frames
    print(f"MPJPE and PA-MPJPE: {batched:.2f} s; one by one {looped:.2f} s, ", end="")
    print(f"ratio {batched / looped:.3f}")


if __name__ == "__main__":
    benchmarks.run(main)
