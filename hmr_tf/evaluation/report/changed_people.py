"""The people whose error differs most between two runs, and pictures of them."""

import functools
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.evaluation import cached_predictions
from hmr_tf.evaluation.report import people_pictures
from hmr_tf.files.errors import InputError
from hmr_tf.rendering import drawing

_SHOWN_PX = 224  # side of a panel


def most_changed(difference, groups, count):
    """The people with the lowest and the highest difference, best first, one of each group.

    Args:
      difference: (N,) of the errors; nan is left out.
      groups: (N,) numbers of the groups of `bootstrap.Groups`; frames of a sequence look alike.
      count: how many of each at most.

    Returns:
      Two lists of indices: people with less error, and people with more.
    """
    order = np.argsort(difference, kind="stable")[: np.isfinite(difference).sum()]

    def first_of_groups(people):
        by_group = {}
        for person in people:
            by_group.setdefault(int(groups[person]), int(person))
            if len(by_group) == count:
                break
        return list(by_group.values())

    gained = first_of_groups(person for person in order if difference[person] < 0)
    lost = first_of_groups(person for person in order[::-1] if difference[person] > 0)
    return gained, lost


class Pictures:
    """Draws people of two runs from their crops and kept predictions."""

    def __init__(self, runs, smpl_model_path=""):
        """Args:
        runs: two `comparison.Run` with people.
        smpl_model_path: SMPL file; empty: as `body_model.find`. A body is only drawn if it is
          the one of the run's model.
        """
        self._runs = runs
        read_smpl = functools.lru_cache(lambda path: SMPL(body_model.read_model(path)))
        self._bodies = []
        for run in runs:
            paths = _existing(
                [body_model.find(smpl_model_path), body_model.BUILT_IN, body_model.BUILT_IN_1_0]
            )
            bodies = (read_smpl(path) for path in paths)
            self._bodies.append(
                next((x for x in bodies if x.mesh_digest() == run.people.mesh_digest), None)
            )
        self._kept = functools.lru_cache(_kept_predictions)

    @property
    def have_bodies(self):
        """Whether the bodies of both models are there."""
        return all(body is not None and len(body.faces) for body in self._bodies)

    def draw(self, person):
        """(H, W, 3) uint8 of one person: the crop, then each run's panels; None without data."""
        people = self._runs[0].people
        path, number = Path(str(people.paths[people.shard[person]])), int(people.number[person])
        rows = [self._kept(run.folder, path, run.people.predictions_digest) for run in self._runs]
        if any(kept is None or number >= len(kept["theta"]) for kept in rows):
            return None
        panels = []
        for run, body, kept in zip(self._runs, self._bodies, rows):
            try:
                image = cached_predictions.read_crop(path, number, run.people.image_size)
            except (tf.errors.OpError, StopIteration):
                return None
            pixels = drawing.uint8_from_norm(image).numpy()
            predicted = {name: values[number] for name, values in kept.items()}
            body = body if self.have_bodies else None
            drawn = people_pictures.draw_prediction(pixels, predicted, body)
            panels += drawn if panels else [pixels, *drawn]
        return np.concatenate([_resized(panel) for panel in panels], axis=1)


def _existing(paths):
    return [path for path in dict.fromkeys(paths) if path.is_file()]


def _kept_predictions(folder, path, digest):
    """Predictions of a run for one TFRecord file, None where either is not there any more."""
    if path.suffix != ".tfrecord" or not path.is_file():
        return None
    try:
        return cached_predictions.read_kept(folder / cached_predictions.FOLDER, path, digest)
    except (OSError, InputError):
        return None


def _resized(panel):
    return cv2.resize(panel, (_SHOWN_PX, _SHOWN_PX), interpolation=cv2.INTER_AREA)
