"""--mode=train: trains the network; checkpoints and TensorBoard's files go to --model_dir."""


def train(options):
    """--mode=train: trains the network; checkpoints and TensorBoard's files go to --model_dir."""
    from hmr_tf.training import run

    run.train(options)
