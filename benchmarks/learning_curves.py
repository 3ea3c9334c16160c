"""Draws a curve of TensorBoard for one training or several, as an SVG file.

    python -m benchmarks.learning_curves --model_dirs=logs/a,logs/b --tag=validation/keypoints_px \
        --label="px of the crop" --output=curve.svg
"""

from pathlib import Path

import tensorflow as tf

import benchmarks
from hmr_tf.evaluation.report import charts
from hmr_tf.files.errors import InputError


def read(model_dir, tag):
    """Steps and values, in the order of the steps; InputError where there are none."""
    found = {}
    for path in sorted((Path(model_dir) / "tensorboard").glob("events*")):
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(serialized)
            for value in event.summary.value:
                if value.tag == tag:
                    found[event.step] = float(tf.make_ndarray(value.tensor))
    if not found:
        raise InputError(f"no {tag} in {model_dir}: name a --model_dir and a curve of TensorBoard.")
    steps = sorted(found)
    return steps, [found[step] for step in steps]


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
