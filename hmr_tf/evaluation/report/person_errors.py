"""The errors of each person of an evaluation, kept beside results.json for later comparisons."""

from typing import NamedTuple

import numpy as np

from hmr_tf.evaluation import bootstrap
from hmr_tf.evaluation.protocols import scores
from hmr_tf.files import atomic, safe_npz
from hmr_tf.files.errors import InputError

FILE = "people.npz"
_FORMAT = 1
_TEXTS = ("data_digest", "predictions_digest", "mesh_digest")
_PER_PERSON = ("group", "shard", "number", "filename")
_KEYS = (
    *("format", "image_size", "groups", "paths", "errors", "sums", "medians", "attributes"),
    *_TEXTS,
    *_PER_PERSON,
)


class PersonErrors(NamedTuple):
    """N people of one evaluation."""

    data_digest: str  # of people and labels: only runs on the same people are compared
    predictions_digest: str  # of the files in the folder of predictions
    mesh_digest: str  # of the model's body, `SMPL.mesh_digest`
    image_size: int  # side of the model's crops, pixels
    groups: bootstrap.Groups
    paths: np.ndarray  # of the TFRecord files
    shard: np.ndarray  # (N,) index in `paths`
    number: np.ndarray  # (N,) number of the record in that file, from 0
    filename: np.ndarray  # (N,) of the photograph
    errors: dict  # as `Scores.errors`
    terms: dict  # as `bootstrap.sum_by_group`: `Terms` of groups, `Median` of people
    attributes: dict  # as `person_groups.attributes`


def of(people, measured, attributes, hmr, predictions_digest):
    """PersonErrors of an evaluation.

    Args:
      people: EvaluationSet with predictions.
      measured: Scores.
      attributes: of `person_groups.attributes`.
      hmr: the model.
      predictions_digest: digest that `cached_predictions.predict_files` was given.
    """
    groups = bootstrap.groups(people.clusters)
    terms = bootstrap.sum_by_group(scores.terms_of(measured), groups)
    return PersonErrors(
        data_digest=people.data_digest,
        predictions_digest=predictions_digest,
        mesh_digest=hmr.smpl.mesh_digest(),
        image_size=hmr.image_size,
        groups=groups,
        paths=np.array([str(path.resolve()) for path in people.paths]),
        shard=people.file,
        number=people.number,
        filename=np.array([name.decode(errors="replace") for name in people.truth["filename"]]),
        errors=measured.errors,
        terms={
            name: term
            for name, term in terms.items()
            if isinstance(term, (scores.Terms, scores.Median))
        },
        attributes=attributes,
    )


def write(folder, people):
    """Writes the PersonErrors into a Path, as people.npz: completely or not at all."""
    sums = {name: term for name, term in people.terms.items() if isinstance(term, scores.Terms)}
    medians = {name: term for name, term in people.terms.items() if name not in sums}
    arrays = {
        "format": _FORMAT,
        "image_size": people.image_size,
        **{name: getattr(people, name) for name in (*_TEXTS, "paths", *_PER_PERSON[1:])},
        "groups": people.groups.names,
        "group": people.groups.of_person,
        "errors": _names(people.errors),
        "sums": _names(sums),
        "medians": _names(medians),
        "attributes": _names(people.attributes),
        **{f"errors/{name}": values for name, values in people.errors.items()},
        **{f"medians/{name}": term.values for name, term in medians.items()},
        **{f"attributes/{name}": values for name, values in people.attributes.items()},
    }
    for name, term in sums.items():
        arrays.update({f"sums/{name}/{part}": values for part, values in term._asdict().items()})
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
        if int(head["format"]) != _FORMAT:
            raise InputError(f"{path} is of another version: evaluate again.")
        return _people_from_arrays(path, head)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise InputError(f"{path} is not of --mode=evaluate: evaluate again.") from error


def _people_from_arrays(path, head):
    num_people, num_groups = len(head["group"]), len(head["groups"])
    _check([len(head[name]) == num_people for name in _PER_PERSON])
    for name, end in (("group", num_groups), ("shard", len(head["paths"]))):
        _check([head[name].dtype.kind in "iu", ((0 <= head[name]) & (head[name] < end)).all()])

    def per_person(kind, dtype):
        keys = {name: f"{kind}/{name}" for name in head[kind].tolist()}
        arrays = safe_npz.load(path, tuple(keys.values()))
        arrays = {name: arrays[key] for name, key in keys.items()}
        _check([x.shape == (num_people,) and x.dtype.kind == dtype for x in arrays.values()])
        return arrays

    sums = {name: _sums(path, name, num_groups) for name in head["sums"].tolist()}
    medians = {name: scores.Median(x) for name, x in per_person("medians", "f").items()}
    return PersonErrors(
        image_size=int(head["image_size"]),
        groups=bootstrap.Groups(head["groups"], head["group"]),
        errors=per_person("errors", "f"),
        terms={**sums, **medians},
        attributes=per_person("attributes", "U"),
        **{name: str(head[name]) for name in _TEXTS},
        **{name: head[name] for name in ("paths", *_PER_PERSON[1:])},
    )


def _sums(path, name, num_groups):
    keys = [f"sums/{name}/{part}" for part in scores.Terms._fields]
    arrays = safe_npz.load(path, keys)
    numerator, denominator, factor = (arrays[key].astype(float) for key in keys)
    is_right = numerator.ndim == 2 and len(numerator) == num_groups
    _check([is_right, numerator.shape == denominator.shape])
    return scores.Terms(numerator, denominator, float(factor))


def _check(conditions):
    if not all(conditions):
        raise ValueError("arrays of other shapes")


def _names(values):
    return np.array(list(values), "U")
