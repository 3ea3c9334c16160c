"""Finds photographs that an annotation file may name by their paths on another machine."""

import collections
import os
import re
import urllib.parse


def find(folder, names):
    r"""Finds each photograph by its name below a folder, or by the longest tail that exists there.

    Args:
      folder: where the names start.
      names: dict: id -> name as in the file: "s1/a.jpg", "C:\photos\s1\a.jpg", "/home/me/s1/a.jpg",
        "http://server/s1/my%20photo.jpg".

    Returns:
      dict: id -> path; if there is no such file, of where it should be. And dict: id -> text, of
      ambiguous photographs: different names have the same tail.
    """
    paths = {key: _find(folder, name) for key, name in names.items()}
    names_of = collections.defaultdict(set)
    for key, path in paths.items():
        names_of[path].add(names[key])
    ambiguous = {
        key: f"{path} may be {' or '.join(sorted(names_of[path]))}"
        for key, path in paths.items()
        if len(names_of[path]) > 1 and path != os.path.join(folder, names[key])
    }
    return paths, ambiguous


def _find(folder, name):
    as_given = os.path.join(folder, name)
    if os.path.isfile(as_given):
        return as_given
    for path in (name, urllib.parse.unquote(name)):
        parts = re.split(r"[/\\]", re.sub(r"^[A-Za-z]:", "", path))
        parts = [part for part in parts if part not in ("", ".", "..")]
        tails = (os.path.join(folder, *parts[start:]) for start in range(len(parts)))
        tail = next(filter(os.path.isfile, tails), None)
        if tail:
            return tail
    return as_given
