"""Checkpoints like the original's: every variable of its graphs, with a value by rule."""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tests.golden import body
from tests.golden.compare import FOLDER
from tests.golden.golden_inputs import mean_theta, rng


class Variable(NamedTuple):
    """A row of tf1_variables.tsv."""

    name: str
    shape: tuple
    dtype: str
    is_trained: bool
    in_inference: bool


def variables():
    """The 350 variables of the training graph without Adam's slots, 283 of them of inference."""
    for line in (FOLDER / "tf1_variables.tsv").read_text().splitlines()[1:]:
        name, shape, dtype, trained, graph = line.split("\t")
        shape = () if shape == "-" else tuple(map(int, shape.split("x")))
        yield Variable(name, shape, dtype, trained == "trained", graph == "inference")


def inference_values():
    """Name -> array of the 283 variables of the released kind of checkpoint."""
    return {v.name: value(v) for v in variables() if v.in_inference}


def training_values():
    """Name -> array of all 832 variables, Adam's slots among them."""
    values = {v.name: value(v) for v in variables()}
    for v in variables():
        if v.is_trained:
            first, second = (
                rng(f"{v.name}/{slot}").standard_normal(v.shape) for slot in ("Adam", "Adam_1")
            )
            values[f"{v.name}/Adam"] = (1e-3 * first).astype(np.float32)
            values[f"{v.name}/Adam_1"] = (1e-6 * second**2).astype(np.float32)
    return values


def write(prefix, values):
    """Writes PREFIX.index and PREFIX.data-00000-of-00001, as TF1's Saver did."""
    names = sorted(values)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(values[name]) for name in names],
    )
    return str(prefix)


@functools.cache
def value(variable):
    """The value of one variable, not to be changed; sizes follow what trained networks have."""
    name, shape = variable.name, variable.shape
    leaf = name.split("/")[-1]
    if name in body.TF1_LAYOUT:
        return body.tf1_variable(name)
    if name == "global_step":
        return np.array(1234, variable.dtype)
    if leaf.startswith(("beta1_power", "beta2_power")):
        return np.array(0.9 if leaf.startswith("beta1") else 0.999, np.float32)
    normal = rng(name).standard_normal(shape)
    rules = {
        # a trained variable: not where it started
        "mean_param": lambda: mean_theta() + 0.01 * normal,
        "gamma": lambda: (1 + 0.1 * normal) * np.where(_is_quiet(name, shape), 0.03, 1.0),
        "beta": lambda: 0.05 * normal,
        "moving_mean": lambda: 0.05 * normal,
        "moving_variance": lambda: np.exp(0.2 * normal)
        * np.where(_is_quiet(name, shape), 1e-3, 1.0),
        "biases": lambda: 0.02 * normal,
        "weights": lambda: _weights(name, normal),
    }
    return rules[leaf]().astype(np.float32)


def _is_quiet(name, shape):
    """One channel in twenty has hardly any variance, so that a wrong epsilon shows."""
    return rng(name.rsplit("/", 1)[0] + "/quiet").uniform(size=shape) < 0.05


def _weights(name, normal):
    gain = 2.0
    if name == "3D_module/fc3/weights":
        gain = 0.03
    elif name.endswith("conv3/weights"):
        gain = 0.6
    elif name == "resnet_v2_50/conv1/weights":
        gain = 6.0
    elif name.startswith("resnet") and name.endswith("shortcut/weights"):
        gain = 1.5
    weights = np.sqrt(gain / np.prod(normal.shape[:-1])) * normal
    if name == "3D_module/fc1/weights":  # so that theta's feedback matters
        weights[:2048] *= 0.3
        weights[2048:] *= 4
    return weights
