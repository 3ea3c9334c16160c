"""Trainings that start from the released network: its weights, none of its steps."""

import json

import numpy as np
import pytest

from hmr_tf.body import body_model
from hmr_tf.cli.options import Options
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint, encoder, released_weights
from hmr_tf.networks.build import Architecture
from hmr_tf.training import build_trainer, run
from hmr_tf.training.trainer import Trainer
from tests.fakes import tiny_hmr, tiny_run

ARCHITECTURE = Architecture(encoder="resnet50", img_size=tiny_hmr.SIZE, num_stage=2)


@pytest.fixture(autouse=True)
def network(monkeypatch, tmp_path):
    """The weights of a released network of one layer."""
    monkeypatch.setitem(encoder.ENCODERS, "resnet50", tiny_hmr.encoder)
    body = build.read_body(ARCHITECTURE)
    variables = released_weights.variables(build.build(ARCHITECTURE, body))
    weights = released_weights.stored_weights({name: v.numpy() for name, v in variables.items()})
    path = tmp_path / "network.npz"
    content = released_weights.Released(ARCHITECTURE, body_model.digest(body), {}, weights)
    released_weights.write(path, content)
    monkeypatch.setattr(released_weights, "PATH", path)
    return weights


def options_of_run(**changes):
    return Options(load_path="released", **{"encoder": "resnet50", "num_stage": 2, **changes})


def test_training_from_released_network_begins_with_its_weights(network, tmp_path, monkeypatch):
    trainers = []
    monkeypatch.setattr(Trainer, "fit", lambda self, *_, **__: trainers.append(self))
    data_dir = tiny_run.write_data(tmp_path)
    given = {"load_path": "released", "encoder": "resnet50", "smpl_model_path": ""}
    run.train(tiny_run.options(data_dir, tmp_path / "run", **given))
    (trainer,) = trainers
    for name, variable in released_weights.variables(trainer.hmr).items():
        np.testing.assert_array_equal(variable, network[name].astype(np.float32), err_msg=name)
    assert trainer.step == 0
    params = json.loads((tmp_path / "run" / checkpoint.PARAMS).read_text())
    assert (params["load_path"], params["pretrained_model_path"]) == ("", "released")


def test_training_from_released_network_takes_another_crop_size_and_body(tmp_path):
    options = build_trainer.from_released(options_of_run(img_size=224, smpl_model_path="smpl.npz"))
    assert (options.img_size, options.smpl_model_path) == (224, "smpl.npz")


def test_training_from_released_network_does_not_take_a_body_that_lies_around(monkeypatch):
    monkeypatch.setenv(body_model.VARIABLE, "other.npz")
    assert build_trainer.from_released(options_of_run()).smpl_model_path == str(body_model.BUILT_IN)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "resnet_v2_50"}, "has resnet50: pass --encoder=resnet50"),
        ({"num_stage": 3}, "has 2: pass --num_stage=2"),
        ({"pretrained_model_path": "imagenet"}, "pass one"),
    ],
)
def test_training_from_released_network_refuses_other_flags(changes, message):
    with pytest.raises(InputError, match=message):
        build_trainer.from_released(options_of_run(**changes))


def test_training_without_it_leaves_the_options_alone():
    options = Options(load_path="logs/mine")
    assert build_trainer.from_released(options) is options
