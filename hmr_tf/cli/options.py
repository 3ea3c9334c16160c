"""Every option of `python -m hmr_tf.main`: default, unit, help, and the modes that use it.

Names and meanings are the original's `config.py`; values are the paper's, as in its `do_train.sh`.
The fields are in `cli.option_groups`; `cli.option_flags` makes the flags.
"""

import dataclasses

from hmr_tf.cli.option_groups.evaluation_options import EvaluationOptions
from hmr_tf.cli.option_groups.file_options import FileOptions
from hmr_tf.cli.option_groups.machine_options import MachineOptions
from hmr_tf.cli.option_groups.prediction_options import PredictionOptions
from hmr_tf.cli.option_groups.training_options import TrainingOptions
from hmr_tf.files.errors import InputError


# A dataclass has the fields of its last base first: this is the order of --help, from the bottom.
@dataclasses.dataclass(frozen=True)
class Options(EvaluationOptions, MachineOptions, TrainingOptions, PredictionOptions, FileOptions):
    """The flags of one run. An empty path or tuple means "not given"."""

    def __post_init__(self):
        if not 0 < self.scale_min <= self.scale_max:
            raise InputError(
                f"--scale_min={self.scale_min} and --scale_max={self.scale_max}: the jitter's "
                "scales must be above 0, the smaller one first."
            )

    def training_flags(self):
        """Name -> value of the flags that affect the training result."""
        return {name: getattr(self, name) for name in training_flags()}


def training_flags():
    """Names of the flags that affect the training result."""
    return [
        field.name for field in dataclasses.fields(Options) if field.metadata["affects_training"]
    ]
