"""--mode=train: the network, trained."""

from hmr_tf.cli.startup import begin


def train(options):
    """Trains the network; writes checkpoints and TensorBoard's files to --model_dir."""
    begin(options)
    from hmr_tf.training import run

    run.train(options)
