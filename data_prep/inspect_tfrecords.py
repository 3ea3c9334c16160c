"""python data_prep/inspect_tfrecords.py --data_dir=TFRECORDS --datasets=coco,lsp_ext [flags]

Reads converted datasets back: every checksum, every image, every count of the index. Prints a table
and, with --output, draws people with their keypoints on one picture, to check left and right.
Exit code 1 if something is broken.
"""

import os
import sys
from pathlib import Path

# `python data_prep/inspect_tfrecords.py` puts data_prep/ on the path, not the folder that holds it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from absl import flags

from hmr_tf.cli import command_line
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError

# Not absl's global flags: hmr_tf.main's may have the same names in one process.
OPTIONS = flags.FlagValues()
COLUMNS = ("dataset", "split", "files", "records", "index", "joints", "SMPL", "points", "facing")
COLUMNS += ("truth", "truth_px")


def _define_flags():
    options = {"flag_values": OPTIONS}
    flags.DEFINE_string("data_dir", "", "Folder of the TFRecords of all datasets.", **options)
    flags.DEFINE_list("datasets", [], "Datasets to read, as coco,lsp_ext.", **options)
    flags.DEFINE_list("mocap_datasets", [], "Motion capture to read, as CMU.", **options)
    flags.DEFINE_string("split", "train", "train, val, test, ...", **options)
    flags.DEFINE_string("output", "", "PNG file to draw people on; empty: none.", **options)
    flags.DEFINE_integer(
        "people", 18, "How many people of each dataset to draw.", lower_bound=1, **options
    )


_define_flags()


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help")
    if not (OPTIONS.datasets or OPTIONS.mocap_datasets):
        raise InputError("--datasets is empty: name at least one, as in --datasets=lsp_ext,coco")
    if OPTIONS.output:
        atomic.check_file("output", OPTIONS.output, ".png")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # nothing here runs on a GPU
    from data_prep.checking import inspection
    from hmr_tf.data import shards

    num_drawn = OPTIONS.people if OPTIONS.output else 0
    inspections = [
        inspection.inspect_people(
            name, OPTIONS.split, shards.find(OPTIONS.data_dir, name, OPTIONS.split), num_drawn
        )
        for name in OPTIONS.datasets
    ]
    if OPTIONS.mocap_datasets:
        files = shards.find_mocap(OPTIONS.data_dir, OPTIONS.mocap_datasets)
        inspections += [inspection.inspect_mocap(name, paths) for name, paths in files.items()]
    _print_table(inspections)
    faults = [fault for one in inspections for fault in one.faults]
    for fault in faults:
        print(f"broken: {fault}")
    if OPTIONS.output:
        inspection.write_sheet(OPTIONS.output, inspections)
        print(f"people: {OPTIONS.output}")
    return 1 if faults else 0


def _print_table(inspections):
    rows = [COLUMNS, *(one.row() for one in inspections)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for name, *values in rows:
        cells = [name.ljust(widths[0]), *(v.rjust(w) for v, w in zip(values, widths[1:]))]
        print("  ".join(cells))
    print(
        "points: mean number of labelled keypoints, of 19; facing: people whose left shoulder is "
        "further right in\nthe picture, usually well over half: if far fewer, left and right are "
        "swapped"
    )
    if any(one.num_truth for one in inspections):
        print(
            "truth: records with measured SMPL parameters; truth_px: distance of the limbs' "
            "keypoints from its\nprojected joints, where people are 150 px tall: if it is tens of "
            "pixels, the camera is wrong"
        )


if __name__ == "__main__":
    command_line.run(main, OPTIONS)
