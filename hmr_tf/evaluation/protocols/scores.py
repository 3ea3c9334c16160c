"""Scores of an evaluation: numbers over all people, by group, and for each person."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from hmr_tf.files.errors import InputError


class Terms(NamedTuple):
    """A metric as factor * sum of numerators / sum of denominators over the people.

    With A columns it is the mean of the A ratios; columns without a denominator are left out.
    """

    numerator: np.ndarray  # (N,) or (N, A) of each person; 0 where there is no label
    denominator: np.ndarray  # the same shape
    factor: float = 1.0

    def of_sums(self, numerator, denominator):
        """The metric from sums over people: (..., A) twice -> (...)."""
        is_known = denominator > 0
        ratios = np.where(is_known, numerator, 0.0) / np.where(is_known, denominator, 1.0)
        count = is_known.sum(-1)
        return np.where(count, self.factor * ratios.sum(-1) / np.maximum(count, 1), np.nan)

    def columns(self):
        """The numerators and the denominators, both (N, A)."""
        return tuple(np.reshape(part, (len(part), -1)) for part in self[:2])

    def __call__(self, weights):
        """The metric, each person counted (N,) `weights` times; nan without any."""
        return float(self.of_sums(*(weights @ part for part in self.columns())))


class Median(NamedTuple):
    """A metric as the median of the people; nan is left out."""

    values: np.ndarray  # (N,)

    def __call__(self, weights):
        """The median, each person counted (N,) int `weights` times; nan without any."""
        values, order = self.ascending()
        return median_of_sorted(values, weights[order])

    def ascending(self):
        """The finite values in ascending order, and the people they belong to."""
        order = np.argsort(self.values)[: np.isfinite(self.values).sum()]
        return self.values[order], order


def median_of_sorted(values, weights):
    """As `np.median` of the ascending (N,) `values`, each of them `weights` times; nan if none."""
    ends = np.cumsum(weights)
    if not len(ends) or not ends[-1]:
        return float("nan")
    middle = np.searchsorted(ends, [(ends[-1] - 1) // 2, ends[-1] // 2], side="right")
    return float(values[middle].mean())


class Scores(NamedTuple):
    """Names of metrics end in their unit: _mm, _px, or _percent.

    `terms`: name -> `Terms`, `Median`, or another function of weights (N,) int that returns the
    metric with each person counted so many times, for `bootstrap`. A metric that is the mean of
    `errors` of the same name needs none; one with neither has no interval.
    """

    metrics: dict  # name -> number, over all people
    tables: dict  # "action", "sequence", "joint" ... -> {row: {metric: number}}
    errors: dict  # name -> (N,) of each person; nan where there is no label
    terms: Mapping = MappingProxyType({})
    used: Mapping = MappingProxyType({})  # what was measured: subject -> words, where flags vary it


def mean_terms(values, factor=1.0):
    """Terms of the mean of (N,) values, of the finite ones."""
    known = np.isfinite(values)
    return Terms(np.where(known, values, 0.0), known.astype(float), factor)


def ratio_terms(values, counts, factor=1.0):
    """Terms of the mean of the (N, K) values where `counts`, (N, K) bool."""
    return Terms(np.where(counts, values, 0.0).sum(1), counts.sum(1).astype(float), factor)


def unweighted(term):
    """The metric of a `Terms` or `Median`, each person counted once."""
    return term(np.ones(len(term[0]), int))


def terms_of(measured):
    """Terms of every metric of the Scores that has them: name -> as in `Scores.terms`."""
    means = {name: mean_terms(values) for name, values in measured.errors.items()}
    terms = {**means, **measured.terms}
    return {name: terms[name] for name in measured.metrics if name in terms}


def by_group(groups, metrics_of, order=None):
    """Metrics of the people of each group.

    Args:
      groups: (N,) name of the group of each person.
      metrics_of: (N,) bool, the members of a group -> dict of numbers.
      order: names in the order of the result; None: in order of appearance.

    Returns:
      {name: {"frames": number of people, metric: number}}
    """
    names = list(dict.fromkeys(groups.tolist()))
    names = [name for name in order if name in names] if order else names
    rows = {}
    for name in names:
        is_member = groups == name
        rows[name] = {"frames": int(is_member.sum()), **metrics_of(is_member)}
    return rows


def mean_of_rows(rows):
    """The mean of each column of some rows of a table, every row counting the same."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: sum(values) if name == "frames" else float(np.mean(values))
        for name, values in columns.items()
    }


_SHOWN = {"best": 0.0, "median": 0.5, "95th percentile": 0.95, "worst": 1.0}


def representative(errors, shares=_SHOWN):
    """People for the report: {title: index}.

    Args:
      errors: (N,) ranks the people; nan is left out.
      shares: {title: share of the people who are better}.

    Raises:
      InputError: no person has an error.
    """
    order = np.argsort(errors, kind="stable")[: np.isfinite(errors).sum()]
    if not len(order):
        raise InputError("No person has labels to compare with: choose other data.")
    return {name: int(order[round(share * (len(order) - 1))]) for name, share in shares.items()}
