"""--mode=train: the network, trained."""


def train(options):
    """Trains the network; writes checkpoints and TensorBoard's files to --model_dir."""
    from hmr_tf.training import run

    run.train(options)
