"""Resumes a training run from --load_path: its checkpoint, folder, flags and steps."""

import dataclasses
import json
import time
from pathlib import Path
from typing import NamedTuple

from absl import logging

from hmr_tf.body import body_model
from hmr_tf.files import checkpoint_files
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint
from hmr_tf.training.callbacks import validation


class Resume(NamedTuple):
    """The checkpoint of --load_path, looked up once: a later one does not change the run."""

    prefix: str
    params: dict  # of params.json
    architecture: build.Architecture

    @property
    def folder(self):
        """Path of the folder with the checkpoint."""
        return Path(self.prefix).parent

    @property
    def is_imported(self):
        """Whether --mode=import_tf1 made it."""
        return checkpoint.IMPORTED in self.params


def find(load_path):
    """Resume of --load_path, or None where it is empty; InputError for what is not a checkpoint."""
    if not load_path:
        return None
    prefix = checkpoint.find(load_path)
    params = checkpoint.read_params(prefix)
    return Resume(prefix, params, checkpoint.read_architecture(prefix, params))


def run_folder(options, resumed):
    """The folder of a run: --model_dir, the folder of --load_path, or a new one.

    The folder of a run's best network is only read: a run resumed from it has another folder.

    Args:
      options: `cli.options.Options`.
      resumed: Resume, or None for a fresh training.

    Raises:
      InputError: another training is there.
    """
    old = resumed.folder if resumed else None
    if old and (old / validation.RECORD).exists():
        old = None
    new = Path("logs") / time.strftime("HMR_%Y%m%d_%H%M%S")
    folder = Path(options.model_dir) if options.model_dir else old or new
    checkpoint_files.refuse_pattern(folder, "model_dir")
    is_same = old and folder.resolve() == old.resolve()
    if not is_same and checkpoint.newest(folder):
        raise checkpoint_files.another_run(folder)
    return folder


def refuse_another_body(body, architecture, resumed):
    """InputError for another body than the checkpoint was trained with; its file may move.

    Args:
      body: `body_model.BodyModel`.
      architecture: Architecture, with the paths that it was read from.
      resumed: Resume.
    """
    known, old = resumed.params.get(checkpoint.BODY_DIGEST), resumed.architecture
    if known is None and old != architecture:  # an imported model has its body in its folder
        known = body_model.digest(build.read_body(old))
    if known not in (None, body_model.digest(body)):
        path = architecture.smpl_model_path or "the built-in one"
        raise InputError(
            f"--smpl_model_path: {path} is another body than --load_path was trained with "
            f"({old.smpl_model_path or 'the built-in one'}), or has other keypoints: pass the same "
            "body; its file may be in another folder."
        )


def changed_flags(options, params):
    """The flags that affect the training result and differ from those in a params.json.

    Returns:
      list of (name, old value, new value); flags that params.json does not have are left out.
    """
    new = json.loads(json.dumps(options.training_flags()))
    old = {name: params.get(name, value) for name, value in new.items()}
    return [(name, old[name], new[name]) for name in new if old[name] != new[name]]


def check_flags(options, params):
    """Whether flags differ from those in params.json; logs them as a table.

    Raises:
      InputError: flags differ, and --allow_changed_flags was not given.
    """
    changes = changed_flags(options, params)
    if not changes:
        return False
    rows = [("flag", "trained with", "now")]
    rows += [(f"--{name}", _shown(old), _shown(new)) for name, old, new in changes]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    logging.warning("%s", "\n".join(lines))
    if not options.allow_changed_flags:
        raise InputError(
            f"--load_path was trained with other flags ({len(changes)}, shown above): pass those "
            "it was trained with, which are in its params.json, or --allow_changed_flags."
        )
    return True


def _shown(value):
    return ",".join(value) if isinstance(value, list) else str(value)


@dataclasses.dataclass(frozen=True)
class Steps:
    """The steps and epochs of `fit()`."""

    per_epoch: int
    epochs: int
    done: int  # steps of earlier runs
    end: int  # the last step

    @classmethod
    def plan(cls, num_people, options, done):
        """Args: num_people: to train on; options: Options; done: steps of earlier runs.

        Raises:
          InputError: there is nothing left to do.
        """
        per_epoch = max(num_people // options.batch_size, 1)
        end = options.num_steps or options.epoch * per_epoch
        if done >= end:
            raise InputError(
                f"--load_path is at step {done}, and training ends at step {end}: ask for more "
                "with --epoch or --num_steps."
            )
        return cls(per_epoch, -(-end // per_epoch), done, end)

    @property
    def first_epoch(self):
        """Number of the epoch to resume in; the first one is 0."""
        return self.done // self.per_epoch

    @property
    def first_step(self):
        """Number of the step in that epoch to resume with."""
        return self.done % self.per_epoch
