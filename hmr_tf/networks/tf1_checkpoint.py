"""Checkpoints of TensorFlow 1: the original's released model, and slim's ImageNet weights.

Variables are read by name and strictly: every variable of our network must be in the checkpoint
with its shape, and every other one there must be known to be unneeded. No session is made.
"""

import re

import numpy as np
import tensorflow as tf

from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.body.theta import NUM_BETAS
from hmr_tf.files import checkpoint_files
from hmr_tf.files.errors import InputError

# The last part of variable names, Keras's -> slim's.
_LEAVES = {"kernel": "weights", "bias": "biases"}
_SLOTS = {"m": "Adam", "v": "Adam_1"}
MOMENTS = tuple(f"/{slot}" for slot in _SLOTS.values())  # the ends of the names of Adam's slots
_GLOBAL_STEP = "global_step"
# Variables of training graphs only: TF1's Adam, whose powers of beta follow from the step.
_TRAINING_ONLY = re.compile(rf".*/Adam(_1)?|beta[12]_power(_1)?|{_GLOBAL_STEP}")
# Beside the network: the body, which `body_arrays` reads, and a discriminator that is not imported.
_HMR_UNNEEDED = re.compile(
    rf"{_TRAINING_ONLY.pattern}|D/.*|v_template|shapedirs|posedirs|J_regressor|lbs_weights|"
    "cocoplus_regressor"
)
# Beside the network: the classifier in slim's file.
_SLIM_UNNEEDED = re.compile(rf"resnet_v2_50/(logits/(weights|biases)|mean_rgb)|{_GLOBAL_STEP}")


def variables(hmr, discriminator=None):
    """TF1's name -> our variable, for everything that is trained (the original's `models.py`).

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
        if scope.startswith("shape_fc1"):  # slim's `stack` opens a scope
            scope = f"shape_fc1/{scope}"
        names[f"D/{scope}/{_leaf(variable)}"] = variable
    return names


def encoder_variables(encoder):
    """As `variables`, for the ResNet alone."""
    names = {}
    for layer in encoder.layers:
        scope = re.sub(r"^(block\d)_(unit_\d)_(bottleneck_v2)_", r"\1/\2/\3/", layer.name)
        scope = "resnet_v2_50/" + scope.replace("_BatchNorm", "/BatchNorm")
        names.update({f"{scope}/{_leaf(variable)}": variable for variable in layer.weights})
    return names


def slots(optimizer, trainable, names):
    """TF1's name -> our variable, for Adam's two moments of the `trainable` variables.

    Args:
      optimizer: Keras's legacy Adam, whose slots exist.
      trainable: the variables it trains.
      names: TF1's name -> our variable, for these and others.
    """
    trainable = {variable.ref() for variable in trainable}
    return {
        f"{name}/{tf1_slot}": optimizer.get_slot(variable, keras_slot)
        for name, variable in names.items()
        if variable.ref() in trainable
        for keras_slot, tf1_slot in _SLOTS.items()
    }


def body_shapes(num_vertices):
    """TF1's name -> shape of the body's arrays (the original's `tf_smpl/batch_smpl.py:34-80`)."""
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
    """Values by the names of `body_shapes` -> arrays with the keys and shapes of an SMPL file."""
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
    """An open checkpoint: names and shapes of its variables, whose values are read on demand."""

    def __init__(self, prefix):
        """Raises InputError if there is no checkpoint of this name or it cannot be read."""
        self.prefix = str(prefix)
        checkpoint_files.check_tf1(prefix)
        try:
            self._reader = tf.train.load_checkpoint(self.prefix)
        except Exception as error:  # the reader's errors have no common class
            raise self._unreadable(error) from error
        shapes = self._reader.get_variable_to_shape_map()
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}

    @property
    def has_discriminator(self):
        """Whether it was saved from a training graph with the adversarial prior."""
        return any(name.startswith("D/") for name in self.shapes)

    @property
    def is_hmr(self):
        """Whether it holds the original HMR, and not a ResNet alone."""
        return "3D_module/fc1/weights" in self.shapes

    @property
    def num_vertices(self):
        """Number of vertices of the body in it; 0 if there is none."""
        return self.shapes.get("v_template", (0,))[0]

    def step(self):
        """The training steps done: its global step, else the number in its name, else 0."""
        if _GLOBAL_STEP in self.shapes:
            return int(self._read(_GLOBAL_STEP))
        number = re.search(r"-(\d+)$", self.prefix)
        return int(number[1]) if number else 0

    def read(self, shapes, unneeded):
        """Reads the variables of a network.

        Args:
          shapes: TF1's name -> shape.
          unneeded: compiled pattern of the names of variables that may also be in the checkpoint.

        Returns:
          TF1's name -> float32 array.

        Raises:
          InputError: a variable is missing, has another shape, is not finite, or is unknown.
        """
        missing = sorted(set(shapes) - set(self.shapes))
        unknown = sorted(n for n in self.shapes if n not in shapes and not unneeded.fullmatch(n))
        for names, verb in ((missing, "lacks"), (unknown, "holds")):
            if names:
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                raise InputError(
                    f"{self.prefix} is a checkpoint of another network: it {verb} the variable "
                    f"{names[0]}{more}"
                )
        for name, shape in shapes.items():
            if self.shapes[name] != tuple(shape):
                raise InputError(
                    f"{self.prefix} is a checkpoint of another network: {name} is "
                    f"{self.shapes[name]}, not {tuple(shape)}"
                )
        return {name: self._read(name) for name in shapes}

    def assign(self, names, unneeded):
        """Reads all of `names` (TF1's name -> our variable), then sets our variables."""
        shapes = {name: _tf1_shape(name, variable) for name, variable in names.items()}
        for name, value in self.read(shapes, unneeded).items():
            names[name].assign(value.reshape(names[name].shape))

    def _read(self, name):
        try:
            value = self._reader.get_tensor(name)
        except Exception as error:  # the reader's errors have no common class
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
    """Sets the encoder's weights from slim's resnet_v2_50.ckpt; errors as `checkpoint.read`."""
    checkpoint.assign(encoder_variables(encoder), _SLIM_UNNEEDED)


def assign_hmr(checkpoint, hmr, discriminator=None):
    """Sets the network's weights from the original's checkpoint.

    Args:
      checkpoint: CheckpointReader.
      hmr: `networks.hmr.HMR`.
      discriminator: set where the checkpoint has one, too.

    Returns:
      TF1's name -> our variable, for everything that was set.

    Raises:
      InputError: as `CheckpointReader.read`.
    """
    names = variables(hmr, discriminator if checkpoint.has_discriminator else None)
    checkpoint.assign(names, _HMR_UNNEEDED)
    return names


def _leaf(variable):
    leaf = variable.name.split("/")[-1].split(":")[0]
    return _LEAVES.get(leaf, leaf)


def _tf1_shape(name, variable):
    """Our shape, except for the original's 1x1 convolutions (D_conv1 and D_conv2)."""
    shape = tuple(variable.shape)
    return (1, 1, *shape) if re.match(r"D/D_conv\d/weights", name) else shape
