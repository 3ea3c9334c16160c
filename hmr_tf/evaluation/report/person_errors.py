"""The errors of each person of an evaluation, kept beside results.json for later comparisons."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from hmr_tf.evaluation import bootstrap
from hmr_tf.files import atomic, safe_npz
from hmr_tf.files.errors import InputError

FILE = "people.npz"
_FORMAT = 1
_MAX_SIZE_PX = 4096  # of crops; larger ones would need much memory to draw
_TEXTS = ("data_digest", "draws_digest", "predictions_digest", "mesh_digest")
_PER_PERSON = ("group", "shard", "number", "filename")
# Field -> the kind of its arrays, one for each name.
_KINDS = {"errors": "f", "resamples": "f", "attributes": "U"}
_KEYS = ("format", "image_size", "paths", *_TEXTS, *_PER_PERSON, *_KINDS)


class PersonErrors(NamedTuple):
    """N people of one evaluation."""

    data_digest: str  # of people and labels: only runs on the same people are compared
    draws_digest: str  # of the resamples: only the same ones are paired
    group: np.ndarray  # (N,) number of the person's group, of `bootstrap.Groups`
    paths: np.ndarray  # of the TFRecord files, or of photographs
    shard: np.ndarray  # (N,) index in `paths`
    number: np.ndarray  # (N,) number of the record in that file, from 0
    filename: np.ndarray  # (N,) of the photograph
    errors: dict  # as `Scores.errors`
    resamples: dict  # as of `bootstrap.resample`; empty with one group
    attributes: Mapping = MappingProxyType({})  # as `person_groups.attributes`
    predictions_digest: str = ""  # of the files in the folder of predictions; empty: none
    mesh_digest: str = ""  # of the model's body, `SMPL.mesh_digest`
    image_size: int = 0  # side of the model's crops, pixels


def of(people, errors, resamples, attributes):
    """PersonErrors of an EvaluationSet, without what is known of the model.

    Args:
      people: EvaluationSet.
      errors, resamples, attributes: see PersonErrors.
    """
    groups = bootstrap.groups(people.clusters)
    return PersonErrors(
        data_digest=people.data_digest,
        draws_digest=bootstrap.draws_digest(len(groups.names)),
        group=groups.of_person,
        paths=np.array([str(path.resolve()) for path in people.paths]),
        shard=people.file,
        number=people.number,
        filename=np.array([name.decode(errors="replace") for name in people.truth["filename"]]),
        errors=errors,
        resamples=resamples,
        attributes=attributes,
    )


def write(folder, people):
    """Writes the PersonErrors into a Path, as people.npz: completely or not at all."""
    arrays = {"format": _FORMAT, **people._asdict()}
    for kind in _KINDS:
        named = arrays.pop(kind)
        arrays[kind] = np.array(list(named), "U")
        arrays.update({f"{kind}/{name}": values for name, values in named.items()})
    with atomic.atomic_write(folder / FILE) as unfinished, open(unfinished, "wb") as file:
        np.savez_compressed(file, **arrays)


def read(folder):
    """PersonErrors of the folder of a results.json; None where it has no people.npz.

    Raises:
      InputError: the file is damaged or of another version.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    head = safe_npz.load(path, _KEYS)
    try:
        if int(head.pop("format")) != _FORMAT:
            raise InputError(f"{path} is of another version: evaluate again.")
        return _people_from_arrays(path, head)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise InputError(f"{path} is not of --mode=evaluate: evaluate again.") from error


def _people_from_arrays(path, head):
    num_people = len(head["group"])
    _check([len(head[name]) == num_people for name in _PER_PERSON])
    _check([head[name].dtype.kind in "iu" for name in ("group", "shard", "number")])
    _check([((head["shard"] >= 0) & (head["shard"] < len(head["paths"]))).all()])
    named = {}
    for field, kind in _KINDS.items():
        keys = {name: f"{field}/{name}" for name in head[field].tolist()}
        arrays = safe_npz.load(path, tuple(keys.values()))
        named[field] = {name: arrays[key] for name, key in keys.items()}
        count = bootstrap.RESAMPLES if field == "resamples" else num_people
        _check([x.shape == (count,) and x.dtype.kind == kind for x in named[field].values()])
    _check([0 <= int(head["image_size"]) <= _MAX_SIZE_PX])
    texts = {name: str(head[name]) for name in _TEXTS}
    return PersonErrors(**{**head, **texts, **named, "image_size": int(head["image_size"])})


def _check(conditions):
    if not all(conditions):
        raise ValueError("arrays of other shapes")
