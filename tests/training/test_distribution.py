"""Several replicas train to the same losses as one; a tf.data service reads the data.

Batch norms are per replica, as in plain Keras, so that the encoder here has none. Eagerly, because
tracing the step in each process takes longer than the steps.
"""

import json
import socket
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from hmr_tf.files.errors import InputError
from hmr_tf.networks import encoder
from hmr_tf.training import distribution, run
from hmr_tf.training.callbacks import validation
from tests.fakes import tiny_hmr, tiny_run

NUM_STEPS = 3
FLAGS = {"num_steps": NUM_STEPS, "val_datasets": ("coco",)}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_run.write_data(tmp_path_factory.mktemp("data"), num_people=10)


@pytest.fixture(scope="module")
def alone(data_dir, tmp_path_factory):
    """Folder of a training run in one process on one device."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            encoder.ENCODERS,
            "resnet_v2_50",
            lambda *args: tiny_hmr.encoder(*args, batch_norm=False),
        )
        run.train(tiny_run.options(data_dir, folder, **FLAGS))
    return folder


def losses(folder):
    return {
        tag: np.concatenate(list(values.values()))
        for tag, values in tiny_run.curves(folder).items()
        if tag.startswith(("train/encoder", "train/discriminator", "train/keypoints_by_stage"))
    }


def best_error(folder):
    return json.loads((folder / "best" / validation.RECORD).read_text())["error"]


def assert_same(ours, theirs):
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        assert len(values) == NUM_STEPS
        np.testing.assert_allclose(ours[name], values, rtol=1e-4, err_msg=name)


def output_of(process):
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output[-3000:]
    return output


def start(data_dir, folder, **flags):
    environment = flags.pop("environment", {})
    values = {**FLAGS, "batch_norm": False, "eager": True, **flags}
    return tiny_run.start(tiny_run.flag_values(data_dir, folder, **values), **environment)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_distribution_over_workers_and_devices_equals_one_device(data_dir, alone, tmp_path):
    """Two processes on loopback; and one with two devices; all at the same time."""
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    environments = [
        {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})}
        for i in range(2)
    ]
    workers = [
        start(data_dir, tmp_path / "workers", distribute="multi_worker", environment=variables)
        for variables in environments
    ]
    mirrored = start(data_dir, tmp_path / "mirrored", distribute="mirrored", logical_cpus=2)
    chief, other = map(output_of, workers)
    assert "2 CPUs on 2 workers, this is number 0" in chief
    for text in ("Networks  ", f"step {NUM_STEPS}/{NUM_STEPS}: ", "validation at step"):
        assert text in chief
        assert text not in other
    assert "2 CPUs" in output_of(mirrored)
    assert_same(losses(tmp_path / "workers"), losses(alone))
    assert_same(losses(tmp_path / "mirrored"), losses(alone))
    assert sorted(path.name for path in (tmp_path / "workers").glob("ckpt-*.index")) == [
        "ckpt-0.index",
        f"ckpt-{NUM_STEPS}.index",
    ]
    for folder in ("workers", "mirrored"):
        assert best_error(tmp_path / folder) == pytest.approx(best_error(alone), rel=1e-4)


def worker_of_two(number):
    """The part of a strategy that `distribution` uses."""
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": ["a:1", "b:1"]}), task_type="worker", task_id=number
    )
    return SimpleNamespace(cluster_resolver=resolver)


def test_distribution_logs_on_the_chief_and_warns_on_all_workers(monkeypatch):
    levels = []
    monkeypatch.setattr(logging, "set_verbosity", levels.append)
    for strategy in (tf.distribute.get_strategy(), worker_of_two(0)):
        distribution.log_on_chief_only(strategy)
    assert levels == []
    distribution.log_on_chief_only(worker_of_two(1))
    assert levels == [logging.WARNING]


def test_distribution_names_a_lost_worker():
    lost = tf.errors.UnavailableError(None, None, "Socket closed")
    error = distribution.lost_worker_error(lost, worker_of_two(0))
    assert "worker was lost (UnavailableError)" in str(error)
    assert "--load_path" in str(error)
    assert (
        distribution.lost_worker_error(tf.errors.NotFoundError(None, None, "x"), worker_of_two(0))
        is None
    )
    assert distribution.lost_worker_error(lost, tf.distribute.get_strategy()) is None


@pytest.fixture
def service():
    """Address of a tf.data service with two workers."""
    served = tf.data.experimental.service
    dispatcher = served.DispatchServer()
    address = dispatcher.target.split("://")[1]
    workers = [
        served.WorkerServer(served.WorkerConfig(dispatcher_address=address)) for _ in range(2)
    ]
    yield dispatcher.target
    del workers, dispatcher


def test_tf_data_service_gives_all_people(data_dir, service):
    """Of its two workers each gives all people once in each of its passes."""
    from hmr_tf.training import inputs

    flags = {"tf_data_service": service, "batch_size": 2, "trans_max": 0}
    options = tiny_run.options(data_dir, "", **flags, scale_min=1.0, scale_max=1.0)
    files = inputs.find(options)
    local = inputs.training_dataset(options, files)
    known = {
        np.sort(np.abs(points[:, 1])).tobytes()
        for batch, _ in local.take(10)
        for points in batch["keypoints2d_norm"].numpy()
    }
    assert len(known) == 10
    served = inputs.distributed_dataset(options, files, tf.distribute.get_strategy(), 0)
    served_people = [
        np.sort(np.abs(points[:, 1])).tobytes()
        for batch, _, _ in served.take(10)
        for points in batch["keypoints2d_norm"].numpy()
    ]
    # 20 people of two workers: one has given a whole pass, both together parts of at most three.
    assert set(served_people) == known
    assert max(map(served_people.count, served_people)) <= 3


def test_tf_data_service_keeps_the_data_of_trainings_apart(data_dir, service):
    """The second one's batches are larger."""
    from hmr_tf.training import inputs

    def first_batch(**flags):
        options = tiny_run.options(data_dir, "", tf_data_service=service, **flags)
        files = inputs.find(options)
        rows = iter(inputs.distributed_dataset(options, files, tf.distribute.get_strategy(), 0))
        return rows, next(rows)

    still_reading, (batch, mocap, _) = first_batch(batch_size=2)
    assert (len(batch["betas"]), len(mocap["betas"])) == (2, 4)
    _, (batch, mocap, _) = first_batch(batch_size=4, seed=1)
    assert (len(batch["betas"]), len(mocap["betas"])) == (4, 8)
    del still_reading


def test_tf_data_service_refuses_a_wrong_address(data_dir):
    from hmr_tf.training import inputs

    options = tiny_run.options(data_dir, "", tf_data_service="localhost:5000")
    with pytest.raises(InputError, match=r"--tf_data_service=localhost:5000.*grpc://host:port"):
        inputs.training_dataset(options, inputs.find(options), service=options.tf_data_service)
