"""Finding shards, keeping some out of training, counting their records."""

import json

import pytest
import tensorflow as tf

from data_prep.to_tfrecords import SOURCES
from hmr_tf.data import shards
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError


def write(path, records=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(records):
            writer.write(b"x" * (number + 1))
    return path


@pytest.fixture
def data_dir(tmp_path):
    for number in range(3):
        write(tmp_path / "lsp_ext" / f"train_{number:03d}.tfrecord", 3 - number)
    write(tmp_path / "lsp_ext" / "test_000.tfrecord")
    write(tmp_path / "coco" / "train_000.tfrecord")
    write(tmp_path / "mpi_inf_3dhp" / "train" / "train_0000.tfrecord")
    write(tmp_path / "tf_records_human36m_wjoints" / "train" / "a.tfrecord")
    for name in ("CMU", "H3.6"):
        write(tmp_path / "mocap_neutrMosh" / f"neutrSMPL_{name}_000.tfrecord")
    return tmp_path


def names(files):
    return {dataset: [path.name for path in paths] for dataset, paths in files.items()}


def test_shards_in_the_originals_folders_are_listed(data_dir):
    files = shards.split(data_dir, ["lsp_ext", "mpi_inf_3dhp", "h36m"]).training
    assert names(files) == {
        "lsp_ext": ["train_000.tfrecord", "train_001.tfrecord", "train_002.tfrecord"],
        "mpi_inf_3dhp": ["train_0000.tfrecord"],
        "h36m": ["a.tfrecord"],
    }
    assert shards.find(data_dir, "lsp_ext", "test")[0].name == "test_000.tfrecord"
    assert names(shards.find_mocap(data_dir, ["H3.6"])) == {"H3.6": ["neutrSMPL_H3.6_000.tfrecord"]}


def test_shards_at_the_end_are_kept_for_validation(data_dir):
    splits = shards.split(data_dir, ["lsp_ext"], ["lsp_ext", "coco"], 2)
    assert names(splits.training) == {"lsp_ext": ["train_000.tfrecord"]}
    assert names(splits.validation) == {
        "lsp_ext": ["train_001.tfrecord", "train_002.tfrecord"],
        "coco": ["train_000.tfrecord"],  # not trained on: all of it
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["lsp_ext"], ["lsp_ext"], 3), r"--val_shards=3 of lsp_ext: it has 3 shard file\(s\)"),
        ((["coco"], ["coco"], 1), r"--val_shards=1 of coco: it has 1 shard file\(s\)"),
        ((["lsp"],), r"no shards match .*lsp/train_\*\.tfrecord .*coco.*--dataset=lsp [^`]*`$"),
        ((["mpii"],), r"no shards match .*mpii/train_\*\.tfrecord .*--dataset=mpii [^`]*`$"),
        ((["cooc"],), r"--datasets=cooc is not known, only 3dpw, coco, .*ssp3d, synthetic$"),
        (([],), "--datasets is empty"),
    ],
)
def test_shards_refuse_a_split_that_leaves_none(data_dir, arguments, message):
    with pytest.raises(InputError, match=message):
        shards.split(data_dir, *arguments)


def test_shards_exclude_hidden_files(data_dir):
    files = shards.find(data_dir, "h36m")
    (files[0].parent / f"{atomic.UNFINISHED}0.tfrecord").write_text("half")
    assert shards.find(data_dir, "h36m") == files


def test_shards_name_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"--data_dir=.*nowhere is not a folder"):
        shards.split(tmp_path / "nowhere", ["coco"])


def test_shards_of_mocap_missing_name_the_remedies(data_dir):
    with pytest.raises(InputError, match=r"jointLim_\*.*--dataset=mosh .*--encoder_only"):
        shards.find_mocap(data_dir, ["CMU", "jointLim"])
    with pytest.raises(InputError, match=r"--dataset=synthetic_mocap .*--encoder_only"):
        shards.find_mocap(data_dir, ["synthetic"])
    with pytest.raises(InputError, match="--encoder_only"):
        shards.find_mocap(data_dir, [])


def test_shards_are_counted_from_the_index_or_the_files(data_dir):
    files = shards.find(data_dir, "lsp_ext")
    assert shards.count_records(files) == 6
    index = {"has_3d": True, "shards": [{"file": "train_000.tfrecord", "records": 500}]}
    (data_dir / "lsp_ext" / "train_index.json").write_text(json.dumps(index))
    assert shards.count_records(files) == 500 + 3
    assert shards.has_3d_in_index(files)


def test_shards_without_an_index_state_no_3d(data_dir):
    assert shards.has_3d_in_index(shards.find(data_dir, "mpi_inf_3dhp")) is None


def test_shards_without_records_count_zero(tmp_path):
    assert shards.count_records([write(tmp_path / "a.tfrecord", 0)]) == 0


def test_shards_name_a_cut_file(tmp_path):
    path = write(tmp_path / "a.tfrecord", 3)
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) - 15):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"a\.tfrecord: record 3 is cut off"):
            shards.count_records([path])


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        "3",
        '{"shards": null}',
        '{"shards": [{}]}',
        '{"shards": [3]}',
        '{"shards": [{"file": 3, "records": 1}]}',
        '{"shards": [{"file": "train_000.tfrecord", "records": "1"}]}',
        '{"shards": [{"file": "train_000.tfrecord", "records": -1}]}',
        "[" * 100_000,
    ],
)
def test_shards_name_an_unreadable_index(content, data_dir):
    (data_dir / "lsp_ext" / "train_index.json").write_text(content)
    files = shards.find(data_dir, "lsp_ext")
    for use in (shards.count_records, shards.has_3d_in_index):
        with pytest.raises(InputError, match=r"train_index\.json is not readable"):
            use(files)


def test_shards_name_a_wrong_count(data_dir):
    files = shards.find(data_dir, "lsp_ext")
    shards.check_indexes(files)
    path = data_dir / "lsp_ext" / "train_index.json"
    index = {"shards": [{"file": file.name, "records": 2} for file in files[:2]]}
    path.write_text(json.dumps(index))
    with pytest.raises(InputError, match="states 4 records, the shards hold 5") as error:
        shards.check_indexes(files)
    assert str(path) in str(error.value)


def test_shards_know_the_converters_datasets():
    people = [name for name, source in SOURCES.items() if source.folder != "mocap_neutrMosh"]
    assert sorted(shards.CONVERTED) == sorted(people)


def test_shards_remedy_names_the_split(data_dir):
    with pytest.raises(InputError, match=r"--dataset=lsp .*--split=test`$"):
        shards.find(data_dir, "lsp", "test")


def test_shards_without_an_index_are_counted_once(tmp_path, monkeypatch):
    path = tmp_path / "train_000.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(3):
            writer.write(b"record")
    opened, plain = [], open
    monkeypatch.setattr(
        "builtins.open", lambda *args, **kwargs: opened.append(args[0]) or plain(*args, **kwargs)
    )
    assert [shards.count_records([path]) for _ in range(3)] == [3, 3, 3]
    assert opened == [path]
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"another")
    assert shards.count_records([path]) == 1


def test_shards_name_an_empty_file(data_dir):
    (data_dir / "lsp_ext" / "train_001.tfrecord").write_bytes(b"")
    with pytest.raises(InputError, match=r"train_001\.tfrecord is empty: copy it again"):
        shards.find(data_dir, "lsp_ext")
