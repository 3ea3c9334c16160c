"""absl's flags from the fields of `Config`, and a `Config` from the flags."""

import dataclasses
import math

from absl import flags

from hmr_tf.cli.options import Config
from hmr_tf.files.errors import InputError


def define(flag_values=flags.FLAGS):
    """Makes an absl flag of every field of `Config`."""
    for field in dataclasses.fields(Config):
        _define(field, flag_values)


def _define(field, flag_values):
    name, default, metadata = field.name, field.default, field.metadata
    own = {"flag_values": flag_values}
    if metadata["choices"]:
        flags.DEFINE_enum(name, default or None, metadata["choices"], metadata["help"], **own)
    elif isinstance(default, tuple):
        flags.DEFINE_list(name, list(default), metadata["help"], **own)
    elif isinstance(default, bool) or default is None:
        flags.DEFINE_bool(name, default, metadata["help"], **own)
    elif isinstance(default, int):
        flags.DEFINE_integer(name, default, metadata["help"], **metadata["bounds"], **own)
    elif isinstance(default, float):
        flags.DEFINE_float(name, default, metadata["help"], **metadata["bounds"], **own)
    else:
        flags.DEFINE_string(name, default, metadata["help"], **own)


def parsed(flag_values=flags.FLAGS):
    """The flags that were parsed as a `Config`; InputError for numbers that make no sense."""
    values = {field.name: flag_values[field.name].value for field in dataclasses.fields(Config)}
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"--{name}={value} is not a finite number.")
    if not 0 < values["scale_min"] <= values["scale_max"]:
        raise InputError(
            f"--scale_min={values['scale_min']} and --scale_max={values['scale_max']}: the "
            "jitter's scales must be above 0, the smaller one first."
        )
    return Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
