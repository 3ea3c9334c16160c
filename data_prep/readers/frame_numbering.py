"""Detects whether the files of a sequence are numbered from 0 or from 1."""


def first_number(exists, num_frames, default):
    """Number of the file of the first frame.

    Args:
      exists: function: number -> whether there is such a file.
      num_frames: of the sequence; perhaps only some of their files are there.
      default: 0 or 1, of the layout, where the files do not tell.

    Returns:
      0 or 1.
    """
    if exists(0):
        return 0
    if exists(num_frames):
        return 1
    if exists(1) and not (default == 0 and exists(num_frames - 1)):
        return 1
    return default
