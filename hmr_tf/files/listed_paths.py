"""Matches listed paths, perhaps of another machine, with files of this machine."""

import re
import unicodedata
import urllib.parse
from pathlib import Path

from hmr_tf.files.errors import InputError


def spellings(name):
    """The spellings of a listed path: as it is; of a URL, without its query; with %20 as a space.

    Returns:
      list of str, each once, the first as it is listed.
    """
    path = re.sub(r"[?#].*$", "", name) if "://" in name else name
    return list(dict.fromkeys((name, path, urllib.parse.unquote(path))))


def composed(name):
    """A name with composed letters: macOS writes an umlaut as a letter and two dots."""
    return unicodedata.normalize("NFC", name)


class ListedPaths:
    """The paths in a list, to be looked up by the paths of files.

    A listed path matches the file with the longest common end of the path. The extension
    counts only among several.
    """

    def __init__(self, names):
        """Args: names: iterable of str; / or \\ between folders, with or without an extension."""
        self._by_name = {}  # last part in lower case, with and without extension -> listed names
        for name in names:
            wholes = {_parts(spelling)[-1] for spelling in spellings(name) if _parts(spelling)}
            for key in {part.lower() for whole in wholes for part in (whole, _stem(whole))}:
                self._by_name.setdefault(key, []).append(name)

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
            {name: _match_quality(name, parts) for name in candidates}.items(), key=_second
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
                quality = _match_quality(names[path], _parts(Path(path).absolute()))
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
    parts = re.split(r"[\\/]+", composed(str(name)).strip())
    return [part for part in parts if part not in ("", ".")]


def _stem(name):
    return name.rsplit(".", 1)[0] or name


def _match_quality(name, parts):
    """Rank of a match: folders in common, none left over, same extension, same upper case."""
    of_spellings = [_parts(spelling) for spelling in spellings(name)]
    return max(_match_quality_of(listed, parts) for listed in of_spellings if listed)


def _match_quality_of(listed, parts):
    common = 0
    while common + 1 < min(len(listed), len(parts)) and listed[-common - 2] == parts[-common - 2]:
        common += 1
    same_extension = listed[-1].lower() == parts[-1].lower()
    return common, common + 1 == len(listed), same_extension, listed[-1] == parts[-1]


def _second(pair):
    return pair[1]
