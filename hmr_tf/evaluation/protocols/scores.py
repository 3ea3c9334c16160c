"""Scores of an evaluation: numbers over all people, by group, and for each person."""

from typing import NamedTuple

import numpy as np

from hmr_tf.files.errors import InputError


class Scores(NamedTuple):
    """Names of metrics end in their unit: _mm, _px, or _percent."""

    metrics: dict  # name -> number, over all people
    tables: dict  # "action", "sequence", "joint" ... -> {row: {metric: number}}
    errors: dict  # name -> (N,) of each person; nan where there is no label


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
