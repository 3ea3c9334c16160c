"""Intervals of an evaluation's metrics: the bootstrap over sequences or photographs.

Frames of one sequence are alike, so that whole sequences are drawn again, as many as there are,
with replacement: each metric of the drawn people is one resample, and the middle 95 % of them are
the interval (Efron and Tibshirani 1993, chapter 13, percentile interval).
"""

import hashlib
from typing import NamedTuple

import numpy as np

from hmr_tf.evaluation.protocols import scores

RESAMPLES, SEED, PERCENT = 1000, 0, 95
_DIGESTED = 3  # resamples of `draws_digest`
_WEIGHTS_AT_ONCE = 2**22  # of resamples times groups, to bound the memory


class Groups(NamedTuple):
    """Groups in the order of their names, so that the order of the people changes no interval."""

    names: np.ndarray  # (G,)
    of_person: np.ndarray  # (N,) index in `names`


def groups(clusters):
    """Groups of the (N,) names of `EvaluationSet.clusters`."""
    return Groups(*np.unique(clusters, return_inverse=True))


def settings(people, is_by_photograph):
    """dict for results.json: how many groups of what are drawn, how often.

    Args:
      people: Groups.
      is_by_photograph: (N,) bool, as of `EvaluationSet`.
    """
    kinds = [
        kind
        for kind, is_there in (
            ("sequences", not is_by_photograph.all()),
            ("photographs", is_by_photograph.any()),
        )
        if is_there
    ]
    return {
        "resamples": RESAMPLES,
        "seed": SEED,
        "groups": len(people.names),
        "of": " and ".join(kinds),
    }


def intervals(terms, people):
    """95 % intervals.

    Args:
      terms: name -> as in `Scores.terms`, of N people.
      people: Groups of the N people.

    Returns:
      name -> [low, high]; None where no resample has the labels. Empty with one group.
    """
    return intervals_of(resample(terms, people))


def intervals_of(resamples):
    """`intervals` of the resamples of `resample`."""
    return {name: interval(values) for name, values in resamples.items()}


def interval(values):
    """[low, high] of the middle 95 % of (R,) resamples; None if none is finite."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    tail = (100 - PERCENT) / 2
    return np.percentile(values, [tail, 100 - tail]).tolist()


def resample(terms, people):
    """Metrics of the resamples: name -> (R,), of the same resamples for all.

    Args and groups as in `intervals`.
    """
    if len(people.names) < 2:
        return {}
    sums = {name: term for name, term in terms.items() if isinstance(term, scores.Terms)}
    others = {
        name: _of_group_weights(term, people) for name, term in terms.items() if name not in sums
    }
    columns = [_group_sums(part, people) for term in sums.values() for part in term.columns()]
    ends = np.cumsum([part.shape[1] for part in columns])[:-1]
    columns = np.concatenate(columns, axis=1) if columns else None
    resamples = {name: [] for name in terms}
    for weights in _draws(len(people.names)):
        if sums:
            parts = iter(np.split(weights.astype(float) @ columns, ends, axis=1))
        for name, term in sums.items():
            resamples[name].append(term.of_sums(next(parts), next(parts)))
        for name, function in others.items():
            resamples[name].append(np.array([function(row) for row in weights], float))
    return {name: np.concatenate(values) for name, values in resamples.items()}


def draws_digest(num_groups):
    """SHA-256 of the first resamples: those of two runs are only paired if it is the same."""
    first = next(_draws(num_groups))[:_DIGESTED]
    return hashlib.sha256(f"{RESAMPLES} {first.shape}".encode() + first.tobytes()).hexdigest()


def _draws(num_groups):
    """Yields (r, G) int32: how many times each group is in each resample, R rows altogether."""
    rng = np.random.default_rng(SEED)
    rows = max(_WEIGHTS_AT_ONCE // num_groups, 1)
    for start in range(0, RESAMPLES, rows):
        counts = [
            np.bincount(rng.integers(num_groups, size=num_groups), minlength=num_groups)
            for _ in range(min(rows, RESAMPLES - start))
        ]
        yield np.array(counts, np.int32)


def _of_group_weights(term, people):
    """A metric of no sums as a function of the groups' weights: (G,) -> number."""
    if isinstance(term, scores.Median):
        values, order = term.ascending()
        group = people.of_person[order]
        return lambda weights: scores.median_of_sorted(values, weights[group])
    return lambda weights: term(weights[people.of_person])


def _group_sums(values, people):
    """(N, A) -> (G, A) sums of the people of each group."""
    columns = [
        np.bincount(people.of_person, weights=column, minlength=len(people.names))
        for column in values.T
    ]
    return np.stack(columns, axis=1)
