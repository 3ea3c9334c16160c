"""Time of the SMPL layer, beside the original's formulation, `smplx` and `smplfitter`.

    pip install -r benchmarks/requirements.txt
    python -m benchmarks.smpl_speed [--batch_sizes=64,1] [--threads=2] [--rounds=15]

All pose the same bodies of the built-in model: the mesh and the 19 keypoints, which `smplx` and
`smplfitter` do not have, so that they are regressed from their mesh. TensorFlow runs as a
`tf.function` and with XLA. All alternate in one process: a round is, for each, one call to warm up
and some that are timed. Printed: medians over the rounds, and the median of each round's ratio to
ours, which other work on the machine moves less. A peer that is not installed is left out. The
floor is the multiply-adds at the rate of a large matrix product, or the bytes at the rate of a
large sum if that is more; both rates are taken in the same rounds.
"""

import contextlib
import io
import os
import pickle
import statistics
import tempfile
import time
from pathlib import Path

# Otherwise PyTorch's threads spin while the next one runs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import tensorflow as tf

import benchmarks
from benchmarks.baselines import original_smpl
from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.body.theta import NUM_BETAS

OURS, JOINTS_ONLY, XLA = "ours", "ours, joints only", ", XLA"
WEIGHTS_PER_VERTEX = 4
SQUARE, STREAM = 1024, 1 << 25  # side of the product; numbers that the bandwidth is measured with


def write_for_peers(body, folder):
    """Writes the body under the names that `smplx` and `smplfitter` look for."""
    content = {
        "v_template": body.v_template,
        "shapedirs": body.shapedirs,
        "posedirs": body.posedirs,
        "J_regressor": body.joint_regressor,
        "weights": body.lbs_weights,
        "f": body.faces,
        "kintree_table": np.stack([body.parents, np.arange(len(body.parents))]),
    }
    for name in ("SMPL_NEUTRAL.pkl", "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl"):
        Path(folder, name).write_bytes(pickle.dumps(content))
    np.save(Path(folder, "kid_template.npy"), np.zeros_like(body.v_template))


def smplx_layer(body, folder, threads):
    """`smplx` on PyTorch: tensors of PyTorch in and out."""
    import smplx
    import torch

    torch.set_num_threads(threads)
    with contextlib.redirect_stdout(io.StringIO()):  # it warns of ten betas
        layer = smplx.SMPL(f"{folder}/SMPL_NEUTRAL.pkl", num_betas=NUM_BETAS, create_transl=False)
    regressor = torch.tensor(body.keypoint_regressor, dtype=torch.float32)

    @torch.inference_mode()
    def pose_bodies(pose, betas):
        vertices = layer(betas, pose[:, 1:].flatten(1), pose[:, 0]).vertices
        return vertices, torch.matmul(regressor, vertices)

    return lambda pose, betas: pose_bodies(torch.from_numpy(pose), torch.from_numpy(betas))


def smplfitter_layer(body, folder):
    """`smplfitter`'s TensorFlow layer."""
    from smplfitter.tf import BodyModel

    layer = BodyModel("smpl", "neutral", model_root=str(folder))
    regressor = tf.constant(body.keypoint_regressor, tf.float32)

    def pose_bodies(pose, betas):
        vertices = layer(pose_rotvecs=pose, shape_betas=betas)["vertices"]
        return vertices, tf.matmul(regressor, vertices)

    return pose_bodies


def calls(body, threads, pose, betas):
    """name -> callable that poses these bodies: (vertices, keypoints), or joints in their place."""
    smpl = SMPL(body)
    layers = {
        OURS: lambda pose, betas: smpl(pose, betas)[:3:2],
        JOINTS_ONLY: lambda pose, betas: smpl.joints_only(pose, betas)[1:3],
        "the original's steps": original_smpl.layer(body),
    }
    functions = {}
    with tempfile.TemporaryDirectory() as folder:
        write_for_peers(body, folder)
        try:
            layers["smplfitter"] = smplfitter_layer(body, folder)
        except ImportError as error:
            print(f"smplfitter is left out: {error}")
        try:
            peer = smplx_layer(body, folder, threads)
            functions["smplx"] = lambda: peer(pose, betas)
        except ImportError as error:
            print(f"smplx is left out: {error}")
    tensors = tf.constant(pose), tf.constant(betas)
    for name, layer in layers.items():
        for compiled in (False, True):
            traced = tf.function(layer, jit_compile=compiled)
            functions[name + XLA * compiled] = lambda traced=traced: traced(*tensors)
    return functions


def first_calls(runs):
    """Seconds of each first call, traced and compiled in it, and the meshes' largest difference."""
    seconds, meshes = {}, {}
    for name, run in list(runs.items()):
        start = time.perf_counter()
        try:
            result = run()
        except tf.errors.UnimplementedError as error:
            print(f"{name} is left out: {str(error.message)[:70]}")
            del runs[name]
            continue
        seconds[name] = time.perf_counter() - start
        if JOINTS_ONLY not in name:
            meshes[name] = [np.asarray(part) for part in result]
    reference = meshes["the original's steps"]
    difference = max(
        np.abs(ours - theirs).max()
        for mesh in meshes.values()
        for ours, theirs in zip(mesh, reference)
    )
    return seconds, difference


def measure_alternately(runs, rounds, repeats):
    """name -> (rounds,) seconds a call."""
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            start = time.perf_counter()
            for _ in range(repeats):
                run()
            times[name].append((time.perf_counter() - start) / repeats)
    return {name: np.array(values) for name, values in times.items()}


def machine():
    """name -> callable: a matrix product, and a sum in place that reads two arrays, writes one."""
    square = tf.random.normal([SQUARE, SQUARE])
    total, addend = tf.Variable(tf.zeros([STREAM])), tf.zeros([STREAM])
    return {
        "matrix product": tf.function(lambda: tf.matmul(square, square)),
        "sum in place": lambda: total.assign_add(addend),
    }


def floor(num_vertices, batch):
    """Operations and bytes of a batch: blend shapes, four weights a vertex, 3x4 times point."""
    features = 1 + NUM_BETAS + 9 * 23
    of_vertex = 2 * 3 * features + 2 * 12 * WEIGHTS_PER_VERTEX + 2 * 9
    numbers = features * 3 * num_vertices + batch * 3 * num_vertices
    return batch * num_vertices * of_vertex, 4 * numbers


def report(body, batch, threads, rounds):
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.4, (batch, 24, 3)).astype(np.float32)
    betas = rng.normal(size=(batch, NUM_BETAS)).astype(np.float32)
    runs = calls(body, threads, pose, betas)
    first, difference = first_calls(runs)
    print(f"\nbatch {batch}: all meshes and keypoints agree to {difference:.1e} m")
    rates = machine()
    times = measure_alternately({**runs, **rates}, rounds, 3 if batch > 1 else 10)
    product, total = (statistics.median(times.pop(name)) for name in rates)
    print(f"{'':26}{'ms a body':>10}{'/ ours':>8}{'/ ours, XLA':>12}{'first call, s':>15}")
    for name, values in sorted(times.items()):
        ratios = (statistics.median(values / times[ours]) for ours in (OURS, OURS + XLA))
        row = "{:8.2f}{:12.2f}".format(*ratios)
        print(f"{name:26}{1e3 * statistics.median(values) / batch:10.4f}{row}{first[name]:15.2f}")
    for mode in ("", XLA):
        joints = statistics.median(times[OURS + mode] / times[JOINTS_ONLY + mode])
        print(f"mesh / joints only{mode}: {joints:.1f}")
    work, size = floor(len(body.v_template), batch)
    rate, bandwidth = 2 * SQUARE**3 / product, 3 * 4 * STREAM / total
    bound = max(work / rate, size / bandwidth)
    print(
        f"floor: {1e3 * bound / batch:.4f} ms a body: {work / batch / 1e6:.1f} MFLOP at "
        f"{rate / 1e9:.0f} GFLOP/s, {size / batch / 1e6:.2f} MB at {bandwidth / 1e9:.1f} GB/s"
    )


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--batch_sizes", type=benchmarks.positives, default="64,1")
    parser.add_argument("--threads", type=benchmarks.positive, default=2)
    parser.add_argument("--rounds", type=benchmarks.positive, default=15)
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    body = body_model.read_model()
    for batch in args.batch_sizes:
        report(body, batch, args.threads, args.rounds)


if __name__ == "__main__":
    benchmarks.run(main)
