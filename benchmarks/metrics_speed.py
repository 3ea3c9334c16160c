"""Time of the metrics of a whole test set, beside the same body by body.

    python -m benchmarks.metrics_speed [--frames=100000]

The scores of Human3.6M, of MPI-INF-3DHP and of 2D keypoints (each its own photograph), MPJPE,
PA-MPJPE, PCK, AUC, by sequence and by joint, with the 95 % intervals of all of them, from
predictions in memory; and the plain loop over bodies that it replaces, on a part of them. Seconds
for all frames.
"""

import time
from pathlib import Path

import numpy as np

import benchmarks
from hmr_tf.body.skeleton import LSP_JOINTS
from hmr_tf.data import h36m_names
from hmr_tf.evaluation import bootstrap, metrics
from hmr_tf.evaluation.evaluation_set import EvaluationSet
from hmr_tf.evaluation.protocols import joints3d, keypoints2d, scores

_LOOPED = 2000  # bodies of the loop


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
