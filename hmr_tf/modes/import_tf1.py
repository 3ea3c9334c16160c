"""--mode=import_tf1: a checkpoint of the original becomes a --model_dir."""

from hmr_tf.modes.steps import needs, phase


def import_tf1(options):
    """--mode=import_tf1: a checkpoint of the original becomes a --model_dir."""
    needs(options, "load_path", "model_dir")
    with phase("Loading TensorFlow"):
        from hmr_tf.training import import_tf1
    with phase("Importing"):
        lines = import_tf1.import_tf1(
            options.load_path,
            options.model_dir,
            options.smpl_model_path,
            options.num_stage,
            options.keep_optimizer,
        )
    print(*lines, options.model_dir, sep="\n")
