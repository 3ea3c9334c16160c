"""Time of a whole training step over the bare encoder's forward and backward pass.

    python -m benchmarks.training_step [--batch_size=8] [--repeats=7] [--only=float32,bfloat16,...]

The bare step is ResNet-50 v2 with the gradient of its features and no optimizer, in float32 and in
bfloat16. "original" is our step with the original's SMPL: three whole meshes, a tiled 4x4 matrix
for every vertex. All alternate in one process: a round is one call of each, every other round in
the opposite order. Printed: medians over the rounds; the median of each round's ratio, of the time
and of the processor time, which other work on the machine moves less; and the most memory the
process had held when each had run once. Floor: the encoder's multiply-adds, 3.5 G an image forward
and twice that backward, at the rate of a 2048-square matrix product.
"""

import resource
import statistics
import time

import tensorflow as tf
from tensorflow import keras

import benchmarks
from benchmarks.baselines import original_smpl
from hmr_tf.body import body_model, camera, theta
from hmr_tf.body.rotation import matrix_from_axis_angle
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.networks.hmr import HMR
from hmr_tf.networks.prediction import Prediction
from hmr_tf.training.trainer import Trainer, adam

FLOP_PER_IMAGE = 3 * 2 * 3.5e9
SQUARE = 2048
RATIOS = (
    ("step, float32", "bare, float32"),
    ("step, bfloat16", "bare, bfloat16"),
    ("step, original", "step, float32"),
    ("step, float32", "step, bfloat16"),
    ("fused Adam", "Keras's Adam"),
)


def random_data(batch_size, image_size, num_stage=3):
    """A batch and mocap of the pipeline's shapes."""
    normal = tf.random.normal
    batch = {
        "image": tf.random.uniform([batch_size, image_size, image_size, 3], -1, 1),
        "keypoints2d_norm": tf.concat(
            [normal([batch_size, 19, 2]), tf.ones([batch_size, 19, 1])], axis=-1
        ),
        "lsp_joints": normal([batch_size, 14, 3]),
        "rotations": normal([batch_size, 24, 3, 3]),
        "betas": normal([batch_size, 10]),
        "has_joints": tf.ones([batch_size], tf.bool),
        "has_smpl": tf.ones([batch_size], tf.bool),
    }
    real = num_stage * batch_size
    return batch, {"rotations": normal([real, 23, 3, 3]), "betas": normal([real, 10])}


def bare_step(encoder):
    """Forward and backward of the encoder alone."""

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(encoder(images, training=True)))
        return tape.gradient(loss, encoder.trainable_variables)

    return step


def _update(optimizer, variables):
    """The optimizer alone, on gradients that are zero."""
    gradients = [tf.zeros_like(variable) for variable in variables]
    if hasattr(optimizer, "build"):
        optimizer.build(variables)

    @tf.function
    def step():
        optimizer.apply_gradients(zip(gradients, variables))
        return optimizer.iterations.read_value()

    return lambda: step().numpy()


class OriginalHMR(HMR):
    """The same network with the original's SMPL after every stage."""

    def __init__(self, hmr, body):
        super().__init__(hmr.encoder, hmr.regressor, hmr.smpl)
        self._pose_bodies = original_smpl.layer(body)

    def predictions_from_thetas(self, thetas):
        return tuple(self._prediction(one) for one in thetas)

    def _prediction(self, whole):
        weak_camera, pose, betas = theta.split(whole)
        vertices, joints = self._pose_bodies(pose, betas)
        points = camera.project(joints, weak_camera)
        rotations = matrix_from_axis_angle(pose)
        return Prediction(
            theta=whole,
            camera=weak_camera,
            rotations=rotations,
            betas=betas,
            vertices=vertices,
            joints3d=joints,
            smpl_joints=None,
            keypoints2d_norm=points,
        )


def training_step(hmr, data):
    trainer = Trainer(hmr, Discriminator())
    trainer.compile(adam(1e-5), adam(1e-4))
    step = tf.function(trainer.train_step)
    return lambda: step(data)["encoder/total"].numpy()


def measure_alternately(steps, repeats):
    """Runs `steps` (name -> callable) in turns.

    Returns:
      Seconds of each, name -> list; seconds of all its threads; and peak memory, name -> GiB.
    """
    times, processor, peaks = {name: [] for name in steps}, {name: [] for name in steps}, {}
    for name, step in steps.items():
        step()
        peaks[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    for repeat in range(repeats):
        for name in list(steps)[:: -1 if repeat % 2 else 1]:
            start, processor_start = time.perf_counter(), time.process_time()
            steps[name]()
            processor[name].append(time.process_time() - processor_start)
            times[name].append(time.perf_counter() - start)
    return times, processor, peaks


def median_ratio(above, below):
    """Median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(above, below))


def steps_of(data):
    """Name -> callable."""
    body, image = body_model.read_model(), data[0]["image"]
    steps = {}
    for precision in ("float32", "bfloat16"):
        hmr = build.build(build.Architecture(), body, mixed_precision=precision)
        bare = bare_step(hmr.encoder)
        steps[f"bare, {precision}"] = lambda bare=bare: bare(image)[0].numpy()
        steps[f"step, {precision}"] = training_step(hmr, data)
        if precision == "float32":
            variables = hmr.encoder.trainable_variables
            steps["step, original"] = training_step(OriginalHMR(hmr, body), data)
            steps["fused Adam"] = _update(adam(1e-9), variables)
            steps["Keras's Adam"] = _update(keras.optimizers.Adam(1e-9), variables)
    for dtype in (tf.float32, tf.bfloat16):
        square = tf.cast(tf.random.normal([SQUARE, SQUARE]), dtype)
        product = tf.function(lambda square=square: tf.reduce_sum(tf.matmul(square, square)))
        steps[f"matrix product, {dtype.name}"] = lambda product=product: product().numpy()
    return steps


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--batch_size", type=benchmarks.positive, default=8)
    parser.add_argument("--repeats", type=benchmarks.positive, default=7)
    parser.add_argument("--only", default="", help="parts of names to run, by commas")
    args = parser.parse_args()
    steps = steps_of(random_data(args.batch_size, 224))
    names = args.only.split(",")
    chosen = {k: step for k, step in steps.items() if any(part in k for part in names)}
    if not chosen:
        raise InputError(f"--only={args.only} is part of none of: {', '.join(map(repr, steps))}.")
    times, processor, peaks = measure_alternately(chosen, args.repeats)
    for name, seconds in times.items():
        time_ms, processor_ms = (1e3 * statistics.median(x) for x in (seconds, processor[name]))
        print(
            f"{name:25} {time_ms:8.1f} ms, processor {processor_ms:8.1f} ms, "
            f"{peaks[name]:5.2f} GiB so far"
        )
    for above, below in RATIOS:
        if {above, below} <= set(times):
            ratio, of_processor = (median_ratio(x[above], x[below]) for x in (times, processor))
            print(f"{above} / {below}: {ratio:.3f}, processor time {of_processor:.3f}")
    for name, seconds in times.items():
        if name.startswith("matrix product"):
            rate = 2 * SQUARE**3 / statistics.median(seconds)
            floor = 1e3 * FLOP_PER_IMAGE * args.batch_size / rate
            print(f"floor, {name.split()[-1]}: {floor:.0f} ms at {rate / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    benchmarks.run(main)
