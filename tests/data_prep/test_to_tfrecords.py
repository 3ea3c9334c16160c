"""The converter as a command: files, index, summary; every kind of wrong input; interruptions."""

import functools
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import tensorflow as tf

import hmr_tf
from data_prep import to_tfrecords
from data_prep.reader_items import LabelledPerson, MocapPose
from data_prep.readers import lsp
from data_prep.sources import SOURCES
from data_prep.writing import conversion, source_images
from hmr_tf.data import record, shards
from hmr_tf.files.errors import InputError
from tests.fakes import mpi_fakes
from tests.fakes.commands import run_command
from tests.fakes.dataset_fakes import annotation, read_folder, write_coco, write_lsp, write_mosh

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run():
    """Runs the command in this process; returns its exit code."""

    return functools.partial(run_command, to_tfrecords)


@pytest.fixture
def lsp_ext(tmp_path, rng):
    joints = rng.uniform(1, 30, (14, 3, 5))
    joints[:, 2] = 1
    return write_lsp(tmp_path / "lsp_ext", joints, digits=5)


def shards_of(folder, pattern="*.tfrecord"):
    return [f"{name}:{len(records)}" for name, records in read_folder(folder, pattern).items()]


@pytest.mark.parametrize("split", ["train", "trainval", "test"])
def test_to_tfrecords_mpi_inf_3dhp_splits_have_folders(split, run, tmp_path, rng):
    source, out = tmp_path / "source", tmp_path / "out"
    sequence = mpi_fakes.write_sequence(source / "S1/Seq1", *mpi_fakes.standing_3dhp(1, rng))
    mpi_fakes.write_frame(sequence / "imageFrames/video_0/frame_000001.jpg", 0)
    labels = rng.uniform(20, 90, (1, 17, 2)), rng.uniform(-900, 900, (1, 17, 3))
    mpi_fakes.write_testset_sequence(source / "mpi_inf_3dhp_test_set/TS1", *labels, valid=[1])
    assert run(dataset="mpi_inf_3dhp", data_dir=source, output_dir=out, split=split) == 0
    (path,) = shards.find(out, "mpi_inf_3dhp", split)
    assert path.parent == out / "mpi_inf_3dhp" / split
    assert split == "test" or path.name == "train_0000.tfrecord"
    assert shards.has_3d_in_index([path])
    assert record.check_shards([path]) == 1


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_to_tfrecords_lsp_ext_becomes_shards_and_an_index(run, lsp_ext, tmp_path, capsys):
    out = tmp_path / "new" / "out"
    (lsp_ext / "images" / "im00004.jpg").write_bytes(b"")
    assert run(dataset="lsp_ext", data_dir=lsp_ext, output_dir=out, records_per_shard=2) == 1
    shards = ["train_000.tfrecord:2", "train_001.tfrecord:1", "train_002.tfrecord:1"]
    assert shards_of(out / "lsp_ext") == shards
    index = json.loads((out / "lsp_ext" / "train_index.json").read_text())
    assert [f"{shard['file']}:{shard['records']}" for shard in index["shards"]] == shards
    problem = {"reason": "image unreadable", "where": str(lsp_ext / "images" / "im00004.jpg")}
    sources = index.pop("sources")
    digest = hashlib.sha256((lsp_ext / "joints.mat").read_bytes()).hexdigest()
    assert sources["annotations"] == {"joints.mat": digest}
    assert (sources["images"]["number"], sources["images"]["missing"]) == (5, 0)
    assert index == {
        "dataset": "lsp_ext",
        "split": "train",
        "options": {
            "annotations": "",
            "category": "",
            "limit": None,
            "records_per_shard": 2,
            "seed": 0,
            "smpl_model_path": "",
        },
        "version": hmr_tf.__version__,
        "records": 4,
        "shards": index["shards"],
        "has_3d": False,
        "skipped": {"image unreadable": 1},
        "num_problems": 1,
        "problems": [problem],
        "notes": {},
    }
    captured = capsys.readouterr()
    assert captured.out.startswith(
        "lsp_ext train: 4 records in 3 files, 1 skipped (image unreadable: 1),"
    )
    assert captured.out.endswith(f" s, {out / 'lsp_ext'}\n")
    assert [line for line in captured.err.splitlines() if "error: " in line][-2:] == [
        f"error: image unreadable: {problem['where']}",
        f"error: left out, with such reasons: 1; {out / 'lsp_ext' / 'train_index.json'} names them",
    ]
    assert record.check_shards((out / "lsp_ext").glob("*.tfrecord")) == 4


def test_to_tfrecords_second_run_replaces_the_first(run, lsp_ext, tmp_path):
    options = {"dataset": "lsp_ext", "data_dir": lsp_ext, "output_dir": tmp_path / "out"}
    assert run(**options, records_per_shard=2) == 0
    first = contents(tmp_path / "out" / "lsp_ext")
    assert run(**options, records_per_shard=1, limit=2) == 0
    second = ["train_000.tfrecord", "train_001.tfrecord", "train_index.json"]
    assert list(contents(tmp_path / "out" / "lsp_ext")) == second
    assert run(**options, records_per_shard=2) == 0
    assert contents(tmp_path / "out" / "lsp_ext") == first


def test_to_tfrecords_people_of_one_coco_image_stay_together(run, tmp_path):
    people = [annotation(1, 7), annotation(2, 7), annotation(3, 7), annotation(4, 3)]
    folder = write_coco(tmp_path / "coco", people)
    options = {"dataset": "coco", "data_dir": folder, "output_dir": tmp_path / "out"}
    assert run(**options, records_per_shard=2) == 0
    shards = ["train_0000_wmeta.tfrecord:4"]  # image 3 first, one person; then all of image 7
    assert shards_of(tmp_path / "out" / "coco") == shards
    assert run(**options, records_per_shard=1) == 0
    shards = ["train_0000_wmeta.tfrecord:1", "train_0001_wmeta.tfrecord:3"]
    assert shards_of(tmp_path / "out" / "coco") == shards


def test_to_tfrecords_listing_shows_progress(run, lsp_ext, tmp_path, capsys):
    assert run(dataset="lsp_ext", data_dir=lsp_ext, output_dir=tmp_path / "out") == 0
    announced, first, *_ = filter(None, re.split(r"[\r\n]", capsys.readouterr().err))
    assert announced.startswith("Converts lsp_ext train of ")
    assert first.startswith("lsp_ext train: listing: 0 people")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_workers": 2}, "Converts lsp_ext train of {in} with at most 2 worker processes."),
        ({"num_workers": 1}, "Converts lsp_ext train of {in} with 1 process."),
        ({"dataset": "cmu"}, "Converts cmu of {in} with 1 process."),
        ({"runner": "DirectRunner"}, "Converts lsp_ext train of {in} with Apache Beam, Direct"),
        ({"dry_run": "true", "split": "test"}, "Counts lsp_ext test of {in}; writes nothing."),
        (
            {"dataset": "synthetic", "data_dir": ""},
            "Converts synthetic train with 1 process. Output: out/synthetic.",
        ),
    ],
)
def test_to_tfrecords_announces_its_work_before_it_reads(
    options, expected, run, tmp_path, capsys, monkeypatch
):
    def announced(*_):
        raise InputError("the work begins")

    for name in {"lsp_ext", "cmu", "synthetic"}:
        source = SOURCES[name]._replace(read=announced)
        monkeypatch.setitem(SOURCES, name, source)
    given = {"dataset": "lsp_ext", "data_dir": tmp_path, "output_dir": "out", **options}
    assert run(**given) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(expected.replace("{in}", str(tmp_path)))
    assert second == "error: the work begins"


def test_to_tfrecords_every_mosh_collection_has_its_shards(run, tmp_path, rng):
    for name, count in (("CMU", 3), ("jointLim", 2)):
        path = tmp_path / "neutrMosh" / f"neutrSMPL_{name}" / "01" / "a.pkl"
        write_mosh(path, rng.normal(size=(count, 72)))
    out = tmp_path / "out"
    options = {"dataset": "mosh", "data_dir": tmp_path / "neutrMosh", "output_dir": out}
    assert run(**options, records_per_shard=2) == 0
    shards = ["CMU_000.tfrecord:2", "CMU_001.tfrecord:1", "jointLim_000.tfrecord:2"]
    assert shards_of(out / "mocap_neutrMosh") == [f"neutrSMPL_{shard}" for shard in shards]
    index = json.loads((out / "mocap_neutrMosh" / "neutrSMPL_CMU_index.json").read_text())
    assert (index["records"], index["has_3d"]) == (3, True)
    (path, *_) = (out / "mocap_neutrMosh").glob("*.tfrecord")
    assert record.check_shards([path], record.decode_mocap) > 0


def test_to_tfrecords_synthetic_people_and_poses(run, tmp_path, rng, monkeypatch):
    calls = []

    def read(*arguments):
        calls.append(arguments)
        for i in range(3):
            image = np.full((230, 240, 3), i, np.uint8)
            labels = {
                "lsp_joints": np.ones((14, 3)),
                "pose": np.ones((24, 3)),
                "betas": np.ones(10),
            }
            labels["filename"] = f"{i}.jpg"
            yield LabelledPerson(image, rng.uniform(50, 200, (19, 2)), np.ones(19), **labels)

    def read_mocap(*arguments):
        calls.append(arguments)
        yield MocapPose(np.zeros(72), np.zeros(10))

    module = types.SimpleNamespace(read=read, read_mocap=read_mocap)
    monkeypatch.setitem(sys.modules, "data_prep.synthesis.synthetic", module)
    monkeypatch.setattr("data_prep.synthesis.synthetic", module, raising=False)
    assert run(dataset="synthetic", output_dir=tmp_path, split="val", limit=2, seed=5) == 0
    assert run(dataset="synthetic_mocap", output_dir=tmp_path, limit=9) == 0
    assert calls == [("", "val", 2, 5, ""), ("train", 9, 0)]
    assert shards_of(tmp_path / "synthetic") == ["val_000.tfrecord:2"]
    assert json.loads((tmp_path / "synthetic" / "val_index.json").read_text())["has_3d"]
    assert shards_of(tmp_path / "mocap_neutrMosh") == ["neutrSMPL_synthetic_000.tfrecord:1"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"dataset": None}, "--dataset is missing"),
        ({"dataset": "cooc"}, "coco, lsp, lsp_ext, "),
        ({"data_dir": "/nowhere"}, "--data_dir=/nowhere is not a folder"),
        ({"data_dir": ""}, "--data_dir= is not a folder"),
        ({"dataset": "synthetic", "data_dir": "/nowhere"}, "--data_dir=/nowhere is not a folder"),
        ({"output_dir": ""}, "--output_dir is missing"),
        ({"output_dir": "/proc/nothing"}, "cannot write to /proc/nothing"),
        ({"dataset": "coco"}, "person_keypoints_train2014.json"),
        ({"dataset": "mosh"}, "neutrSMPL_*"),
        ({"dataset": "mosh", "split": "val"}, "mosh has no splits"),
        ({"dataset": "synthetic_mocap", "data_dir": None, "split": "test"}, "has no splits"),
        ({"dataset": "lsp"}, "use --dataset=lsp_ext"),
        ({"split": "val"}, "no split val"),
        ({"limit": 0}, "--limit=0"),
        ({"num_workers": 0}, "--num_workers=0"),
        ({"annotations": "x.json"}, "--annotations goes with --dataset=coco"),
        ({"category": "x"}, "--category goes with --dataset=coco"),
        ({"records_per_shard": "many"}, "--records_per_shard=many"),
        ({"datadir": "x"}, "--datadir is not a flag: did you mean --data_dir?"),
    ],
)
def test_to_tfrecords_wrong_input_exits_with_2(options, reason, run, lsp_ext, tmp_path, capsys):
    given = {"dataset": "lsp_ext", "data_dir": lsp_ext, "output_dir": tmp_path / "out", **options}
    assert run(**{key: value for key, value in given.items() if value is not None}) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith("error: ")
    assert captured.err.count("error: ") == 1
    assert reason in captured.err
    assert not (tmp_path / "out").exists()


def test_to_tfrecords_dry_run_counts_and_writes_nothing(run, lsp_ext, tmp_path, capsys):
    joints = scipy.io.loadmat(lsp_ext / "joints.mat")["joints"]
    scipy.io.savemat(lsp_ext / "joints.mat", {"joints": np.concatenate([joints] * 2, axis=2)})
    options = {"dataset": "lsp_ext", "data_dir": lsp_ext, "output_dir": tmp_path / "out"}
    assert run(**options, dry_run="true", records_per_shard=2) == 1
    captured = capsys.readouterr()
    assert captured.out == (
        "lsp_ext train: 5 people for 3 files, 5 skipped (image missing: 5); 5 images or videos, "
        "0 missing; nothing was written\n"
    )
    lines = [line.rpartition("error: ")[2] for line in captured.err.splitlines()][-6:]
    assert lines == [
        *(f"image missing: {lsp_ext / 'images'}, image {number}" for number in range(6, 11)),
        "left out, with such reasons: 5",
    ]
    assert run(dataset="lsp_ext", data_dir=lsp_ext, dry_run="true", strict="true") == 2
    assert not (tmp_path / "out").exists()


def test_to_tfrecords_strict_refuses_before_the_work(run, lsp_ext, tmp_path, capsys):
    out = tmp_path / "out"
    options = {"dataset": "lsp_ext", "data_dir": lsp_ext, "output_dir": out, "strict": "true"}
    assert run(**options) == 0
    before = contents(out / "lsp_ext")
    (lsp_ext / "images" / "._im00004.jpg").write_bytes(b"mac")
    assert run(**options) == 2
    assert "1 unusable entries, which --strict refuses; the first: hidden file, " in (
        capsys.readouterr().err
    )
    assert run(**{**options, "output_dir": tmp_path / "other"}) == 2
    assert not (tmp_path / "other").exists()
    assert contents(out / "lsp_ext") == before


def test_to_tfrecords_strict_publishes_nothing_if_an_image_is_damaged(run, lsp_ext, tmp_path):
    out = tmp_path / "out"
    options = {"dataset": "lsp_ext", "data_dir": lsp_ext, "output_dir": out}
    (lsp_ext / "images" / "im00004.jpg").write_bytes(b"")
    assert run(**options, strict="true") == 2
    assert not list((out / "lsp_ext").glob("*.tfrecord"))
    assert run(**options) == 1
    assert shards_of(out / "lsp_ext") == ["train_000.tfrecord:4"]


@pytest.mark.parametrize("is_missing", [True, False])
def test_to_tfrecords_strict_refuses_missing_images(is_missing, run, tmp_path):
    folder = write_coco(tmp_path / "coco", [annotation(1, 7), annotation(2, 3)])
    if is_missing:
        next((folder / "images/train2014").iterdir()).unlink()
    options = {"dataset": "coco", "data_dir": folder, "output_dir": tmp_path / "out"}
    assert run(**options, strict="true") == (2 if is_missing else 0)
    assert (tmp_path / "out").exists() != is_missing


def test_to_tfrecords_strict_refuses_all_collections_of_poses_before_the_first(run, tmp_path):
    folder = tmp_path / "mosh"
    for collection in ("CMU", "jointLim"):
        write_mosh(folder / f"neutrSMPL_{collection}" / "01" / "a.pkl", np.zeros((3, 72)))
    (folder / "neutrSMPL_jointLim" / "01" / "b.pkl").write_bytes(b"broken")
    options = {"dataset": "mosh", "data_dir": folder, "output_dir": tmp_path / "out"}
    assert run(**options, strict="true") == 2
    assert not (tmp_path / "out").exists()
    assert run(**options) == 1
    assert len(shards_of(tmp_path / "out" / "mocap_neutrMosh")) == 2


def test_to_tfrecords_strict_ignores_people_skipped_by_rules(run, tmp_path):
    folder = write_coco(tmp_path / "coco", [annotation(1), annotation(2, iscrowd=1)])
    options = {"dataset": "coco", "data_dir": folder, "output_dir": tmp_path / "out"}
    assert run(**options, strict="true") == 0


def test_to_tfrecords_annotations_of_the_user(run, tmp_path):
    folder = write_coco(tmp_path / "mine", [annotation(1)], images="", prefix="photos/")
    (made,) = (folder / "annotations").iterdir()
    mine = made.rename(tmp_path / "people.json")
    options = {"dataset": "coco", "data_dir": folder, "output_dir": tmp_path / "out"}
    assert run(**options, annotations=mine) == 0
    assert shards_of(tmp_path / "out" / "coco") == ["train_0000_wmeta.tfrecord:1"]
    ((record, *_),) = read_folder(tmp_path / "out" / "coco").values()
    assert record["image/filename"] == [
        b"photos/000000000007.jpg"
    ]  # the path tells a.jpg from a.jpg
    index = json.loads((tmp_path / "out" / "coco" / "train_index.json").read_text())
    assert list(index["sources"]["annotations"]) == [str(mine)]


def test_to_tfrecords_prints_notes(run, tmp_path, capsys):
    folder = write_coco(tmp_path / "mine", [annotation(1)], images="", prefix="")
    (made,) = (folder / "annotations").iterdir()
    made.write_text(
        made.read_text().replace('"height": 180, "width": 240', '"height": 360, "width": 480')
    )
    options = {"dataset": "coco", "data_dir": folder, "output_dir": tmp_path / "out"}
    assert run(**options, annotations=made, category="Person") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"  {source_images.SCALED}: 1"


def test_to_tfrecords_full_disk_is_one_line_and_leaves_no_half_file(
    run, lsp_ext, tmp_path, monkeypatch, capsys
):
    class Full(tf.io.TFRecordWriter):
        def write(self, record):
            raise tf.errors.ResourceExhaustedError(None, None, "x; No space left on device")

    monkeypatch.setattr(tf.io, "TFRecordWriter", Full)
    assert run(dataset="lsp_ext", data_dir=lsp_ext, output_dir=tmp_path / "out") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(r"error: cannot write to .*out.*\(No space left on device\)", error)
    assert not (tmp_path / "out").exists()


def test_to_tfrecords_no_people_is_an_error_and_writes_nothing(run, lsp_ext, tmp_path, capsys):
    for image in (lsp_ext / "images").iterdir():
        image.write_bytes(b"")
    assert run(dataset="lsp_ext", data_dir=lsp_ext, output_dir=tmp_path / "out") == 2
    assert "no people to convert" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def listens_to_ctrl_c():
    """As a command in a shell; a test run in the background may have been told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listens_to_ctrl_c")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_to_tfrecords_interrupted_run_keeps_the_last_one(
    number, code, run, lsp_ext, tmp_path, monkeypatch
):
    options = {"dataset": "lsp_ext", "data_dir": lsp_ext, "output_dir": tmp_path / "out"}
    assert run(**options) == 0
    before = contents(tmp_path / "out" / "lsp_ext")
    encode = conversion.encode

    def interrupted(group):
        if "im00003" in group[0].image:
            os.kill(os.getpid(), number)
        yield from encode(group)

    monkeypatch.setattr(conversion, "encode", interrupted)
    assert run(**options, records_per_shard=2) == code
    shutil.rmtree(tmp_path / "out" / "lsp_ext" / ".train_index.partial")  # one shard is whole
    assert contents(tmp_path / "out" / "lsp_ext") == before


def test_to_tfrecords_bug_has_a_traceback(run, lsp_ext, tmp_path, monkeypatch):
    monkeypatch.setattr(lsp, "LabelledPerson", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(dataset="lsp_ext", data_dir=lsp_ext, output_dir=tmp_path / "out")
    assert not list(tmp_path.rglob("*.tfrecord"))


def test_to_tfrecords_runs_from_any_folder_and_helps_without_tensorflow(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", ROOT / "data_prep" / "to_tfrecords.py", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert f"--dataset={'|'.join(to_tfrecords.SOURCES)}\n" in done.stdout
    assert "--verbosity" not in done.stdout
    assert not [name for name in ("tensorflow", "cv2", "scipy") if f"| {name}\n" in done.stderr]


@pytest.mark.parametrize("name", ["lsp", "lsp_ext", "coco", "neutrSMPL_CMU", "neutrSMPL_jointLim"])
def test_to_tfrecords_shards_are_the_originals(name, run, shared, tmp_path):
    expected = json.loads((shared / "data_samples" / "expected" / f"{name}.json").read_text())
    source = shared / "data_samples" / name
    dataset, folder = name, name
    if name.startswith("neutr"):
        dataset, folder, source = "mosh", "mocap_neutrMosh", source.parent / "neutrMosh" / name
    options = {"dataset": dataset, "data_dir": source, "output_dir": tmp_path}
    assert run(**options, records_per_shard=2) == 0
    assert shards_of(tmp_path / folder) == expected["shards_2"]
    if "shards_500" in expected:
        assert run(**options) == 0
        assert shards_of(tmp_path / folder) == expected["shards_500"]
