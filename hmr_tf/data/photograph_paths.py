"""Finds the photographs of an annotation file, which may name paths on another machine."""

import collections
import os
import re
from pathlib import Path

from hmr_tf.files import listed_paths

COCO_SPLITS, COCO_YEARS = ("train", "val"), ("2014", "2017")


def find(folder, names):
    r"""Finds each photograph by its name below a folder, or by the longest tail that exists there.

    Upper case, spaces at the ends and composed accents count only where several files differ so.

    Args:
      folder: where the names start.
      names: dict: id -> name as in the file: "s1/a.jpg", "C:\photos\s1\a.jpg", "/home/me/s1/a.jpg",
        "http://server/s1/my%20photo.jpg".

    Returns:
      dict: id -> path; if there is no such file, of where it should be. And dict: id -> text, of
      ambiguous photographs: different names have the same tail.
    """
    files = _Files(str(folder))
    paths = {key: _find(folder, name, files) for key, name in names.items()}
    names_of = collections.defaultdict(set)
    for key, path in paths.items():
        names_of[path].add(names[key])
    ambiguous = {
        key: f"{path} may be {' or '.join(sorted(names_of[path]))}"
        for key, path in paths.items()
        if len(names_of[path]) > 1 and path != os.path.join(folder, names[key])
    }
    return paths, ambiguous


def _find(folder, name, files):
    as_given = os.path.join(folder, name)
    if os.path.isfile(as_given):
        return as_given
    tails = [tail for spelling in listed_paths.spellings(name) for tail in _tails(spelling)]
    exact = (os.path.join(folder, *tail) for tail in tails)
    path = next(filter(os.path.isfile, exact), None)
    return path or next(filter(None, map(files.find, tails)), as_given)


def _tails(name):
    """Lists of the parts of a path, without its drive: all of them, without the first, ..."""
    parts = re.split(r"[/\\]", re.sub(r"^[A-Za-z]:", "", name))
    parts = [part for part in parts if part.strip() not in ("", ".", "..")]
    return [parts[start:] for start in range(len(parts))]


class _Files:
    """The files below a folder, to be looked up without regard to upper case and accents' form."""

    def __init__(self, folder):
        self._folder = folder
        self._names = {}  # folder -> dict: name as it is compared -> names on disk

    def find(self, parts):
        """Path of the only file with these names, or None."""
        path = self._folder
        for part in parts:
            names = self._names_in(path).get(_comparable(part), [])
            if len(names) != 1:
                return None
            path = os.path.join(path, names[0])
        return path if os.path.isfile(path) else None

    def _names_in(self, path):
        if path not in self._names:
            by_name = self._names[path] = collections.defaultdict(list)
            for name in os.listdir(path) if os.path.isdir(path) else ():
                by_name[_comparable(name)].append(name)
        return self._names[path]


def _comparable(name):
    return listed_paths.composed(name).strip().casefold()


def coco_folders(data_dir, split="val"):
    """The folders of COCO's images below `data_dir`, as images/val2017 or val2017.

    Those of the split come first; in 2017 the images of 2014 were divided into other splits.
    """
    others = [other for other in COCO_SPLITS if other != split]
    names = [f"{part}{year}" for part in (split, *others) for year in COCO_YEARS]
    folders = [Path(data_dir) / parent / name for name in names for parent in ("images", ".")]
    return [folder for folder in folders if folder.is_dir()]


def coco_path(folders, file_name):
    """Path of a COCO image under its name of 2014 or 2017, or of where it should be.

    Args:
      folders: of `coco_folders`, at least one.
      file_name: "000000000785.jpg" or "COCO_train2014_000000000785.jpg".
    """
    number = re.sub(r"^COCO_(train|val)2014_", "", file_name)
    names = dict.fromkeys((file_name, number, *(f"COCO_{s}2014_{number}" for s in COCO_SPLITS)))
    paths = (os.path.join(folder, name) for name in names for folder in folders)
    return next(filter(os.path.isfile, paths), os.path.join(folders[0], file_name))
