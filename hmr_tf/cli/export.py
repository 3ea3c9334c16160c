"""--mode=export: a SavedModel or a TFLite file of a trained model."""

from pathlib import Path

from hmr_tf.cli.startup import begin, load, made, output, phase, writing
from hmr_tf.files.errors import InputError


def export(options):
    """Writes a SavedModel or a TFLite file to --output_dir."""
    if (options.export_format, options.export_dtype) == ("tflite", "bfloat16"):
        raise InputError("--export_format=tflite has no bfloat16: use float32 or float16.")
    begin(options)
    hmr = load(options)
    if options.export_format == "tflite":
        from hmr_tf.serving import tflite

        with phase("Converting"), output(options) as folder:
            path, error = tflite.export(hmr, folder, options.export_dtype)
        print(f"{path}: vertices at most {1e3 * error:.2g} mm from those of TensorFlow")
    else:
        from hmr_tf.serving import saved_model

        folder = Path(options.output_dir)  # a server would load it while it is empty
        with phase("Writing the SavedModel"), writing(options), made(folder.parent):
            saved_model.export(hmr, folder, options.export_dtype)
        print(folder)
