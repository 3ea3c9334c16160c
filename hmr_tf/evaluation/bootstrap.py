"""Intervals of an evaluation's metrics: the bootstrap over sequences or photographs.

Frames of one sequence are alike, so that whole sequences are drawn again, as many as there are,
with replacement: each metric of the drawn people is one resample, and the middle 95 % of them are
the interval (Efron and Tibshirani 1993, chapter 13, percentile interval).
"""

from typing import NamedTuple

import numpy as np

from hmr_tf.evaluation.protocols import scores

RESAMPLES, SEED, PERCENT = 1000, 0, 95
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
    if len(people.names) < 2:
        return {}
    return {name: interval(values) for name, values in resample(terms, people).items()}


def interval(values):
    """[low, high] of the middle 95 % of (R,) resamples; None if none is finite."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    tail = (100 - PERCENT) / 2
    return np.percentile(values, [tail, 100 - tail]).tolist()


def resample(terms, people):
    """Metrics of the resamples: name -> (R,), of the same resamples for all.

    Args as `intervals`.
    """
    functions = {name: _of_group_weights(term, people) for name, term in terms.items()}
    parts = [
        {name: function(weights) for name, function in functions.items()}
        for weights in _draws(len(people.names))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in terms}


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
    """The metric as a function of the groups' weights: (r, G) -> (r,)."""
    if isinstance(term, scores.Terms):
        sums = [_group_sums(part, people) for part in term.columns()]
        return lambda weights: term.of_sums(*(weights.astype(float) @ part for part in sums))
    if isinstance(term, scores.Median):
        values, order = term.ascending()
        group = people.of_person[order]
        return lambda weights: _each(
            lambda row: scores.median_of_sorted(values, row[group]), weights
        )
    return lambda weights: _each(lambda row: term(row[people.of_person]), weights)


def _each(function, rows):
    return np.array([function(row) for row in rows], float)


def _group_sums(values, people):
    """(N, A) -> (G, A) sums of the people of each group."""
    columns = [
        np.bincount(people.of_person, weights=column, minlength=len(people.names))
        for column in values.T
    ]
    return np.stack(columns, axis=1)
