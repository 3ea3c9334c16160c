"""The paper's section 4.3 on photographs: 3D labels with the prior, the prior alone, neither.

    python -m benchmarks.results.prior_ablation --data_dir=TFRECORDS --output=logs/ablation
        [--load_path=MODEL] [--datasets=...] [--mocap_datasets=...] [--num_crops=54400]
        [--num_steps=6000] [--precision=bfloat16]

Three regressors are trained from the rest pose, equally long, on the same crops, by the training
step of `--mode=train` with the paper's weights. The encoder is that of --load_path and stays as it
is (`--freeze_backbone`), so that its features of the jittered crops are computed once. Each result
is a folder for `--mode=evaluate --load_path=`.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

import benchmarks
from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.cli.options import Options
from hmr_tf.files import atomic
from hmr_tf.networks import checkpoint, encoder, engines, released_weights
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.networks.hmr import HMR, IterativeRegressor, mean_theta
from hmr_tf.training import inputs
from hmr_tf.training.trainer import Trainer, adam

VARIANTS = ("3d_and_prior", "prior", "neither")  # folders of the output
_RATE, _LAST_RATE, _DISCRIMINATOR_RATE = 3e-4, 1e-6, 1e-4


def features_and_labels(network, batches, num_batches):
    """Arrays of the first batches, images replaced by their features.

    Args:
      network: encoder.
      batches: `pipeline.training_dataset`.
      num_batches: how many.

    Returns:
      dict of (N, ...) labels with `image`, (N, 2048); dict of (M, ...) motion capture.
    """
    compute = tf.function(lambda images: tf.cast(network(images, training=False), tf.float32))
    people, bodies = [], []
    for batch, mocap in batches.take(num_batches):
        labels = {name: value.numpy() for name, value in batch.items() if name != "image"}
        people.append({**labels, "image": compute(batch["image"]).numpy()})
        bodies.append({name: value.numpy() for name, value in mocap.items()})
    return _joined(people), _joined(bodies)


def train(people, bodies, body, options, variant, num_steps):
    """Trains one regressor; `people`, `bodies` of `features_and_labels`. -> IterativeRegressor."""
    keras.utils.set_random_seed(options.seed)
    features = keras.Input((encoder.NUM_FEATURES,))
    regressor = IterativeRegressor(mean_theta(), options.num_stage)
    hmr = HMR(keras.Model(features, features), regressor, SMPL(body))
    hmr(tf.zeros([1, encoder.NUM_FEATURES]))  # creates the variables
    has_prior = variant != "neither"
    trainer = Trainer(hmr, Discriminator() if has_prior else None, seed=options.seed)
    rate = keras.optimizers.schedules.PolynomialDecay(_RATE, num_steps, _LAST_RATE)
    trainer.compile(adam(rate), adam(_DISCRIMINATOR_RATE), steps_per_execution=10)
    trainer.fit(
        _dataset(people, bodies, options, variant), epochs=1, steps_per_epoch=num_steps, verbose=2
    )
    return regressor


def save(folder, regressor, hmr, body, options):
    """Writes a checkpoint of `hmr` with the weights of another regressor, which it keeps."""
    hmr.regressor.set_weights(regressor.get_weights())
    folder.mkdir(parents=True, exist_ok=True)
    params = {**dataclasses.asdict(options), checkpoint.BODY_DIGEST: body_model.digest(body)}
    atomic.write_text(folder / checkpoint.PARAMS, json.dumps(params, indent=2) + "\n")
    checkpoint.manager(checkpoint.hmr_parts(hmr), folder, 1).save(checkpoint_number=1)


def _dataset(people, bodies, options, variant):
    if variant != "3d_and_prior":
        none = np.zeros_like(people["has_joints"])
        people = {**people, "has_joints": none, "has_smpl": none}
    labelled = tf.data.Dataset.from_tensor_slices(people)
    labelled = labelled.shuffle(len(people["image"]), options.seed).repeat()
    labelled = labelled.batch(options.batch_size, drop_remainder=True)
    if variant == "neither":
        return labelled.map(lambda batch: (batch, {}))
    mocap = tf.data.Dataset.from_tensor_slices(bodies)
    mocap = mocap.shuffle(len(bodies["betas"]), options.seed).repeat()
    mocap = mocap.batch(options.num_stage * options.batch_size, drop_remainder=True)
    return tf.data.Dataset.zip((labelled, mocap))


def _joined(dicts):
    return {name: np.concatenate([d[name] for d in dicts]) for name in dicts[0]}


def architecture_of(load_path):
    """The Architecture of the network that --load_path names."""
    if released_weights.is_released(load_path):
        return released_weights.read().architecture
    return checkpoint.read_architecture(checkpoint.find(load_path))


def main():
    arguments = benchmarks.parser(__doc__)
    arguments.add_argument("--data_dir", required=True)
    arguments.add_argument("--output", required=True, type=Path)
    arguments.add_argument("--load_path", default="released")
    arguments.add_argument("--datasets", default="synthetic,lsp_ext,coco")
    arguments.add_argument("--mocap_datasets", default="CMU,fits")
    arguments.add_argument("--num_crops", default=54400, type=benchmarks.positive)
    arguments.add_argument("--num_steps", default=6000, type=benchmarks.positive)
    arguments.add_argument("--precision", choices=engines.PRECISIONS, default="float32")
    arguments = arguments.parse_args()
    atomic.check_folder("output", arguments.output)
    source, body = checkpoint.load_with_body(arguments.load_path)
    options = Options(
        data_dir=arguments.data_dir,
        datasets=tuple(arguments.datasets.split(",")),
        mocap_datasets=tuple(arguments.mocap_datasets.split(",")),
        augment_truncation=0.3,
        **architecture_of(arguments.load_path)._asdict(),
    )
    batches = inputs.training_dataset(options, inputs.find(options))
    network = encoder.cast(source.encoder, arguments.precision)
    people, bodies = features_and_labels(
        network, batches, max(1, arguments.num_crops // options.batch_size)
    )
    for variant in VARIANTS:
        regressor = train(people, bodies, body, options, variant, arguments.num_steps)
        save(arguments.output / variant, regressor, source, body, options)
        print(f"{variant}: {arguments.output / variant}", flush=True)


if __name__ == "__main__":
    benchmarks.run(main)
