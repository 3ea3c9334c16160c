"""A training with an encoder of one layer, in this process or in a child process.

python -m tests.fakes.tiny_run FLAGS, a JSON object of the fields of Options.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from hmr_tf.cli import command_line
from hmr_tf.cli.options import Options
from hmr_tf.data import record
from tests.fakes import tiny_body, tiny_hmr
from tests.fakes.image_records import image_record, write

ROOT = Path(__file__).resolve().parents[2]


def write_data(folder, num_people=8, num_bodies=20):
    """Writes people with 2D labels, motion capture and a body model; returns the folder."""
    rng = np.random.default_rng(0)
    tiny_body.write(folder / "body.npz")
    for shard, numbers in enumerate(np.array_split(np.arange(num_people), 2)):
        people = [person(rng, number) for number in numbers]
        write(folder / "coco" / f"train_{shard:03}.tfrecord", people)
    poses = [
        record.encode_mocap(rng.normal(size=72), rng.normal(size=10)) for _ in range(num_bodies)
    ]
    write(folder / "mocap_neutrMosh" / "neutrSMPL_CMU_000.tfrecord", poses)
    return folder


def person(rng, number, **changes):
    """An ImageRecord of random pixels, with 2D labels."""
    image = rng.integers(0, 256, size=(224, 224, 3), dtype=np.uint8)
    points = rng.uniform(0, 224, size=(19, 2))
    return image_record(image, points, quality=95, **{"filename": f"{number}.jpg", **changes})


def flag_values(data_dir, model_dir, **changes):
    """Fields of Options."""
    return {
        "mode": "train",
        "data_dir": str(data_dir),
        "model_dir": str(model_dir),
        "smpl_model_path": str(data_dir / "body.npz"),
        "datasets": ("coco",),
        "mocap_datasets": ("CMU",),
        "use_3d_label": False,
        "img_size": tiny_hmr.SIZE,
        "num_stage": 2,
        "batch_size": 4,
        "log_step": 1,
        "log_img_step": 0,
        "num_steps": 2,
        **changes,
    }


def options(data_dir, model_dir, **changes):
    """Options of a short training."""
    return Options(**flag_values(data_dir, model_dir, **changes))


def start(arguments, **environment):
    """Starts the training in a child process."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.tiny_run", json.dumps(arguments)],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def curves(model_dir):
    """TensorBoard's scalars: tag -> {step: list of values, several where a step was repeated}."""
    scalars = {}
    for path in sorted((model_dir / "tensorboard").glob("events*")):
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(serialized)
            for value in event.summary.value:
                if value.tensor.dtype == tf.float32.as_datatype_enum:
                    number = tf.make_ndarray(value.tensor)
                    scalars.setdefault(value.tag, {}).setdefault(event.step, []).append(number)
    return scalars


def main(_):
    from absl import logging

    from hmr_tf.networks import encoder
    from hmr_tf.training import run

    logging.set_verbosity(logging.INFO)
    arguments = json.loads(sys.argv.pop())
    cpus = arguments.pop("logical_cpus", 1)
    if cpus > 1:
        (cpu,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * cpus
        tf.config.set_logical_device_configuration(cpu, parts)
    tf.config.run_functions_eagerly(arguments.pop("eager", False))
    norm = arguments.pop("batch_norm", True)
    encoder.ENCODERS["resnet_v2_50"] = lambda *args: tiny_hmr.encoder(*args, batch_norm=norm)
    run.train(Options(**{k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}))


if __name__ == "__main__":
    command_line.run(main, argv=sys.argv[:1])
