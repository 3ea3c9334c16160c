"""--mode=import_tf1: a checkpoint of the original becomes a --model_dir."""

from hmr_tf.cli.command_line import timed_phase
from hmr_tf.cli.mode_steps import announce_and_load_tensorflow, require_flags


def import_tf1(options):
    """Converts a checkpoint of the original (TF1) into a --model_dir."""
    require_flags(options, "load_path", "model_dir")
    announce_and_load_tensorflow(options)
    from hmr_tf.training import tf1_import

    with timed_phase("Importing"):
        lines = tf1_import.import_tf1(
            options.load_path,
            options.model_dir,
            smpl_model_path=options.smpl_model_path,
            num_stage=options.num_stage,
            keep_optimizer=options.keep_optimizer,
        )
    print(*lines, options.model_dir, sep="\n")
