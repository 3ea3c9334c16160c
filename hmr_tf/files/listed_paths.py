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
        """Args: names: iterable of str; / or \\ between folders, with or without an extension."""
        self._by_name = {}  # last part in lower case, with and without extension -> listed names
        for name in names:
            last = _parts(name)[-1:]
            for key in {part for whole in last for part in (whole, _stem(whole))}:
                self._by_name.setdefault(key.lower(), []).append(name)

    def find(self, path):
        """The listed name that matches a file, or None.

        Raises:
          InputError: two listed names fit equally well.
        """
        parts = _parts(Path(path).absolute())
        candidates = [
            name
            for key in {parts[-1].lower(), _stem(parts[-1]).lower()}
            for name in self._by_name.get(key, ())
        ]
        ranked = sorted(
            {name: _match_quality(_parts(name), parts) for name in candidates}.items(), key=_second
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
        names, matches_by_name = {}, {}
        for path in paths:
            try:
                names[path] = self.find(path)
            except InputError as error:
                names[path] = error
            if isinstance(names[path], str):
                quality = _match_quality(_parts(names[path]), _parts(Path(path).absolute()))
                matches_by_name.setdefault(names[path], []).append((quality, path))
        for name, matches in matches_by_name.items():
            best = max(quality for quality, _ in matches)
            best_paths = [path for quality, path in matches if quality == best]
            for quality, path in matches:
                if quality < best:
                    names[path] = None
                elif len(best_paths) > 1:
                    names[path] = InputError(
                        f"{name} may be {best_paths[0]} or {best_paths[1]}: list the photographs "
                        "with their folders."
                    )
        return names


def trailing_number(name):
    """The number at the end of a listed name's stem, or None: a/frame_0012.png -> 12.

    An extension has a letter: v2.13 ends with 13. A table's 12.0 is 12.
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


def _match_quality(listed, parts):
    """Rank of a match: folders in common, none left over, same extension, same upper case."""
    common = 0
    while common + 1 < min(len(listed), len(parts)) and listed[-common - 2] == parts[-common - 2]:
        common += 1
    same_extension = listed[-1].lower() == parts[-1].lower()
    return common, common + 1 == len(listed), same_extension, listed[-1] == parts[-1]


def _second(pair):
    return pair[1]
