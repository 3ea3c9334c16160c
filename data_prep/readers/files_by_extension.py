"""Files by their ending, in capitals too. macOS leaves ._NAME beside a file on other disks."""

from data_prep.reader_items import Skipped


def files_with_extension(paths, *endings):
    """Sorted list of the files with one of the lower-case endings; without hidden ones."""
    return sorted(path for path in paths if _has_ending(path, endings) and not _is_hidden(path))


def skipped_hidden_files(paths, *endings):
    """list of Skipped: the hidden ones of these files, which hold no data."""
    hidden = sorted(path for path in paths if _has_ending(path, endings) and _is_hidden(path))
    return [Skipped("hidden file", str(path)) for path in hidden]


def _has_ending(path, endings):
    return path.suffix.lower() in endings


def _is_hidden(path):
    return path.name.startswith(".")
