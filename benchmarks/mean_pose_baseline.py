"""Result of a training run: a model beside the mean pose, and the plausibility of its bodies.

    python -m benchmarks.mean_pose_baseline --load_path=MODEL --data_dir=TFRECORDS \
        --datasets=lsp_ext [--split=test] [--mocap_dir=TFRECORDS --mocap_datasets=CMU]
        [--pictures=FOLDER]

The mean pose is the initial theta of the model's regressor: upright, facing the viewer, of the mean
shape. Its camera is the same for all people; or, "best camera", for each person the scale and
translation nearest to the labels, which no method can predict. Pictures: the people at the 5th, the
50th and the 95th percentile of the keypoint error.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

import benchmarks
from hmr_tf.body import camera
from hmr_tf.body.skeleton import centred_on_hips, lsp_joints_from_keypoints
from hmr_tf.body.theta import split
from hmr_tf.data import shards
from hmr_tf.evaluation import (
    cached_predictions,
    evaluate_protocol,
    evaluation_set,
    metrics,
    plausibility,
)
from hmr_tf.evaluation.protocols import keypoints2d, protocol_registry, scores
from hmr_tf.evaluation.report import people_pictures
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint, engines
from hmr_tf.networks.hmr import mean_theta

_PERCENTILES = {"05": 0.05, "50": 0.5, "95": 0.95}
_ENLARGED = 3
_BATCH_SIZE = 32


def initial_theta(load_path):
    """(1, 85) initial theta of the regressor of a training run."""
    path = checkpoint.read_params(checkpoint.find(load_path))["mean_params_path"]
    return mean_theta(*build.read_mean_params(path)) if path else mean_theta()


def predictions_of_theta(hmr, theta, like):
    """The arrays of `like` as if the model had predicted `theta`, (1 or N, 85)."""
    body = hmr.predictions_from_thetas([tf.constant(theta, tf.float32)])[0]
    pixels = camera.pixels_from_norm(body.keypoints2d_norm.numpy(), hmr.image_size)
    arrays = {"theta": theta, "keypoints_px": pixels, "joints3d": body.joints3d.numpy()}
    return {**like, **{k: np.broadcast_to(v, like[k].shape) for k, v in arrays.items()}}


def with_best_camera(people, predicted):
    """The same keypoints, for each person scaled and translated to the labels by least squares."""
    weight = (people.truth["keypoints_px"][..., 2:] > 0).astype(float)
    labels = keypoints2d.labels_in_crop(people._replace(predicted=predicted))
    points = predicted["keypoints_px"].astype(float)

    def mean(x):
        return (weight * x).sum(1, keepdims=True) / np.maximum(weight.sum(1, keepdims=True), 1)

    points, centre, labels = points - mean(points), mean(labels), labels - mean(labels)
    scale = (weight * points * labels).sum((1, 2)) / (weight * points**2).sum((1, 2))
    moved = np.maximum(scale, 0)[:, None, None] * points + centre
    return {**predicted, "keypoints_px": moved}


def errors(plan, people, hmr):
    """Metrics of one set of predictions, and the keypoint error of each person."""
    measured = protocol_registry.PROTOCOLS[plan.protocol].score(people, plan.options, hmr)
    names = ("keypoints_px", "pck_torso_percent", "pck_head_percent", "pck_box_percent")
    row = {name: measured.metrics[name] for name in names}
    known = people.truth["has_joints"]
    if known.any():
        joints, truth = (
            centred_on_hips(lsp_joints_from_keypoints(x[known]).astype(float))
            for x in (people.predicted["joints3d"], people.truth["lsp_joints"])
        )
        row["mpjpe_mm"] = 1e3 * metrics.mpjpe(joints, truth).mean()
        row["pa_mpjpe_mm"] = 1e3 * metrics.pa_mpjpe(joints, truth).mean()
    return row, measured.errors["keypoints_px"]


def print_plausibility(theta, options):
    files = shards.find_mocap(options.mocap_dir, options.mocap_datasets.split(","))
    poses, betas = plausibility.read_mocap(shards.paths(files))
    ranges = plausibility.joint_ranges(poses)
    _, pose, shape = map(np.asarray, split(theta))
    rows = (("motion capture", poses, betas), ("model", pose[:, 1:], shape))
    print("\nshare outside       joint angles (99 % range)   betas (3 sigma)")
    for name, angles, coefficients in rows:
        outside = plausibility.share_outside(angles, ranges)
        beyond = plausibility.share_beyond(coefficients)
        print(f"{name:20}{100 * outside:15.2f} % {100 * beyond:24.2f} %")


def main():
    parser = benchmarks.parser(__doc__)
    for name in ("load_path", "data_dir", "datasets"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("mocap_dir", "pictures"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--split", default="test")
    parser.add_argument("--mocap_datasets", default="CMU")
    options = parser.parse_args()
    if options.pictures and not Path(options.pictures).is_dir():
        raise InputError(f"--pictures={options.pictures} is not a folder: make it, or name another")

    given = {"datasets": options.datasets.split(","), "split": options.split}
    plan = evaluate_protocol.plan("keypoints2d", options.data_dir, given, allow_missing=False)
    hmr = checkpoint.load(options.load_path)
    with tempfile.TemporaryDirectory() as folder:
        predict, digest = engines.in_tensorflow(hmr).predict, engines.model_digest(hmr)
        files = cached_predictions.predict_files(
            predict, hmr.image_size, digest, plan.frames, Path(folder), _BATCH_SIZE
        )
    people = evaluation_set.with_predictions(plan.frames, files, plan.is_evaluated)
    mean = predictions_of_theta(hmr, initial_theta(options.load_path), people.predicted)
    methods = {
        "mean pose": mean,
        "mean pose, best camera": with_best_camera(people, mean),
        "model": people.predicted,
    }
    print(f"{len(people.file)} people")
    for name, predicted in methods.items():
        row, error_px = errors(plan, people._replace(predicted=predicted), hmr)
        print(f"{name:24}" + "  ".join(f"{key} {value:.2f}" for key, value in row.items()))
    if options.mocap_dir:
        print_plausibility(people.predicted["theta"], options)
    if options.pictures:
        for name, person in scores.representative(error_px, _PERCENTILES).items():
            path = Path(options.pictures) / f"percentile_{name}.jpg"
            picture = people_pictures.draw(people, person, hmr)
            picture = cv2.resize(picture, None, fx=_ENLARGED, fy=_ENLARGED)
            path.write_bytes(people_pictures.encode_jpeg(picture))
            print(path, people.truth["filename"][person].decode())


if __name__ == "__main__":
    benchmarks.run(main)
