"""Converted datasets read back: counts, faults by name, and a picture with left and right."""

import json

import cv2
import numpy as np
import pytest

from data_prep import inspect_tfrecords
from data_prep.checking import contact_sheet
from data_prep.reader_items import LabelledPerson, MocapPose
from data_prep.readers.smpl_truth import pw3d
from data_prep.writing import convert_split
from data_prep.writing.shard_files import ShardNames
from hmr_tf.body import skeleton
from hmr_tf.rendering import drawing
from tests.fakes import truth_fakes
from tests.fakes.commands import run_command
from tests.fakes.conversions import job

IS_LEFT, IS_RIGHT = (
    np.array([name.startswith(side) for name in skeleton.KEYPOINTS]) for side in ("left", "right")
)


@pytest.fixture
def run(capsys):
    """Runs the command in this process; returns its exit code and what it printed."""

    def run(**options):
        code = run_command(inspect_tfrecords, **options)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def make_person(rng, left_x=70):
    """A person on grey ground whose left is at `left_x`, whose right at 100 - left_x."""
    points = np.column_stack([np.full(19, 50.0), np.linspace(20, 80, 19)])
    points[IS_LEFT, 0], points[IS_RIGHT, 0] = left_x, 100 - left_x
    image = np.full((100, 100, 3), 128, np.uint8)
    return LabelledPerson(
        image, points, np.ones(19, int), filename="a.jpg", lsp_joints=np.ones((14, 3))
    )


@pytest.fixture
def data_dir(tmp_path, rng):
    """Five people in three shards, four of them facing the camera; two poses."""
    people = [make_person(rng, left_x) for left_x in (70, 70, 30, 70, 70)]
    place = {"folder": tmp_path / "lsp", "split": "train", "shard_names": ShardNames("train")}
    convert_split.convert(job(**place), people)
    place = {"folder": tmp_path / "mocap_neutrMosh", "split": "neutrSMPL_CMU"}
    poses = [MocapPose(np.zeros(72), np.zeros(10))] * 2
    convert_split.convert(job(**place, shard_names=ShardNames("neutrSMPL_CMU")), poses)
    return tmp_path


def table(printed):
    """{(dataset, column): text}"""
    head, *rows = (line.split() for line in printed.splitlines() if not line.startswith("broken"))
    return {(row[0], name): cell for row in rows for name, cell in zip(head, row)}


def test_inspect_tfrecords_counts_records(run, data_dir):
    code, printed = run(data_dir=data_dir, datasets="lsp", mocap_datasets="CMU")
    assert code == 0
    values = table(printed)
    expected = dict(files="3", records="5", index="5", joints="5", SMPL="0", points="14.0")
    assert {name: values["lsp", name] for name in expected} == expected
    assert values["lsp", "facing"] == "80%"
    assert [values["lsp", name] for name in ("truth", "truth_px")] == ["0", "-"]
    assert [values["CMU", name] for name in ("records", "index", "SMPL")] == ["2", "2", "2"]


def openpose_of(scene):
    """(N, 3, 18) the limbs' keypoints where the scene's joints are projected; no others."""
    points = np.zeros((len(scene.pose), 3, 18))
    for column, name in enumerate(pw3d.OPENPOSE_18):
        if name in skeleton.SMPL_JOINTS and "hip" not in name and name != "neck":
            points[:, :2, column] = scene.joints_px[:, skeleton.SMPL_JOINTS.index(name)]
            points[:, 2, column] = 1
    return points


def test_inspect_tfrecords_compares_smpl_truth_with_keypoints(run, tmp_path, rng):
    scene = truth_fakes.scene(rng, 5)
    content = truth_fakes.content_3dpw([scene], poses2d=[openpose_of(scene)])
    truth_fakes.write_3dpw(tmp_path, content)
    content["cam_poses"] = scene.extrinsics.copy()
    content["cam_poses"][:, 0, 3] += 1  # a metre to the right
    truth_fakes.write_3dpw(tmp_path, content, split="train")
    for split, least, most in (("test", 0, 0.01), ("train", 20, np.inf)):
        items = pw3d.read(tmp_path, split)
        names = ShardNames(split, is_by_sequence=True)
        folder = tmp_path / "3dpw" / split
        convert_split.convert(job(folder=folder, split=split, shard_names=names), items)
        code, printed = run(data_dir=tmp_path, datasets="3dpw", split=split)
        assert code == 0
        values = table(printed)
        assert values["3dpw", "truth"] == "5"
        assert least <= float(values["3dpw", "truth_px"]) <= most
        assert "the camera is wrong" in printed


def damage(path, position, value=None):
    content = bytearray(path.read_bytes())
    if value is None:
        del content[position:]
    else:
        content[position] ^= value
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("position", "value"), [(-1, 1), (-100, 1), (-3, None)], ids=["checksum", "content", "cut"]
)
def test_inspect_tfrecords_broken_shard_is_named_and_the_rest_read(position, value, run, data_dir):
    damage(data_dir / "lsp" / "train_001.tfrecord", position, value)
    code, printed = run(data_dir=data_dir, datasets="lsp", output=data_dir / "sheet.png")
    assert code == 1
    assert f"broken: {data_dir}/lsp/train_001.tfrecord: record 2 is corrupt" in printed
    assert "train_001.tfrecord: the index says 2 records, 1 are readable" in printed
    assert table(printed)["lsp", "records"] == "4"


def test_inspect_tfrecords_wrong_index_is_named(run, data_dir):
    path = data_dir / "lsp" / "train_index.json"
    index = json.loads(path.read_text())
    index["shards"].pop()
    path.write_text(json.dumps(index))
    code, printed = run(data_dir=data_dir, datasets="lsp")
    assert code == 1
    assert "train_002.tfrecord: not in the index" in printed
    (data_dir / "lsp" / "train_000.tfrecord").unlink()
    code, printed = run(data_dir=data_dir, datasets="lsp")
    assert code == 1
    assert "train_000.tfrecord: in the index, but missing" in printed


def test_inspect_tfrecords_works_without_an_index(run, data_dir):
    (data_dir / "lsp" / "train_index.json").unlink()
    code, printed = run(data_dir=data_dir, datasets="lsp")
    assert code == 0
    assert table(printed)["lsp", "index"] == "none"


def test_inspect_tfrecords_sheet_draws_left_in_blue(run, data_dir):
    code, _ = run(data_dir=data_dir, datasets="lsp", output=data_dir / "sheet.png", people=2)
    assert code == 0
    sheet = cv2.imread(str(data_dir / "sheet.png"))[..., ::-1]
    cell = contact_sheet.CELL_PX
    below_the_legend = sheet[44 : 44 + cell, :cell].astype(int)
    blue, orange = (
        np.abs(below_the_legend - drawing.side_color(side)).sum(-1) < 20
        for side in ("left", "right")
    )
    assert blue.sum() > 100
    assert orange.sum() > 100
    assert np.nonzero(blue)[1].min() > np.nonzero(orange)[1].max()


def test_inspect_tfrecords_sheet_draws_unlabelled_people_too(rng):
    image = np.full((30, 40, 3), 128, np.uint8)
    for points in (np.zeros((19, 3)), np.full((19, 3), 900.0)):
        sample = {"image": image, "keypoints_px": points, "filename": b"\xff.jpg"}
        assert contact_sheet.draw_person(sample).shape[1] == contact_sheet.CELL_PX


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"datasets": ""}, "--datasets is empty"),
        ({"datasets": "coco"}, "no shards match"),
        ({"split": "val"}, "no shards match"),
        ({"data_dir": "/nowhere"}, "is not a folder"),
        ({"output": "/nowhere/sheet.png"}, "cannot write to /nowhere"),
    ],
)
def test_inspect_tfrecords_wrong_input_is_one_line_and_exit_2(options, reason, run, data_dir):
    code, printed = run(**{"data_dir": data_dir, "datasets": "lsp", **options})
    assert code == 2
    assert reason in printed
    assert printed.count("error: ") == 1
