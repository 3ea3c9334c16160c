"""Going on with a training: where, with the same flags, its counters as they stood."""

import dataclasses
import json
import time
from pathlib import Path

import tensorflow as tf
from absl import logging

from hmr_tf.body import body_model
from hmr_tf.cli import options as flags
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint
from hmr_tf.training.callbacks import validation


def folder(config):
    """Where a run writes to: --model_dir, the folder of --load_path, or a new one.

    The best network of a run is only read: what goes on from it is a run of its own.

    Raises:
      InputError: another training is there.
    """
    begun = Path(checkpoint.find(config.load_path)).parent if config.load_path else None
    if begun and (begun / validation.RECORD).exists():
        begun = None
    new = Path("logs") / time.strftime("HMR_%Y%m%d_%H%M%S")
    chosen = Path(config.model_dir) if config.model_dir else begun or new
    goes_on = begun and chosen.resolve() == begun.resolve()
    if not goes_on and tf.train.latest_checkpoint(str(chosen)):
        raise InputError(
            f"--model_dir={chosen} holds a training already: name another folder, or leave it out "
            f"and pass --load_path={chosen}."
        )
    return chosen


def refuse_another_body(body, made_of, prefix):
    """InputError for another body than a checkpoint was trained with, wherever its file is now.

    Args:
      body: `body_model.BodyModel`.
      made_of: Architecture, with the paths that it was read from.
      prefix: of the checkpoint.
    """
    known = checkpoint.read_params(prefix).get(checkpoint.BODY_DIGEST)
    then = checkpoint.architecture(prefix)
    if known is None and then != made_of:  # an imported model, whose body is beside it
        known = body_model.digest(build.read_body(then))
    if known not in (None, body_model.digest(body)):
        path = made_of.smpl_model_path or "the built-in one"
        raise InputError(
            f"--smpl_model_path: {path} is another body than --load_path was trained with "
            f"({then.smpl_model_path or 'the built-in one'}), or its keypoints are others: pass "
            "the same, from whatever place."
        )


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
