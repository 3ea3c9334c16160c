"""Runs the programs of `python -m benchmarks.xla_program --write=DIR`, without TensorFlow.

    pip install "jax[cuda12]==0.10.2"
    python benchmarks/run_xla_program.py DIR [--only=inference] [--repeats=20] [--peak_tflops=67]

Needs jax and numpy. Compares the results with TensorFlow's on a CPU and prints the median time of a
call, images/s, the rate of the encoder's convolutions and its share of the peak of the GPU. Where
torch is installed, the bare ResNet-50 runs beside it on the same GPU: features alone for inference,
forward and backward pass for training. TF32 is off in both. Exit code 1: a program failed, or a
result is off by more than its tolerance.
"""

import argparse
import gzip
import json
import os
import statistics
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np

JAX = "0.10.2"  # with which it was tested
DONATION = "mhlo.input_output_alias"  # arguments whose memory the results get
# The makers' dense peaks, TFLOP/s; float32 is without TF32. The first name that fits counts.
PEAK_TFLOPS = {
    "A100": {"float32": 19.5, "bfloat16": 312},
    "H100 PCIe": {"float32": 51, "bfloat16": 756},
    "H100": {"float32": 67, "bfloat16": 989},
    "H200": {"float32": 67, "bfloat16": 989},
}


def draw(seed, shape, spread):
    """float32 normal numbers; numpy promises that `RandomState` stays the same in all versions."""
    numbers = np.random.RandomState(seed).standard_normal(shape)
    return (spread * numbers).astype(np.float32)


def argument(entry, stored):
    """The array of an argument in programs.json."""
    if "stored" in entry:
        return stored[entry["stored"]]
    return draw(entry["seed"], entry["shape"], entry["spread"])


def compile_program(module, device):
    """Compiles an HLO module to a function: list of arrays on the device -> list of arrays."""
    from jax.extend import backend, mlir
    from jax.extend.mlir import ir
    from jax.interpreters.mlir import make_ir_context
    from jaxlib import xla_client

    context = make_ir_context()
    program = ir.Module.parse(mlir.hlo_to_stablehlo(module), context=context)
    # TensorFlow updates batch norm's statistics in place; the arguments are used again here.
    if DONATION in program.operation.attributes:
        del program.operation.attributes[DONATION]
    options = backend.get_compile_options(num_replicas=1, num_partitions=1)
    devices = xla_client.DeviceList((device,))
    loaded = device.client.compile_and_load(program, devices, options)

    def call(arrays):
        shards = loaded.execute_sharded(arrays).disassemble_into_single_device_arrays()
        return [of_device for (of_device,) in shards]

    return call


def median_seconds(call, repeats):
    """Of a call that waits for its result, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def count_wrong(outputs, results, stored):
    """Prints each stored result beside TensorFlow's; returns how many are off too far."""
    wrong = 0
    for output in outputs:
        expected = stored[output["stored"]]
        error = np.abs(np.asarray(results[output["position"]]) - expected).max()
        tolerance = output.get("absolute", output.get("relative", 0) * np.abs(expected).max())
        is_wrong = not error <= tolerance  # NaN is wrong
        wrong += is_wrong
        print(
            f"  {output['name']}: off by {error:.2g}, tolerance {tolerance:.2g}"
            f"{', TOO FAR' if is_wrong else ''}"
        )
    return wrong


def speed(program, seconds, peak):
    """The figures of a line: time, images/s, TFLOP/s, share of the peak if it is known."""
    rate = program["flop"] / seconds / 1e12
    images = program["images"] / seconds
    text = f"{1e3 * seconds:.2f} ms, {images:.1f} images/s, {rate:.3g} TFLOP/s"
    return f"{text}, {rate / peak:.1%} of {peak:g}" if peak else text


def peak_tflops(name, dtype, given):
    """Peak of the device of this name, or None where it is not known."""
    known = [peaks[dtype] for part, peaks in PEAK_TFLOPS.items() if part in name]
    return given or (known[0] if known else None)


def run_program(folder, program, device, args):
    """Runs one program and prints its lines; returns how many results are off too far."""
    import jax

    start = time.perf_counter()
    module = gzip.decompress((folder / f"{program['name']}.hlo.gz").read_bytes())
    call = compile_program(module, device)
    compiled_s = time.perf_counter() - start
    with np.load(folder / "arguments.npz") as stored:
        arguments = [argument(entry, stored) for entry in program["arguments"]]
        arrays = [jax.device_put(array, device) for array in arguments]
        wrong = count_wrong(program["outputs"], call(arrays), stored)
    seconds = median_seconds(lambda: jax.block_until_ready(call(arrays)), args.repeats)
    peak = peak_tflops(device.device_kind, program["dtype"], args.peak_tflops)
    print(f"{program['name']}: {speed(program, seconds, peak)}; compiled in {compiled_s:.1f} s")
    return wrong


def run_bare(torch, network, program, args):
    """Prints the time of the bare ResNet-50 in torch, on as many images of the same type."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, program["dtype"])
    is_training = program["kind"] == "training"
    network = network.to(device, dtype, memory_format=torch.channels_last).train(is_training)
    size = program["image_size"]
    images = torch.randn(program["images"], 3, size, size, device=device, dtype=dtype)
    images = images.to(memory_format=torch.channels_last)

    def call():
        with torch.set_grad_enabled(is_training):
            features = network(images)
            if is_training:
                features.square().mean().backward()
                network.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()

    seconds = median_seconds(call, args.repeats)
    name = torch.cuda.get_device_name() if device == "cuda" else device
    peak = peak_tflops(name, program["dtype"], args.peak_tflops)
    print(f"  bare ResNet-50, torch {torch.__version__}: {speed(program, seconds, peak)}")


def bare_runner(args):
    """Function of a program that runs the bare ResNet-50, or None without torch."""
    try:
        import torch
        from baselines.torch_resnet import ResNet50  # beside this file
    except ImportError as error:
        print(f"without the bare ResNet-50 in torch: {error}")
        return None
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return lambda program: run_bare(torch, ResNet50(), program, args)


def refuse(message):
    """Wrong input: one line, exit code 2."""
    sys.stderr.write(f"error: {message}\n")
    sys.exit(2)


def read_programs(folder, only):
    """Entries of programs.json whose name contains `only`."""
    try:
        programs = json.loads((folder / "programs.json").read_text())["programs"]
    except (OSError, ValueError, KeyError, TypeError):
        refuse(
            f"{folder} has no readable programs.json; write the folder with "
            "python -m benchmarks.xla_program --write=DIR"
        )
    chosen = [program for program in programs if only in program["name"]]
    if not chosen:
        names = ", ".join(program["name"] for program in programs)
        refuse(f"--only={only} is part of none of: {names}")
    return chosen


def above_zero(kind):
    """For `add_argument(type=...)`: an int or a float above 0."""

    def read(text):
        try:
            if kind(text) > 0:
                return kind(text)
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r} is not {kind.__name__} above 0")

    return read


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.error = lambda message: refuse(f"{message} (--help lists the flags)")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="part of the names of the programs to run")
    parser.add_argument("--repeats", type=above_zero(int), default=20)
    parser.add_argument("--peak_tflops", type=above_zero(float), help="of the device")
    return parser.parse_args(arguments)


def main(arguments=None):
    args = parse(arguments)
    programs = read_programs(args.folder, args.only)
    # Before jax starts: cuBLAS and cuDNN compute in full float32, and torch has memory left.
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    try:
        import jax
    except ImportError as error:
        refuse(f'jax cannot be imported ({error}): pip install "jax[cuda12]=={JAX}"')
    try:
        device = jax.devices()[0]
    except (RuntimeError, AssertionError):
        platforms = os.environ.get("JAX_PLATFORMS", "")
        refuse(f"jax finds no device: JAX_PLATFORMS={platforms}; unset it, or install jax[cuda12]")
    print(f"{device.device_kind} ({device.platform}), jax {jax.__version__}, TF32 off", flush=True)
    run_torch = bare_runner(args)
    wrong = 0
    for program in programs:
        try:
            wrong += run_program(args.folder, program, device, args)
            if run_torch:
                run_torch(program)
        except (OSError, EOFError, KeyError, AttributeError, RuntimeError, ValueError) as error:
            print(
                f"{program['name']}: failed: {type(error).__name__}: {str(error).split(chr(10))[0]}"
            )
            wrong += 1
        except (zipfile.BadZipFile, zlib.error) as error:
            print(f"{program['name']}: failed: damaged file: {error}")
            wrong += 1
        sys.stdout.flush()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
