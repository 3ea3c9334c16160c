"""python -m data_prep.mean_params --data_dir=TFRECORDS [--mocap_datasets=CMU,...] [--output=FILE]

Computes the mean pose and shape of converted motion capture, with which the regressor starts, and
writes neutral_smpl_mean_params.h5 in the form of the original's file, which can no longer be
downloaded. Pass the file to hmr_tf.main as --mean_params_path.
"""

import os
from pathlib import Path

import h5py
import numpy as np
from absl import flags
from scipy.spatial.transform import Rotation

from hmr_tf.cli import command_line
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError

OPTIONS = flags.FlagValues()
_BATCH = 4096
# Attributes of PyTables and deepdish, which wrote the original's file and read it.
_FILE_ATTRIBUTES = {
    "CLASS": np.bytes_("GROUP"),
    "DEEPDISH_IO_VERSION": 11,
    "PYTABLES_FORMAT_VERSION": np.bytes_("2.1"),
    "TITLE": np.bytes_(""),
    "VERSION": np.bytes_("1.0"),
}
_ARRAY_ATTRIBUTES = {
    "CLASS": np.bytes_("ARRAY"),
    "FLAVOR": np.bytes_("numpy"),
    "TITLE": h5py.Empty("S1"),
    "VERSION": np.bytes_("2.4"),
}


def _define_flags():
    options = {"flag_values": OPTIONS}
    flags.DEFINE_string("data_dir", "", "Folder of the TFRecords of all datasets.", **options)
    flags.DEFINE_list(
        "mocap_datasets",
        ["CMU", "H3.6", "jointLim"],
        "Converted motion capture; all poses have the same weight.",
        **options,
    )
    flags.DEFINE_string(
        "output", "models/neutral_smpl_mean_params.h5", "File to write or replace.", **options
    )


_define_flags()


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help")
    if not OPTIONS.data_dir:
        raise InputError("--data_dir is missing: the folder of the TFRecords; see --help")
    atomic.check_file("output", OPTIONS.output)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    from hmr_tf.data import shards

    files = shards.paths(shards.find_mocap(OPTIONS.data_dir, OPTIONS.mocap_datasets))
    pose, betas, number = mean_of_shards(files)
    write(OPTIONS.output, pose, betas)
    print(f"{OPTIONS.output}: the mean of {number} poses in {len(files)} files")


def mean_of_shards(files):
    """Mean (72,) pose, without global rotation, and (10,) betas of all records; their number.

    Raises:
      InputError: a file is corrupt, or there is no record.
    """
    return mean_of_batches(_batches(files))


def mean_of_batches(batches):
    """The same from batches of (B, 24, 3) poses and (B, 10) betas.

    The mean rotation minimizes the sum of squared Frobenius distances. The mean of axis-angles
    would be wrong: rotations by nearly pi and nearly -pi are neighbours, but their mean is zero.
    """
    from hmr_tf.body import rotation

    sum_rotations, sum_betas, number = np.zeros((24, 3, 3)), np.zeros(10), 0
    for poses, betas in batches:
        rotations = Rotation.from_rotvec(np.reshape(poses, (-1, 3))).as_matrix()
        sum_rotations += rotations.reshape(-1, 24, 3, 3).sum(axis=0)
        sum_betas += np.sum(betas, axis=0, dtype=float)
        number += len(betas)
    if not number or not (np.isfinite(sum_rotations).all() and np.isfinite(sum_betas).all()):
        raise InputError(f"the {number} poses of --mocap_datasets have no mean: convert them again")
    pose = Rotation.from_matrix(rotation.nearest_rotation(sum_rotations)).as_rotvec()
    pose[0] = 0  # the global rotation has no mean
    return pose.ravel(), sum_betas / number, number


def _batches(files):
    import tensorflow as tf

    from hmr_tf.data import record

    records = tf.data.TFRecordDataset([str(path) for path in files]).map(record.decode_mocap)
    try:
        for batch in records.batch(_BATCH):
            yield batch["pose"].numpy(), batch["betas"].numpy()
    except tf.errors.OpError:
        record.check_shards(files, record.decode_mocap)  # raises and names the file
        raise


def write(path, pose, betas):
    """Writes (72,) pose and (10,) betas; the file is complete or not there.

    Raises:
      InputError: it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.atomic_write(path) as unfinished, h5py.File(unfinished, "w") as file:
            file.attrs.update(_FILE_ATTRIBUTES)
            for name, array in (("pose", pose), ("shape", betas)):
                dataset = file.create_dataset(name, data=np.asarray(array, "<f8"))
                dataset.attrs.update(_ARRAY_ATTRIBUTES)
    except (OSError, RuntimeError) as error:  # h5py raises either for a full disk
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot write --output={path} ({reason}); choose another") from error


if __name__ == "__main__":
    command_line.run(main, OPTIONS)
