"""Checkpoints that were copied in part, and params.json of others: refused in one line."""

import json
import shutil

import pytest
import tensorflow as tf

from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint

DATA, INDEX = "ckpt-5.data-00000-of-00001", "ckpt-5.index"
GOOD = build.Architecture()._asdict()


def parts():
    return {"encoder": tf.train.Checkpoint(kernel=tf.Variable(tf.ones([40, 50])))}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    checkpoint.manager(parts(), folder).save(5)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of a folder with a checkpoint."""
    return shutil.copytree(saved, tmp_path / "run")


def test_checkpoint_half_saved_by_a_killed_process_is_removed(folder):
    half = folder / "ckpt-6_temp" / "part-00000-of-00001.data-00000-of-00001"
    half.parent.mkdir()
    half.write_bytes(b"half")
    manager = checkpoint.manager(parts(), folder)
    assert not half.parent.exists()
    assert manager.latest_checkpoint == str(folder / "ckpt-5")


def one_line(error):
    assert str(error.value).isprintable()
    return str(error.value)


@pytest.mark.parametrize("kept", [0, 100, -1])
@pytest.mark.parametrize("name", [DATA, INDEX])
def test_checkpoint_copied_in_part_is_refused_in_one_line(folder, name, kept):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:kept])
    with pytest.raises(
        InputError, match=r"^Checkpoint .*ckpt-5 (is damaged|does not fit)"
    ) as error:
        checkpoint.restore(checkpoint.find(folder), parts())
    one_line(error)


def test_checkpoint_of_another_program_is_refused_without_words_of_python(folder):
    other = {"regressor": tf.train.Checkpoint(bias=tf.Variable(tf.ones([3])))}
    with pytest.raises(InputError, match="it lacks variables of regressor") as error:
        checkpoint.restore(checkpoint.find(folder), other)
    assert "Python" not in one_line(error)


@pytest.mark.parametrize(
    ("lost", "remedy"),
    [
        ((INDEX,), "part of its files are missing; copy the whole folder"),
        (("checkpoint",), "checkpoint names none; pass --load_path=.*/run/ckpt-5$"),
        (("checkpoint", INDEX, DATA), "train one with --mode=train"),
    ],
)
def test_checkpoint_names_what_a_folder_lacks(folder, lost, remedy):
    for name in lost:
        (folder / name).unlink()
    with pytest.raises(InputError, match=f"holds no checkpoint: .*{remedy}") as error:
        checkpoint.find(folder)
    one_line(error)


def test_checkpoint_of_another_kind_is_named(tmp_path):
    with pytest.raises(InputError, match=r"hmr2\.PTH is of PyTorch, of which no networks are read"):
        checkpoint.find(tmp_path / "hmr2.PTH")
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(InputError, match="holds no checkpoint: it is an exported model; give the"):
        checkpoint.find(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xf1\xff\0" * 9, b'all_model_checkpoint_paths: "a"'])
def test_checkpoint_list_that_is_damaged_is_named(folder, content):
    (folder / "checkpoint").write_bytes(content)
    with pytest.raises(InputError, match=r"lists the checkpoints .* pass one of them") as error:
        checkpoint.find(folder)
    one_line(error)


def test_checkpoint_list_of_another_machine_is_passed_by(folder):
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/me/logs/ckpt-9"\n')
    with pytest.raises(InputError, match=r"names none; pass --load_path=.*/run/ckpt-5$"):
        checkpoint.find(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "it is not JSON"),
        (b'{"a": "\xff"}', "it is not JSON"),
        (b" " * (1 << 21), "it is not JSON"),
        (b"null", "must state how the network was built"),
        (b'{"learning_rate": 0.1}', "must state how the network was built"),
        ({"img_size": "224"}, "must state how the network was built"),
        ({"encoder": "vit"}, "encoder is 'vit'; allowed are resnet_v2_50, resnet50, resnet50v2"),
        ({"encoder": "v" * 999}, "encoder is 'v{59}; allowed"),
        ({"img_size": -5}, "img_size is -5; allowed are 8 to 4096"),
        ({"img_size": 10**9}, "img_size is 1000000000; allowed"),
        ({"num_stage": 0}, "num_stage is 0; allowed are 1 to 100"),
    ],
)
def test_params_of_another_program_are_refused_in_one_line(tmp_path, content, message):
    if isinstance(content, dict):
        content = json.dumps({**GOOD, **content}).encode()
    (tmp_path / checkpoint.PARAMS).write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        checkpoint.read_params(tmp_path / "ckpt-1")
    assert len(one_line(error)) < 500


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_params_saved_again_by_an_editor_are_read(tmp_path, encoding):
    (tmp_path / checkpoint.PARAMS).write_bytes(json.dumps(GOOD).encode(encoding))
    assert checkpoint.read_params(tmp_path / "ckpt-1") == GOOD
