"""python -m tools.released_network --load_path=RUN [--rest_hands_and_toes] [--output=FILE]

Writes the released network from checkpoints of a training run: float16 kernels,
everything else float32. First it measures how far float16 moves the vertices, on crops of
photographs, and refuses to write where that is more than half a millimetre on average.
"""

import os

import numpy as np
from absl import flags

from hmr_tf.cli import command_line
from hmr_tf.files import atomic, checkpoint_files
from hmr_tf.files.errors import InputError

# TensorFlow reports on import which GPU libraries it lacks; later faults are raised.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MAX_MOVED_MM = 0.5  # mean distance of a vertex
NUM_CROPS, CROPS_PER_CALL = 64, 16
# In params.json beside the architecture: how the network was trained.
TRAINING_FLAGS = (
    *("datasets", "mocap_datasets", "use_3d_label", "encoder_only", "batch_size", "e_lr", "d_lr"),
    *("e_loss_weight", "e_3d_weight", "d_loss_weight", "bn_momentum", "mixed_precision", "seed"),
    *("trans_max", "scale_min", "scale_max", "freeze_backbone", "clip_gradients"),
    *("e_lr_end", "frozen_stages"),
)

# Rotations that neither labels nor motion capture determine: no keypoint moves with them. Part of
# SMPL's joints -> axes; toes bend about x alone.
RESTED = {"hand": (0, 1, 2), "foot": (1, 2)}
# Variables whose last axis is theta: its start and its updates.
_OF_THETA = ("regressor/mean_param", "regressor/fc3/kernel", "regressor/fc3/bias")

OPTIONS = flags.FlagValues()
flags.DEFINE_list(
    "load_path",
    [],
    "Checkpoint prefix or --model_dir of a training run; of several, separated by commas, the mean "
    "of their weights is taken.",
    flag_values=OPTIONS,
)
flags.DEFINE_bool(
    "rest_hands_and_toes",
    False,
    "Keep hands, and all but the bend of the toes, in rest pose: no label or motion capture shows "
    "how they are rotated, and a network's numbers for them are arbitrary.",
    flag_values=OPTIONS,
)
flags.DEFINE_string("output", "hmr_tf/assets/network.npz", "File to write.", flag_values=OPTIONS)
flags.DEFINE_string(
    "img_path",
    "hmr_tf/assets/astronaut.jpg",
    "Photographs to measure on: a file, a folder or a pattern.",
    flag_values=OPTIONS,
)
flags.DEFINE_string(
    "summary", "", "A sentence about the training, kept in the file.", flag_values=OPTIONS
)


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help.")
    if not OPTIONS.load_path:
        raise InputError("Pass --load_path: a checkpoint, or the --model_dir of a training run.")
    atomic.check_file("output", OPTIONS.output, ".npz")
    for path in OPTIONS.load_path:
        checkpoint_files.check(path)
    from hmr_tf.inference import photo
    from hmr_tf.networks import released_weights

    photo.find(OPTIONS.img_path)
    hmr, content = released_content(OPTIONS.load_path, OPTIONS.summary, OPTIONS.rest_hands_and_toes)
    crops = random_crops(OPTIONS.img_path, hmr.image_size)
    mean_mm, max_mm = rounding_error_mm(hmr, content.weights, crops)
    print(
        f"float16 moves the vertices of {len(crops)} crops by {mean_mm:.3f} mm on average, "
        f"{max_mm:.2f} mm at most."
    )
    if not mean_mm <= MAX_MOVED_MM:
        raise InputError(
            f"float16 moves the vertices by {mean_mm:.2f} mm on average, more than the "
            f"{MAX_MOVED_MM} mm allowed: nothing was written. Train on with smaller learning rates."
        )
    try:
        released_weights.write(OPTIONS.output, content)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"--output={OPTIONS.output} cannot be written: {reason}") from error
    print(f"{OPTIONS.output}: {os.path.getsize(OPTIONS.output) / 1e6:.1f} MB")


def released_content(load_paths, summary="", rest_hands_and_toes=False):
    """The HMR of checkpoints, and what is released of it.

    Args:
      load_paths: checkpoint prefixes or folders of one training; their weights are averaged.
      summary: a sentence about the training.
      rest_hands_and_toes: whether the rotations of `RESTED` become 0 for every image.

    Returns:
      `hmr.HMR` with the mean weights, `released_weights.Released`.

    Raises:
      InputError: no checkpoint, networks that differ, a body other than the built-in one.
    """
    from hmr_tf.body import body_model
    from hmr_tf.networks import build, checkpoint, released_weights

    prefixes = [checkpoint.find(path) for path in load_paths]
    architecture = checkpoint.read_architecture(prefixes[0])
    body = build.read_body(architecture)
    digest = body_model.digest(body)
    for prefix in prefixes:
        if checkpoint.read_architecture(prefix) != architecture:
            raise InputError(f"{prefix} is of another network than {prefixes[0]}.")
        if checkpoint.read_params(prefix).get(checkpoint.BODY_DIGEST, digest) != digest:
            raise InputError(
                f"{prefix} was trained with another body than the one of this version: train on "
                "with this one, or use the version it was trained with."
            )
    hmr = build.build(architecture, body)
    total = {}
    for prefix in prefixes:
        checkpoint.restore(prefix, checkpoint.hmr_parts(hmr))
        for name, variable in released_weights.variables(hmr).items():
            total[name] = total.get(name, 0.0) + variable.numpy().astype(np.float64)
    for name, variable in released_weights.variables(hmr).items():
        mean = total[name] / len(prefixes)
        if rest_hands_and_toes and name in _OF_THETA:
            mean[..., rested_columns()] = 0.0
        variable.assign(mean.astype(np.float32))
    weights = {name: variable.numpy() for name, variable in released_weights.variables(hmr).items()}
    training = training_summary(prefixes, summary)
    training["rest_hands_and_toes"] = rest_hands_and_toes
    weights = released_weights.stored_weights(weights)
    return hmr, released_weights.Released(architecture, digest, training, weights)


def rested_columns():
    """Indices of theta (85,) that hold the rotations of `RESTED`."""
    from hmr_tf.body import skeleton, theta

    return [
        theta.NUM_CAMERA + 3 * skeleton.SMPL_JOINTS.index(f"{side}_{part}") + axis
        for side in ("left", "right")
        for part, axes in RESTED.items()
        for axis in axes
    ]


def training_summary(prefixes, summary):
    """How the network was trained, as JSON values for the file."""
    from hmr_tf.networks import checkpoint

    params = checkpoint.read_params(prefixes[-1])
    kept = {
        name: value
        for name, value in params.items()
        if name in TRAINING_FLAGS or name.startswith("augment_")
    }
    steps = [checkpoint.steps_done(prefix) for prefix in prefixes]
    return {"summary": summary, "flags": kept, "steps": steps}


def random_crops(img_path, size, number=NUM_CROPS):
    """(number, S, S, 3) float32 in [-1, 1]: crops of photographs at random places and scales."""
    from hmr_tf.inference import person_crops, photo

    rng = np.random.default_rng(0)
    images = [photo.read_image(path) for path in photo.find(img_path)]
    crops = []
    for i in range(number):
        image = images[i % len(images)]
        height, width = image.shape[:2]
        side = rng.uniform(0.3, 0.9) * min(height, width)
        corner = rng.uniform(0.0, 1.0, 2) * (width - side, height - side)
        crops.append(person_crops.crop_person(image, (*corner, side, side), size)[0])
    return np.stack(crops).astype(np.float32) / 127.5 - 1.0


def rounding_error_mm(hmr, stored, crops):
    """How far the vertices move when the network has the stored weights.

    Args:
      hmr: `hmr.HMR`; its weights are restored.
      stored: name -> rounded array, of the names of `released_weights.variables`.
      crops: (B, S, S, 3) in [-1, 1].

    Returns:
      Mean and largest distance of a vertex in millimetres.
    """
    from hmr_tf.networks import released_weights

    variables = released_weights.variables(hmr)
    unrounded = {name: variable.numpy() for name, variable in variables.items()}
    before = _vertices(hmr, crops)
    for name, variable in variables.items():
        variable.assign(stored[name].astype(np.float32))
    after = _vertices(hmr, crops)
    for name, variable in variables.items():
        variable.assign(unrounded[name])
    distance_mm = 1e3 * np.linalg.norm(after - before, axis=-1)
    return float(distance_mm.mean()), float(distance_mm.max())


def _vertices(hmr, crops):
    parts = []
    for start in range(0, len(crops), CROPS_PER_CALL):
        prediction = hmr(crops[start : start + CROPS_PER_CALL], training=False)[-1]
        parts.append(hmr.with_mesh(prediction).vertices.numpy())
    return np.concatenate(parts).astype(np.float64)


if __name__ == "__main__":
    command_line.run(main, OPTIONS)
