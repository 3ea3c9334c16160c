r"""Time of the exported model, crop to vertices, beside the original pipeline and its peers.

    pip install -r benchmarks/requirements.txt
    python -m benchmarks.inference_speed [--batch_sizes=1,8] [--rounds=15] \
        [--load_path=logs/mine] [--img_path=PHOTOGRAPHS]

The original pipeline is one function over variables that poses a full mesh in each of three stages,
a 4x4 matrix for every vertex. Ours is the SavedModel of --mode=export, loaded from
disk; beside it the same weights in `torch.compile` (channels last) and the same SavedModel in
OpenVINO's reader. All alternate in one process. Printed: milliseconds an image on the clock,
median and best over the rounds, and the processor's, which other work on the machine moves less;
for both the median of each round's ratio to ours. Peers that are not installed are left out.
bfloat16 is fast only on a CPU that has it (AVX-512 BF16, AMX).

Last, the time of decoding a JPEG of 500 x 375 and of cropping, on top of crop to vertices. Without
--load_path the weights are random; without --img_path the crops are noise, on which bfloat16 is
farther off than on photographs.
"""

import os
import tempfile
import time
from pathlib import Path

# Otherwise the threads of PyTorch and OpenVINO spin while the next one runs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import tensorflow as tf

import benchmarks
from benchmarks.baselines import original_smpl
from hmr_tf.body import body_model, camera, theta
from hmr_tf.files.errors import InputError
from hmr_tf.inference import person_crops, photo
from hmr_tf.networks import build, checkpoint, engines
from hmr_tf.serving import saved_model

OURS = "ours, float32"
ORIGINALS = "resnet_v2_50"


def original_inference(hmr, body):
    """Three meshes from variables (its `RunModel.py:91-150`)."""
    smpl = original_smpl.layer(body)

    @tf.function
    def run(images):
        stages = []
        features = hmr.encoder(images, training=False)
        for prediction in hmr.regressor(features, training=False):
            weak_camera, pose, betas = theta.split(prediction)
            vertices, joints = smpl(pose, betas)
            stages.append((prediction, vertices, joints, camera.project(joints, weak_camera)))
        return stages

    return lambda images: run(tf.constant(images))[-1][1].numpy()


def exported(path):
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    return lambda images: served(image=tf.constant(images))["vertices"].numpy()


def in_openvino(path, precision):
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    model = core.compile_model(core.read_model(str(path)), "CPU", options)
    return lambda images: model(images)["vertices"]


def our_engine(hmr, precision, folder):
    import openvino

    predict = engines.in_openvino(openvino, hmr, precision, folder / precision).predict
    return lambda images: predict(images)["vertices"]


def in_torch(hmr, body):
    from benchmarks.baselines import torch_hmr

    run = torch_hmr.compiled(hmr, body)
    return lambda images: run(images)[1]


def implementations(hmr, body, folder):
    """Name -> function of crops, of all that are installed."""
    for dtype in ("float32", "bfloat16"):
        start = time.perf_counter()
        saved_model.export(hmr, folder / dtype, dtype)
        size = sum(file.stat().st_size for file in (folder / dtype).rglob("*") if file.is_file())
        print(f"{dtype}: exported in {time.perf_counter() - start:.1f} s, {size / 1e6:.1f} MB")
    start = time.perf_counter()
    made = {OURS: exported(folder / "float32")}
    print(f"loaded in {time.perf_counter() - start:.1f} s")
    makers = {
        "the original pipeline": lambda: original_inference(hmr, body),
        "ours, bfloat16": lambda: exported(folder / "bfloat16"),
        "torch.compile": lambda: in_torch(hmr, body),
        "engine openvino": lambda: our_engine(hmr, "float32", folder / "cache"),
        "engine, bfloat16": lambda: our_engine(hmr, "bfloat16", folder / "cache"),
        "OpenVINO": lambda: in_openvino(folder / "float32", "f32"),
        "OpenVINO, bfloat16": lambda: in_openvino(folder / "float32", "bf16"),
    }
    for name, make in makers.items():
        try:
            made[name] = make()
        except ImportError as error:
            print(f"{name}: left out, {error}")
    return made


def measure_alternately(runs, rounds, calls):
    """Name -> (rounds, 2) seconds a call: on the clock, and of the processor in all threads."""
    times = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            run()  # fills the caches
            start = np.array([time.perf_counter(), time.process_time()])
            for _ in range(calls):
                run()
            stop = np.array([time.perf_counter(), time.process_time()])
            times[name].append((stop - start) / calls)
    return {name: np.array(values) for name, values in times.items()}


def compare(runs, images, rounds):
    """Prints times of every contender and how far its vertices are from the original pipeline."""
    exact = runs["the original pipeline"](images)
    calls = max(1, 8 // len(images))
    times = measure_alternately(
        {n: (lambda r=r: r(images)) for n, r in runs.items()}, rounds, calls
    )
    for name, values in times.items():
        clock, processor = np.median(1e3 * values / len(images), axis=0)
        best = 1e3 * values[:, 0].min() / len(images)
        of_ours = np.median(values / times[OURS], axis=0)
        error = 1e3 * np.linalg.norm(runs[name](images) - exact, axis=-1).mean()
        print(
            f"batch {len(images)}  {name:20}{clock:7.1f} ms, best{best:7.1f}, {of_ours[0]:.2f} of "
            f"ours; processor{processor:7.1f} ms, {of_ours[1]:.2f}; vertices {error:.2g} mm off"
        )


def preprocessing_overhead(folder, images, rounds):
    """Prints the time of decoding and cropping over that of the network."""
    batch_size = len(images)
    picture = tf.image.resize(np.random.default_rng(0).uniform(0, 255, (9, 12, 3)), [375, 500])
    content = tf.io.encode_jpeg(tf.cast(picture, tf.uint8))
    served = tf.saved_model.load(str(folder / "float32")).signatures
    contents, boxes = tf.fill([batch_size], content), tf.fill([batch_size, 4], 120.0)
    from_bytes, from_crops = served["predict_image_bytes"], served["serving_default"]
    runs = {
        "bytes": lambda: from_bytes(image_bytes=contents, boxes=boxes)["vertices"].numpy(),
        "crops": lambda: from_crops(image=tf.constant(images))["vertices"].numpy(),
    }
    times = measure_alternately(runs, rounds, max(1, 8 // batch_size))
    clock, processor = np.median(times["bytes"] / times["crops"], axis=0) - 1
    print(
        f"batch {batch_size}  JPEG to vertices: {clock:.1%} on top of crop to vertices, "
        f"{processor:.1%} of the processor's time"
    )


def crops_of(img_path, number, size):
    """(N, S, S, 3) whole photographs; without a folder random pixels."""
    if not img_path:
        noise = np.random.default_rng(0).uniform(-1, 1, (number, size, size, 3))
        return noise.astype(np.float32)
    photos = [photo.read_image(path) for path in photo.find(img_path)[:number]]
    crops = [person_crops.crop_person(image, None, size)[0] for image in photos]
    return np.stack(crops).astype(np.float32) / 127.5 - 1.0


def network(load_path, images):
    """HMR and its body's `BodyModel`; random weights without a checkpoint."""
    if load_path:
        return checkpoint.load_with_body(load_path)
    body = body_model.read_model(body_model.BUILT_IN)
    hmr = build.build(build.Architecture(img_size=images.shape[1]), body)
    build.calibrate_batch_norm(hmr.encoder, tf.constant(images))
    return hmr, body


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--batch_sizes", type=benchmarks.positives, default="1,8")
    parser.add_argument("--rounds", type=benchmarks.positive, default=15)
    parser.add_argument("--load_path")
    parser.add_argument("--img_path")
    args = parser.parse_args()
    architecture = build.Architecture()
    if args.load_path:
        architecture = checkpoint.read_architecture(checkpoint.find(args.load_path))
    if architecture.encoder != ORIGINALS:
        raise InputError(
            f"--load_path={args.load_path} has the encoder {architecture.encoder}: the peers have "
            f"only the original's, {ORIGINALS}."
        )
    images = crops_of(args.img_path, max(args.batch_sizes), architecture.img_size)
    hmr, body = network(args.load_path, images)
    with tempfile.TemporaryDirectory() as name:
        runs = implementations(hmr, body, Path(name))
        for batch_size in args.batch_sizes:
            compare(runs, images[:batch_size], args.rounds)
            preprocessing_overhead(Path(name), images[:batch_size], args.rounds)


if __name__ == "__main__":
    benchmarks.run(main)
