"""Files by extension, in capitals too. macOS leaves ._NAME beside a file on other disks."""

from data_prep.reader_items import Skipped


def files_with_extension(paths, *extensions):
    """Sorted list of the files with one of the lower-case extensions; without hidden ones."""
    return sorted(path for path in _with_extension(paths, extensions) if not _is_hidden(path))


def skipped_hidden_files(paths, *extensions):
    """list of Skipped: the hidden ones of these files, which hold no data."""
    hidden = sorted(path for path in _with_extension(paths, extensions) if _is_hidden(path))
    return [Skipped("hidden file", str(path)) for path in hidden]


def _with_extension(paths, extensions):
    return (path for path in paths if path.suffix.lower() in extensions)


def _is_hidden(path):
    return path.name.startswith(".")
