"""Draws a TensorBoard scalar of one or several trainings as an SVG file.

    python -m benchmarks.results.learning_curves --model_dirs=logs/a,logs/b \
        --tag=validation/keypoints_px --label="px of the crop" --output=curve.svg
"""

from pathlib import Path

import tensorflow as tf

import benchmarks
from hmr_tf.evaluation.report import charts
from hmr_tf.files.errors import InputError


def read(model_dir, tag):
    """Steps and values of a scalar, in order; InputError if there are none."""
    values_of = {}
    for path in sorted((Path(model_dir) / "tensorboard").glob("events*")):
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(serialized)
            for value in event.summary.value:
                if value.tag == tag:
                    values_of[event.step] = float(tf.make_ndarray(value.tensor))
    if not values_of:
        raise InputError(f"no {tag} in {model_dir}: name a --model_dir and a curve of TensorBoard.")
    steps = sorted(values_of)
    return steps, [values_of[step] for step in steps]


def main():
    parser = benchmarks.parser(__doc__)
    for name in ("model_dirs", "tag", "label", "output"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    folders = options.model_dirs.split(",")
    series = {Path(folder).name: read(folder, options.tag) for folder in folders}
    try:
        Path(options.output).write_text(charts.lines(series, "step", options.label) + "\n")
    except OSError as error:
        raise InputError(
            f"--output={options.output} cannot be written: {error.strerror}"
        ) from error


if __name__ == "__main__":
    benchmarks.run(main)
