"""What an evaluation comes to: numbers over all people, by group, and for each person."""

from typing import NamedTuple

import numpy as np

from hmr_tf.files.errors import InputError


class Scores(NamedTuple):
    """Names of metrics end in their unit: _mm, _px, or _percent."""

    metrics: dict  # name -> number, over everybody
    tables: dict  # "action", "sequence", "joint" ... -> {row: {metric: number}}
    errors: dict  # name -> (N,) of each person; nan where the truth says nothing


def by_group(groups, metrics_of, order=None):
    """Metrics of the people of each group.

    Args:
      groups: (N,) name of each person's.
      metrics_of: (N,) bool who -> dict of numbers.
      order: names, of which those that occur are kept in that order; None: as they come.

    Returns:
      {name: {"frames": number of people, metric: number}}
    """
    names = list(dict.fromkeys(groups.tolist()))
    names = [name for name in order if name in names] if order else names
    rows = {}
    for name in names:
        who = groups == name
        rows[name] = {"frames": int(who.sum()), **metrics_of(who)}
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
    """Which people to show: {title: index}.

    Args:
      errors: (N,) what people are ranked by; nan is left out.
      shares: {title: share of the people who are better}.

    Raises:
      InputError: nobody has an error.
    """
    order = np.argsort(errors, kind="stable")[: np.isfinite(errors).sum()]
    if not len(order):
        raise InputError("Nobody has labels to compare with: choose other data.")
    return {name: int(order[round(share * (len(order) - 1))]) for name, share in shares.items()}
