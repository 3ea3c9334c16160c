"""XLA programs for a GPU: what is written, and that JAX computes TensorFlow's numbers from it."""

import gzip
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from tensorflow import keras

import benchmarks
from benchmarks import run_xla_program, xla_program
from hmr_tf.body import body_model
from hmr_tf.body.theta import NUM_THETA
from hmr_tf.cli.recipes import ROOT
from hmr_tf.networks import encoder
from hmr_tf.networks.hmr import NUM_HIDDEN
from tests.fakes import tiny_body, tiny_hmr

RUNNER = ROOT / "benchmarks" / "run_xla_program.py"
NAMES = ["inference_1", "inference_3", "training_2_float32", "training_2_bfloat16"]
REGRESSOR_KERNEL = [encoder.NUM_FEATURES + NUM_THETA, NUM_HIDDEN]


def run_command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["xla_program", *map(str, arguments)])
    benchmarks.run(xla_program.main)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The folder that the command writes, with tiny encoder and body."""
    folder = tmp_path_factory.mktemp("xla")

    body = body_model.read_model(tiny_body.write(folder / "tiny.npz"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(encoder.ENCODERS, "resnet_v2_50", tiny_hmr.encoder)
        monkeypatch.setattr(body_model, "read_model", lambda: body)
        monkeypatch.setattr(xla_program, "MIN_IMAGE_SIZE", tiny_hmr.SIZE)
        size = f"--img_size={tiny_hmr.SIZE}"
        flags = (size, "--batch_sizes=1,3", "--train_batch_size=2")
        run_command(monkeypatch, f"--write={folder / 'programs'}", *flags)
    return folder / "programs"


def read(programs):
    return json.loads((programs / "programs.json").read_text())["programs"]


def test_xla_program_writes_a_module_for_each_size_and_type(programs):
    assert [program["name"] for program in read(programs)] == NAMES
    files = {f"{name}.hlo.gz" for name in NAMES} | {"arguments.npz", "programs.json"}
    assert {path.name for path in programs.iterdir()} == files
    for program in read(programs):
        module = gzip.decompress((programs / f"{program['name']}.hlo.gz").read_bytes())
        assert len(module) > 1000
    assert [path.name for path in programs.parent.glob(".unfinished*")] == []


def test_xla_program_draws_images_and_large_weights_and_stores_the_rest(programs):
    with np.load(programs / "arguments.npz") as stored:
        for program in read(programs):
            entries = program["arguments"]
            drawn = [entry["shape"] for entry in entries if "seed" in entry]
            image = [program["images"], tiny_hmr.SIZE, tiny_hmr.SIZE, 3]
            assert image in drawn
            assert REGRESSOR_KERNEL in drawn
            for entry in entries:
                assert list(run_xla_program.argument(entry, stored).shape) == entry["shape"]
    assert (programs / "arguments.npz").stat().st_size < 4e6


def test_xla_program_stores_the_results_of_tensorflow(programs):
    inference, *_, training = read(programs)
    with np.load(programs / "arguments.npz") as stored:
        results = {x["name"]: stored[x["stored"]] for x in inference["outputs"]}
        assert {name: x.shape for name, x in results.items()} == {
            "theta": (1, 85),
            "joints3d": (1, 19, 3),
        }
        assert all(np.isfinite(x).all() for x in results.values())
        losses = {x["name"]: (x["relative"], stored[x["stored"]]) for x in training["outputs"]}
    assert losses["encoder/total"][0] == 1e-2
    assert all(loss > 0 for _, loss in losses.values())


def test_xla_program_draws_the_same_numbers_from_a_seed_everywhere():
    drawn = run_xla_program.draw(3, [2, 2], 0.5)
    assert drawn.dtype == np.float32
    expected = [[0.8943142, 0.21825491], [0.04824873, -0.93174636]]
    np.testing.assert_allclose(drawn, expected, atol=1e-6)


def test_xla_program_flop_of_the_encoder_are_those_of_its_convolutions():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    assert xla_program.encoder_flop(network) == 2 * (3 * 3 * 3 * 4) * (4 * 4)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--write=new", "--img_size=8"], "--img_size: '8' is not a whole number from 64 on"),
        (["--write=new", "--train_dtypes=float16"], "'float16' is none of float32, bfloat16"),
        (["--write=new", "--batch_sizes=0"], "--batch_sizes: '0' is not a whole number from 1"),
        (["--write=there"], "--write=there exists; name a new folder."),
        (["--write=there/file/new"], "--write=there/file/new cannot be written: Not a directory."),
        ([], "--write"),
    ],
)
def test_xla_program_refuses_bad_flags_in_one_line(monkeypatch, tmp_path, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    with pytest.raises(SystemExit) as stopped:
        run_command(monkeypatch, *flags)
    error = capsys.readouterr().err
    assert (stopped.value.code, error.count("\n")) == (2, 1)
    assert message in error
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_xla_program_leaves_nothing_after_a_failure(tmp_path):
    def fail():
        with xla_program.new_folder(tmp_path / "new") as path:
            (path / "a.hlo.gz").touch()
            raise OSError(28, "No space left on device")

    with pytest.raises(xla_program.InputError, match="cannot be written: No space left"):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["nowhere"], "nowhere has no readable programs.json; write the folder with "),
        (["PROGRAMS", "--only=x"], f"--only=x is part of none of: {', '.join(NAMES)}"),
        (["PROGRAMS", "--repeats=0"], "--repeats: '0' is not int above 0"),
        (["PROGRAMS", "--peak_tflops=x"], "--peak_tflops: 'x' is not float above 0"),
        ([], "the following arguments are required: folder"),
    ],
)
def test_run_xla_program_refuses_wrong_input_in_one_line(programs, capsys, flags, message):
    with pytest.raises(SystemExit) as stopped:
        run_xla_program.main([flag.replace("PROGRAMS", str(programs)) for flag in flags])
    error = capsys.readouterr().err
    assert (stopped.value.code, error.count("\n")) == (2, 1)
    assert message in error


def test_run_xla_program_counts_results_that_are_off_too_far(capsys):
    stored = {"a": np.float32([2.0, 4.0]), "b": np.float32([1.0])}
    outputs = [
        {"name": "theta", "position": 1, "stored": "a", "absolute": 0.1},
        {"name": "total", "position": 0, "stored": "b", "relative": 0.1},
    ]
    count = run_xla_program.count_wrong
    assert count(outputs, [np.float32([1.05]), np.float32([2.05, 4.0])], stored) == 0
    assert count(outputs, [np.float32([1.05]), np.float32([2.0, 4.2])], stored) == 1
    assert count(outputs, [np.float32([1.2]), np.float32([np.nan, 4.0])], stored) == 2
    assert "  theta: off by nan, tolerance 0.1, TOO FAR\n" in capsys.readouterr().out


def test_run_xla_program_prints_the_share_of_the_peak():
    program = {"flop": 8e12, "images": 4}
    peak = run_xla_program.peak_tflops
    assert peak("NVIDIA H100 80GB HBM3", "bfloat16", None) == 989
    assert peak("NVIDIA H100 PCIe", "float32", None) == 51
    assert peak("cpu", "float32", None) is None
    assert peak("cpu", "float32", 2.0) == 2.0
    line = run_xla_program.speed(program, 0.5, 67)
    assert line == "500.00 ms, 8.0 images/s, 16 TFLOP/s, 23.9% of 67"


def jax_python():
    """A Python that has jax; skips where there is none. jax needs another numpy than TensorFlow."""
    python = os.environ.get("HMR_JAX_PYTHON", sys.executable if find_spec("jax") else "")
    if not python:
        pytest.skip("needs HMR_JAX_PYTHON=FILE, a Python that has jax")
    return python


def test_run_xla_program_names_the_jax_that_is_tested():
    pins = (ROOT / "tests" / "requirements-optional.txt").read_text()
    assert f"\njax=={run_xla_program.JAX};" in pins
    assert f'"jax[cuda12]=={run_xla_program.JAX}"' in run_xla_program.__doc__


def run_in_jax(folder, *flags, platform="cpu"):
    return subprocess.run(
        [jax_python(), RUNNER, folder, "--repeats=1", *flags],
        env={**os.environ, "JAX_PLATFORMS": platform, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def test_run_xla_program_gives_the_results_of_tensorflow_in_jax(programs):
    done = run_in_jax(programs)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("cpu (cpu), jax ")
    for name in NAMES:
        assert any(line.startswith(f"{name}: ") and " images/s" in line for line in lines), lines
    assert sum(" off by " in line for line in lines) == 2 * 2 + 4 * 2


def test_run_xla_program_names_a_damaged_program_and_runs_the_others(programs, tmp_path):
    for path in programs.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "inference_1.hlo.gz").write_bytes(b"not gzip")
    done = run_in_jax(tmp_path, "--only=inference")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "\ninference_1: failed: BadGzipFile: " in done.stdout
    assert "\ninference_3: " in done.stdout
    assert " images/s" in done.stdout


def test_run_xla_program_says_that_jax_has_no_such_device(programs):
    done = run_in_jax(programs, platform="rocm")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("error: jax finds no device: JAX_PLATFORMS=rocm")
