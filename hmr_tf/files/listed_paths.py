"""Matches listed paths, perhaps of another machine, with files of this machine."""

import re
from pathlib import Path

from hmr_tf.files.errors import InputError


class ListedPaths:
    """The paths in a list, to be looked up by the paths of files.

    A listed path matches the file with the longest common end of the path. The extension
    counts only among several.
    """

    def __init__(self, names):
        """Args: names: iterable of str; with / or \\ between folders, with an ending or without."""
        self._by_name = {}  # last part in lower case, with and without ending -> listed names
        for name in names:
            last = _parts(name)[-1:]
            for key in {part for whole in last for part in (whole, _stem(whole))}:
                self._by_name.setdefault(key.lower(), []).append(name)

    def find(self, path):
        """The listed name that matches a file, or None.

        Raises:
          InputError: two listed names fit equally well.
        """
        here = _parts(Path(path).absolute())
        candidates = [
            name
            for key in {here[-1].lower(), _stem(here[-1]).lower()}
            for name in self._by_name.get(key, ())
        ]
        ranked = sorted(
            {name: _match_quality(_parts(name), here) for name in candidates}.items(), key=_second
        )
        if len(ranked) > 1 and ranked[-1][1] == ranked[-2][1]:
            first, second = sorted(name for name, _ in ranked[-2:])
            raise InputError(
                f"{path} may be {first} or {second}: list the photographs with their folders."
            )
        return ranked[-1][0] if ranked else None

    def find_all(self, paths):
        """dict: path -> listed name, None, or the InputError that `find` raises.

        A listed name matches one file: of several the one it fits best, or none, with an
        error, where it fits two equally well.
        """
        names, fits = {}, {}
        for path in paths:
            try:
                names[path] = self.find(path)
            except InputError as error:
                names[path] = error
            if isinstance(names[path], str):
                fit = _match_quality(_parts(names[path]), _parts(Path(path).absolute()))
                fits.setdefault(names[path], []).append((fit, path))
        for name, rivals in fits.items():
            best = max(fit for fit, _ in rivals)
            winners = [path for fit, path in rivals if fit == best]
            for fit, path in rivals:
                if fit < best:
                    names[path] = None
                elif len(winners) > 1:
                    names[path] = InputError(
                        f"{name} may be {winners[0]} or {winners[1]}: list the photographs with "
                        "their folders."
                    )
        return names


def trailing_number(name):
    """The number that a listed name ends with, before its ending: a/frame_0012.png -> 12; None.

    An ending has a letter: v2.13 ends with 13. A table's 12.0 is 12.
    """
    last = (_parts(name) or [""])[-1]
    whole = re.fullmatch(r"([0-9]{1,18})\.0+", last)
    stem = re.sub(r"\.(?![0-9]+$)[^.]*$", "", last)
    digits = whole or re.search(r"([0-9]{1,18})$", stem)
    return int(digits[1]) if digits else None


def _parts(name):
    return [part for part in re.split(r"[\\/]+", str(name).strip()) if part not in ("", ".")]


def _stem(name):
    return name.rsplit(".", 1)[0] or name


def _match_quality(listed, here):
    """How well a listed path fits: folders in common, none left over, the ending, upper case."""
    common = 0
    while common + 1 < min(len(listed), len(here)) and listed[-common - 2] == here[-common - 2]:
        common += 1
    same_ending = listed[-1].lower() == here[-1].lower()
    return common, common + 1 == len(listed), same_ending, listed[-1] == here[-1]


def _second(pair):
    return pair[1]
