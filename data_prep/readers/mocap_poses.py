"""Motion capture for the pose prior: poses of many files, at 25 Hz, in shuffled order."""

import numpy as np

from data_prep.reader_items import MocapPose, Skipped
from hmr_tf.files.errors import InputError

HZ = 25
_MAX_HZ = 1e5
MAX_NUMBER = 1e6  # larger than any angle or coefficient


def shuffled(paths, read_file, seed, reason):
    """Yields a Skipped for each unreadable file, then all poses in shuffled order.

    Args:
      paths: files, in a fixed order.
      read_file: path -> (N, 72) poses and (10,) betas that pass `check`; raises InputError.
      seed: of the order of the poses.
      reason: of the Skipped.
    """
    poses, betas = [], []
    for path in paths:
        try:
            file_poses, file_betas = read_file(path)
        except InputError as error:
            yield Skipped(reason, str(error))
            continue
        poses.append(file_poses.astype(np.float32))
        betas.append(np.broadcast_to(file_betas.astype(np.float32), (len(file_poses), 10)))
    if not poses:
        return
    poses, betas = np.concatenate(poses), np.concatenate(betas)
    for row in np.random.default_rng(seed).permutation(len(poses)):
        yield MocapPose(poses[row], betas[row])


def check(path, poses, betas):
    """Raises InputError unless these are (N, 72) poses in radians and (10,) betas, finite."""
    if poses.ndim != 2 or poses.shape[1] != 72 or betas.shape != (10,):
        shapes = (" x ".join(map(str, array.shape)) for array in (poses, betas))
        raise InputError("{}: {} poses and {} betas; not N x 72 and 10".format(path, *shapes))
    if not all((np.abs(numbers) < MAX_NUMBER).all() for numbers in (poses, betas)):  # and not NaN
        raise InputError(f"{path}: some poses or betas are not numbers")
    angles = np.linalg.norm(poses.reshape(-1, 24, 3)[:, 1:], axis=-1)  # without the root's
    if angles.size and np.mean(angles > 2 * np.pi) > 0.05:
        raise InputError(f"{path}: its angles go to {angles.max():.0f}: degrees, not radians")


def rows_at_25_hz(num_rows, rate_hz):
    """Indices of the rows nearest to every 1/25 s; all rows if the rate is lower.

    Raises:
      InputError: the rate is below 1 Hz, as the time of a frame is, or far too high.
    """
    if not 1 <= rate_hz < _MAX_HZ:
        raise InputError(f"its frame rate is {rate_hz:g} Hz")
    step = max(rate_hz / HZ, 1.0)
    return np.round(np.arange(0, num_rows - 0.5, step)).astype(int)
