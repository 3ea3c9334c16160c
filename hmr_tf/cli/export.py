"""--mode=export: a SavedModel or a TFLite file of a trained model."""

from pathlib import Path

from hmr_tf.cli.command_line import timed_phase
from hmr_tf.cli.mode_steps import (
    announce_and_load_tensorflow,
    load,
    new_folder,
    os_errors_as_input_errors,
    output_folder,
)
from hmr_tf.files.errors import InputError


def export(options):
    """Writes a SavedModel or a TFLite file to --output_dir."""
    if (options.export_format, options.export_dtype) == ("tflite", "bfloat16"):
        raise InputError("--export_format=tflite has no bfloat16: use float32 or float16.")
    announce_and_load_tensorflow(options)
    hmr = load(options)
    if options.export_format == "tflite":
        from hmr_tf.serving import tflite

        with timed_phase("Converting"), output_folder(options) as folder:
            path, error = tflite.export(hmr, folder, options.export_dtype)
        print(f"{path}: vertices at most {1e3 * error:.2g} mm from those of TensorFlow")
    else:
        from hmr_tf.serving import saved_model

        folder = Path(options.output_dir)  # a server would load it while it is empty
        with (
            timed_phase("Writing the SavedModel"),
            os_errors_as_input_errors(options),
            new_folder(folder.parent),
        ):
            saved_model.export(hmr, folder, options.export_dtype)
        print(folder)
