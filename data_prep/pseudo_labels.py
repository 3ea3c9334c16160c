"""python data_prep/pseudo_labels.py --data_dir=TFRECORDS --datasets=coco --output_dir=DIR [flags]

Writes converted records with 2D keypoints again, with SMPL parameters and 3D joints where the
3D landmarks and the labels agree. The landmarks are BlazePose's, made once by
`python -m tools.blazepose --output=models/blazepose`, or a file of landmarks from elsewhere, see
docs/datasets.md. Counts and reasons are in pseudo_index.json beside the shards, people to look at
in fits.png. The same command resumes a stopped run.
"""

import sys
from pathlib import Path

# `python data_prep/pseudo_labels.py` puts data_prep/ on the path, not the folder that holds it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from absl import flags

from hmr_tf.cli import command_line
from hmr_tf.data import shards
from hmr_tf.files import atomic, optional_models
from hmr_tf.files.errors import InputError

# Not absl's global flags: hmr_tf.main's may have the same names in one process.
OPTIONS = flags.FlagValues()


def _define_flags():
    options = {"flag_values": OPTIONS}
    flags.DEFINE_string("data_dir", "", "Folder of the TFRecords of all datasets.", **options)
    flags.DEFINE_list("datasets", [], "Datasets to read, as coco,lsp_ext.", **options)
    flags.DEFINE_string("split", "train", "train, val, test, ...", **options)
    flags.DEFINE_string("output_dir", "", "Folder for the new TFRecords.", **options)
    flags.DEFINE_string(
        "teacher",
        "",
        "Folder that tools.blazepose made. Empty: models/blazepose if it is there.",
        **options,
    )
    flags.DEFINE_string(
        "landmarks",
        "",
        "Landmarks of the people instead of --teacher: .npz of one dataset, or a folder with "
        "DATASET.npz of each.",
        **options,
    )
    flags.DEFINE_integer("steps", 250, "Steps of the fit.", lower_bound=5, **options)
    flags.DEFINE_integer("people", 24, "People in fits.png; 0: no picture.", **options)


_define_flags()


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help")
    for name in ("data_dir", "datasets", "output_dir"):
        if not OPTIONS[name].value:
            raise InputError(f"--{name} is missing; see --help")
    if Path(OPTIONS.output_dir).resolve() == Path(OPTIONS.data_dir).resolve():
        raise InputError("--output_dir is --data_dir: name another folder for the new records")
    if OPTIONS.landmarks and OPTIONS.teacher:
        raise InputError("--landmarks and --teacher both give the landmarks: pass one")
    atomic.check_folder("output_dir", OPTIONS.output_dir)
    files = {name: shards.find(OPTIONS.data_dir, name, OPTIONS.split) for name in OPTIONS.datasets}
    for name in files:
        optional_models.landmarks_file(OPTIONS.landmarks, OPTIONS.teacher, name)
    command_line.write_and_load_tensorflow(_announcement(files))
    from data_prep import pseudo_labelling

    sources = {
        name: pseudo_labelling.landmark_source(
            OPTIONS.landmarks, OPTIONS.teacher, name, shards.count_records(paths)
        )
        for name, paths in files.items()
    }
    for name, paths in files.items():
        try:
            summary = pseudo_labelling.write_pseudo_labels(
                paths,
                sources[name],
                data_dir=OPTIONS.data_dir,
                output_dir=OPTIONS.output_dir,
                num_steps=OPTIONS.steps,
                num_drawn=OPTIONS.people,
            )
        except OSError as error:
            reason = error.strerror or error
            raise InputError(
                f"--output_dir={OPTIONS.output_dir} cannot be written: {reason}"
            ) from error
        print(f"{name}: {summary}")


def _announcement(files):
    """The line before the work.

    Args:
      files: dict: dataset -> its shards.
    """
    number = shards.count_records(shards.paths(files))
    people = f"{number:,} people ({', '.join(files)}; {OPTIONS.split}) of {OPTIONS.data_dir}"
    source = f"the landmarks of {OPTIONS.landmarks or OPTIONS.teacher or 'models/blazepose'}"
    return f"Fits SMPL to {people} and {source} in 1 process. Output: {OPTIONS.output_dir}.\n"


if __name__ == "__main__":
    command_line.run(main, OPTIONS)
