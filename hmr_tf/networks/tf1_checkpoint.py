"""Checkpoints of TensorFlow 1: the original's released model, and slim's ImageNet weights.

Read by name and strictly both ways: every variable of ours must be there in its shape, and every
variable there must be one of ours or one known to be needed no more. No session is made.
"""

import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.body.theta import NUM_BETAS
from hmr_tf.files.errors import InputError

# A variable's last part, slim's for Keras's.
_LEAVES = {"kernel": "weights", "bias": "biases"}
_SLOTS = {"m": "Adam", "v": "Adam_1"}
MOMENTS = tuple(f"/{slot}" for slot in _SLOTS.values())  # how the names of Adam's slots end
_GLOBAL_STEP = "global_step"
# What only a training graph has: TF1's Adam, whose powers of beta follow from the step.
_TRAINING_ONLY = re.compile(rf".*/Adam(_1)?|beta[12]_power(_1)?|{_GLOBAL_STEP}")
# Beside what is learned: the body, which `body_arrays` reads, and an unwanted discriminator.
_HMR_BESIDES = re.compile(
    rf"{_TRAINING_ONLY.pattern}|D/.*|v_template|shapedirs|posedirs|J_regressor|lbs_weights|"
    "cocoplus_regressor"
)
# Beside the network, slim's file holds its classifier.
_SLIM_ONLY = re.compile(rf"resnet_v2_50/(logits/(weights|biases)|mean_rgb)|{_GLOBAL_STEP}")


def variables(hmr, discriminator=None):
    """TF1's name -> our variable, of everything that is learned (the original's `models.py`).

    Args:
      hmr: `networks.hmr.HMR` with the encoder resnet_v2_50.
      discriminator: `networks.discriminator.Discriminator` without spectral normalisation, or None.
    """
    names = {"mean_param": hmr.regressor.mean, **encoder_variables(hmr.encoder)}
    for name in ("fc1", "fc2", "fc3"):
        layer = getattr(hmr.regressor, name)
        names.update({f"3D_module/{name}/{_leaf(v)}": v for v in layer.weights})
    for variable in discriminator.weights if discriminator is not None else ():
        scope = variable.name.split("/")[-2]
        if scope.startswith("shape_fc1"):  # slim's `stack` puts its layers into a scope
            scope = f"shape_fc1/{scope}"
        names[f"D/{scope}/{_leaf(variable)}"] = variable
    return names


def encoder_variables(encoder):
    """As `variables`, of the ResNet alone."""
    names = {}
    for layer in encoder.layers:
        scope = re.sub(r"^(block\d)_(unit_\d)_(bottleneck_v2)_", r"\1/\2/\3/", layer.name)
        scope = "resnet_v2_50/" + scope.replace("_BatchNorm", "/BatchNorm")
        names.update({f"{scope}/{_leaf(variable)}": variable for variable in layer.weights})
    return names


def slots(optimizer, moved, names):
    """TF1's name -> our variable, of Adam's two moments of the variables `moved`.

    Args:
      optimizer: Keras's legacy Adam, whose slots are made.
      moved: the variables it trains.
      names: TF1's name -> our variable, of these and others.
    """
    moved = {variable.ref() for variable in moved}
    return {
        f"{name}/{theirs}": optimizer.get_slot(variable, ours)
        for name, variable in names.items()
        if variable.ref() in moved
        for ours, theirs in _SLOTS.items()
    }


def body_shapes(num_vertices):
    """TF1's name -> shape of the body's numbers (the original's `tf_smpl/batch_smpl.py:34-80`)."""
    num_joints = len(SMPL_JOINTS)
    return {
        "v_template": (num_vertices, 3),
        "shapedirs": (NUM_BETAS, 3 * num_vertices),
        "posedirs": (9 * (num_joints - 1), 3 * num_vertices),
        "J_regressor": (num_vertices, num_joints),
        "lbs_weights": (num_vertices, num_joints),
        "cocoplus_regressor": (num_vertices, len(KEYPOINTS)),
    }


def body_arrays(values):
    """Values of `body_shapes` -> arrays with the keys and shapes of an SMPL file."""
    num_vertices = len(values["v_template"])
    return {
        "v_template": values["v_template"],
        "shapedirs": values["shapedirs"].T.reshape(num_vertices, 3, -1),
        "posedirs": values["posedirs"].T.reshape(num_vertices, 3, -1),
        "J_regressor": values["J_regressor"].T,
        "weights": values["lbs_weights"],
        "cocoplus_regressor": values["cocoplus_regressor"].T,
    }


class CheckpointReader:
    """A file that is open; knows names and shapes, reads values when asked."""

    def __init__(self, prefix):
        """Raises InputError: there is no checkpoint of this name, or it cannot be read."""
        self.prefix = str(prefix)
        path = Path(prefix)
        if not (path.is_file() or path.with_name(f"{path.name}.index").is_file()):
            raise InputError(
                f"No checkpoint at {prefix}: give the path without .index or .data-..., as in "
                "models/model.ckpt-667589"
            )
        try:
            self._reader = tf.train.load_checkpoint(self.prefix)
        except Exception as error:  # the reader names some of its errors after Python's
            raise self._unreadable(error) from error
        shapes = self._reader.get_variable_to_shape_map()
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}

    @property
    def has_discriminator(self):
        """Whether it is of a training graph with the prior."""
        return any(name.startswith("D/") for name in self.shapes)

    @property
    def is_hmr(self):
        """Whether it is of the original HMR, and not of a ResNet alone."""
        return "3D_module/fc1/weights" in self.shapes

    @property
    def num_vertices(self):
        """Of the body in it; 0 if there is none."""
        return self.shapes.get("v_template", (0,))[0]

    def step(self):
        """How long it was trained: its global step, else the number in its name, else 0."""
        if _GLOBAL_STEP in self.shapes:
            return int(self._read(_GLOBAL_STEP))
        number = re.search(r"-(\d+)$", self.prefix)
        return int(number[1]) if number else 0

    def read(self, wanted, needless):
        """Values of the variables of a network.

        Args:
          wanted: TF1's name -> shape.
          needless: pattern of the names that may be there besides.

        Returns:
          TF1's name -> float32 array.

        Raises:
          InputError: one is missing, of another shape, not finite, or unknown; names it.
        """
        missing = sorted(set(wanted) - set(self.shapes))
        unknown = sorted(n for n in self.shapes if n not in wanted and not needless.fullmatch(n))
        for names, verb in ((missing, "lacks"), (unknown, "holds")):
            if names:
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                raise InputError(
                    f"{self.prefix} is a checkpoint of another network: it {verb} the variable "
                    f"{names[0]}{more}"
                )
        for name, shape in wanted.items():
            if self.shapes[name] != tuple(shape):
                raise InputError(
                    f"{self.prefix} is a checkpoint of another network: {name} is "
                    f"{self.shapes[name]}, not {tuple(shape)}"
                )
        return {name: self._read(name) for name in wanted}

    def assign(self, names, needless):
        """Reads all of `names` (TF1's name -> our variable), then sets our variables."""
        shapes = {name: _tf1_shape(name, variable) for name, variable in names.items()}
        for name, value in self.read(shapes, needless).items():
            names[name].assign(value.reshape(names[name].shape))

    def _read(self, name):
        try:
            value = self._reader.get_tensor(name)
        except Exception as error:  # the reader names some of its errors after Python's
            raise self._unreadable(error) from error
        if not np.isfinite(value).all():
            raise InputError(f"{self.prefix}: {name} holds numbers that are not finite")
        return value

    def _unreadable(self, error):
        reason = str(getattr(error, "message", error)).strip().splitlines()[0]
        return InputError(
            f"The checkpoint {self.prefix} cannot be read ({reason}): it needs its .index and all "
            "of its .data files, whole"
        )


def assign_slim(checkpoint, encoder):
    """Sets the encoder's weights from slim's resnet_v2_50.ckpt; raises as its `read`."""
    checkpoint.assign(encoder_variables(encoder), _SLIM_ONLY)


def assign_hmr(checkpoint, hmr, discriminator=None):
    """Sets what is learned from the original's checkpoint, the discriminator where both have one.

    Returns:
      TF1's name -> our variable, of all that was set.

    Raises:
      InputError: as `CheckpointReader.read`.
    """
    names = variables(hmr, discriminator if checkpoint.has_discriminator else None)
    checkpoint.assign(names, _HMR_BESIDES)
    return names


def _leaf(variable):
    leaf = variable.name.split("/")[-1].split(":")[0]
    return _LEAVES.get(leaf, leaf)


def _tf1_shape(name, variable):
    """Ours, but where the original has a 1x1 convolution (its first two discriminator layers)."""
    shape = tuple(variable.shape)
    return (1, 1, *shape) if re.match(r"D/D_conv\d/weights", name) else shape
