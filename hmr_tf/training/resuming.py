"""Going on with a training: its flags must be the same, and its counters go on where they stood."""

import dataclasses
import json

from absl import logging

from hmr_tf import config as flags
from hmr_tf.errors import InputError
from hmr_tf.networks import checkpoint


def changed_flags(config, prefix):
    """Which flags steer elsewhere than those a checkpoint was trained with.

    Returns:
      list of (name, value then, value now); of what params.json does not name, nothing is known.
    """
    then = checkpoint.read_params(prefix)
    now = json.loads(json.dumps(dataclasses.asdict(config)))
    names = [name for name in flags.steering() if name in then]
    return [(name, then[name], now[name]) for name in names if then[name] != now[name]]


def refuse_changes(config, prefix):
    """Shows changed flags as a table; InputError unless they are allowed."""
    changes = changed_flags(config, prefix)
    if not changes:
        return
    rows = [("flag", "trained with", "now")]
    rows += [(f"--{name}", _shown(then), _shown(now)) for name, then, now in changes]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    logging.warning("%s", "\n".join(lines))
    if not config.allow_changed_flags:
        raise InputError(
            f"--load_path was trained with other flags ({len(changes)}, shown above): pass those "
            "it was trained with, which are in its params.json, or --allow_changed_flags."
        )


def _shown(value):
    return ",".join(value) if isinstance(value, list) else str(value)


@dataclasses.dataclass(frozen=True)
class Steps:
    """How fit() counts."""

    per_epoch: int
    epochs: int
    done: int  # steps trained before
    end: int  # the step to stop after

    @classmethod
    def plan(cls, num_people, config, done):
        """Args: num_people: to train on; config: Config; done: steps trained before.

        Raises:
          InputError: there is nothing left to do.
        """
        per_epoch = max(num_people // config.batch_size, 1)
        end = config.num_steps or config.epoch * per_epoch
        if done >= end:
            raise InputError(
                f"--load_path is at step {done}, and training ends at step {end}: ask for more "
                "with --epoch or --num_steps."
            )
        return cls(per_epoch, -(-end // per_epoch), done, end)

    @property
    def first_epoch(self):
        """Number of the epoch to go on in; the first one is 0."""
        return self.done // self.per_epoch

    @property
    def first_step(self):
        """Number of the step in that epoch to go on with."""
        return self.done % self.per_epoch
