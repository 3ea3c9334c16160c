"""Counts who is left out of a conversion, and why."""

import collections

from data_prep.labelled import MocapPose, Noted, Skipped

MAX_LISTED_PROBLEMS = 1000


class Tally:
    """Of one shard, or of a whole split."""

    def __init__(self):
        self.skipped = collections.Counter()  # reason -> number
        self.has_3d = False  # whether any record has joints or is a posed body
        self.num_problems = 0  # of those skipped, whom no rule of the dataset leaves out
        self.problems = []  # the first of them: dicts of reason and where
        self.notes = collections.Counter()  # what is noted of the records -> number

    def keep(self, items):
        """Yields people and poses; books the rest."""
        for item in items:
            if isinstance(item, Noted):
                self.notes[item.note] += item.number
                continue
            if not isinstance(item, Skipped):
                has_joints = getattr(item, "lsp_joints", None) is not None
                self.has_3d |= has_joints or isinstance(item, MocapPose)
                yield item
                continue
            self.skipped[item.reason] += 1
            if item.is_problem:
                self.num_problems += 1
                self._list([{"reason": item.reason, "where": item.where}])

    def add(self, counts):
        """Books what the `counts` of another Tally say."""
        self.skipped.update(counts["skipped"])
        self.notes.update(counts["notes"])
        self.has_3d |= counts["has_3d"]
        self.num_problems += counts["num_problems"]
        self._list(counts["problems"])

    def counts(self):
        """All of it as JSON takes it."""
        return {
            "has_3d": self.has_3d,
            "skipped": dict(sorted(self.skipped.items())),
            "num_problems": self.num_problems,
            "problems": self.problems,
            "notes": dict(sorted(self.notes.items())),
        }

    def summary(self):
        """As "3 skipped (no keypoints: 2, image missing: 1)"."""
        reasons = ", ".join(f"{reason}: {n}" for reason, n in self.skipped.most_common())
        return f"{sum(self.skipped.values())} skipped" + (f" ({reasons})" if reasons else "")

    def _list(self, problems):
        self.problems += problems[: MAX_LISTED_PROBLEMS - len(self.problems)]
