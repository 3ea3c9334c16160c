"""--mode=train: the network, trained."""

from hmr_tf.cli.mode_steps import announce_and_load_tensorflow


def train(options):
    """Trains the network; writes checkpoints and TensorBoard's files to --model_dir."""
    announce_and_load_tensorflow(options)
    from hmr_tf.training import run

    run.train(options)
