"""Wrong input is refused before TensorFlow is loaded: one line, exit code 2, nothing written."""

import json
import re
import struct

import cv2
import numpy as np
import pytest

from hmr_tf.files import checkpoint_files
from tests.fakes import videos, without_tensorflow

RECORDS = ["--data_dir=data", "--datasets=lsp"]
TRAIN = ["--mode=train", *RECORDS, "--mocap_datasets=CMU"]
EVALUATE, FIT = ["--mode=evaluate", *RECORDS], ["--mode=fit", *RECORDS]
PHOTO, VIDEO = ["--mode=predict", "--img_path=me.png"], ["--mode=predict", "--video_path=me.mkv"]
IMPORT = ["--mode=import_tf1", "--load_path=model.ckpt-1"]
# Arguments of a command, and the line that it ends with.
REFUSED = [
    (["--mode=predict", "--img_path=none.jpg"], "none.jpg: no such file; give a JPEG"),
    (["--mode=predict", "--img_path=notes.txt"], "notes.txt is not an image that can be read"),
    (["--mode=predict", "--img_path=me.gif"], "me.gif is GIF, which is not read"),
    (["--mode=predict", "--img_path=bad/cut.jpg"], "bad/cut.jpg is damaged, such as cut off"),
    (["--mode=predict", "--img_path=bad/sum.png"], "bad/sum.png is damaged, such as cut off"),
    (["--mode=predict", "--img_path=bad/empty.jpg"], "bad/empty.jpg is empty: give a JPEG"),
    (["--mode=predict", "--img_path=bad/text.jpg"], "bad/text.jpg is not an image that can be"),
    (["--mode=predict", "--img_path=bad/huge.png"], "bad/huge.png has 40000 x 40000 pixels"),
    (["--mode=predict", "--img_path=bad"], "cut off: give another copy of it. None of the 5 ph"),
    (["--mode=predict", "--img_path=bad", "--strict"], "bad/cut.jpg is damaged, such as cut off"),
    (["--mode=predict", "--video_path=notes.txt"], "--video_path=notes.txt gives no frames"),
    ([*PHOTO, "--box=500,5,20,30"], "me.png: The box 500,5,20,30 lies outside the 160 x 90"),
    ([*PHOTO, "--box=5,5,20,-3"], "me.png: The box 5,5,20,-3 is empty"),
    ([*VIDEO, "--box=500,5,20,30"], "me.mkv: every frame of the video: The box 500,5,20,30"),
    (["--mode=predict", "--img_path=photos", "--strict", "--box=100,5,20,30"], "lies outside"),
    ([*PHOTO, "--detector=data"], "--detector=data holds no detector: make it, `python -m tools."),
    ([*VIDEO, "--detector=none"], "--detector=none holds no detector: make it, `python -m tools."),
    (["--mode=predict", "--webcam=77"], "--webcam=77 gives no frames: there is no camera"),
    ([*PHOTO, "--refine"], "needs BlazePose: make it once, `python -m tools.blazepose"),
    ([*VIDEO, "--refine"], "needs BlazePose: make it once, `python -m tools.blazepose"),
    ([*PHOTO, "--load_path=none"], "No checkpoint at --load_path=none: give a --model_dir"),
    ([*PHOTO, "--load_path=data"], "--load_path=data holds no checkpoint: train one with"),
    ([*PHOTO, "--load_path=trained/ckpt-5"], "No checkpoint at --load_path=trained/ckpt-5"),
    ([*PHOTO, "--load_path=model.ckpt-1"], "params.json, which states how the network was built"),
    ([*PHOTO, "--smpl_model_path=none.pkl"], "--smpl_model_path=none.pkl: no such file or folder"),
    (
        [*PHOTO, "--smpl_model_path=notes.txt"],
        "notes.txt: not a readable pickle, damaged or another",
    ),
    (
        [*PHOTO, "--smpl_model_path=me.png"],
        "me.png: not a readable pickle, damaged or another kind",
    ),
    ([*PHOTO, "--smpl_model_path=empty.pkl"], "empty.pkl: not a readable pickle, damaged or anoth"),
    ([*PHOTO, "--smpl_model_path=notes.npz"], "notes.npz is damaged, or another kind of file"),
    ([*PHOTO, "--output_dir="], "--output_dir is empty: name a folder; . is this one."),
    (["--flagfile=me.png"], "--flagfile=me.png is not a text file with a flag on each line."),
    (["--mode=predict", "--video_path=me.png"], "me.png is a photograph: pass --img_path=me.png"),
    ([*PHOTO, "--output_dir=me.png"], "--output_dir=me.png cannot be written: File exists"),
    ([*PHOTO, "--output_dir=me.png/a"], "--output_dir=me.png/a cannot be written: Not a directory"),
    (["--mode=export", "--load_path=none"], "No checkpoint at --load_path=none"),
    (["--mode=export", "--output_dir=data"], "--output_dir=data holds other files: name a folder"),
    (["--mode=export", "--output_dir=me.png"], "--output_dir=me.png is a file: name a folder"),
    (["--mode=export", "--export_format=tflite", "--output_dir=me.png"], "cannot be written"),
    ([*EVALUATE, "--load_path=none"], "No checkpoint at --load_path=none"),
    ([*EVALUATE, "--datasets=coco"], "no shards match data/coco/test_*.tfrecord"),
    ([*EVALUATE, "--protocol=h36m_p2", "--data_dir=none"], "--data_dir=none is not a folder"),
    ([*EVALUATE, "--output_dir=me.png"], "--output_dir=me.png cannot be written"),
    ([*EVALUATE, "--segmentation_dir=none"], "--segmentation_dir=none is not a folder"),
    ([*EVALUATE, "--mocap_ranges=trained"], "--mocap_ranges=trained holds no TFRecords: name the"),
    (
        [*EVALUATE, "--protocol=lsp_parts"],
        "lsp_parts needs --segmentation_dir: UPi-S1h's data/lsp.",
    ),
    (["--mode=evaluate", "--compare=notes.txt"], "--compare=notes.txt is not a results.json"),
    ([*FIT, "--load_path=none"], "No checkpoint at --load_path=none"),
    ([*FIT, "--output_dir=me.png"], "--output_dir=me.png cannot be written"),
    ([*TRAIN, "--load_path=none"], "No checkpoint at --load_path=none"),
    ([*TRAIN, "--pretrained_model_path=none.h5"], "--pretrained_model_path=none.h5: no such file"),
    ([*TRAIN, "--pretrained_model_path=none"], "No checkpoint at none: give the path without"),
    ([*TRAIN, "--mean_params_path=none.h5"], "--mean_params_path=none.h5: no such file"),
    ([*TRAIN, "--model_dir=trained"], "--model_dir=trained holds a training run already"),
    ([*TRAIN, "--model_dir=me.png"], "--model_dir=me.png cannot be written: File exists"),
    ([*TRAIN, "--model_dir=a*"], "TensorFlow takes [ * ? \\ in the path of a checkpoint or"),
    (["--mode=export", "--output_dir=a [1]/1"], "for a pattern; rename a [1], or name another"),
    (["--mode=quickstart", "--output_dir=a [1]"], "for a pattern; rename a [1], or name another"),
    (["--mode=import_tf1", "--load_path=none", "--model_dir=a"], "No checkpoint at none"),
    ([*IMPORT, "--model_dir=data"], "--model_dir=data holds something already"),
    ([*IMPORT, "--model_dir=a", "--smpl_model_path=none"], "--smpl_model_path=none: no such file"),
    (["--mode=quickstart", "--img_path=bad/cut.jpg"], "bad/cut.jpg is damaged, such as cut off"),
    (["--mode=quickstart", "--img_path=notes.txt"], "notes.txt is not an image that can be read"),
    (["--mode=quickstart", "--output_dir=me.png"], "--output_dir=me.png cannot be written"),
]
# Right input reaches the import of TensorFlow, which fails here.
REACHED = [
    PHOTO,
    [*VIDEO, "--box=5,5,20,30", "--load_path=trained"],
    [*PHOTO, "--load_path=trained/ckpt-4", "--output_dir=a/b"],
    ["--mode=predict", "--img_path=photos", "--box=100,5,20,30"],
    ["--mode=export", "--output_dir=saved_model/1"],
    ["--mode=export", "--output_dir=exported"],
    [*EVALUATE, "--load_path=trained"],
    [*FIT, "--output_dir=fitted"],
    [*TRAIN, "--load_path=trained"],
    [*TRAIN, "--load_path=trained", "--model_dir=trained"],
    [*TRAIN, "--pretrained_model_path=imagenet", "--encoder=resnet50", "--model_dir=logs/a"],
    [*IMPORT, "--model_dir=a/b"],
]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Arguments -> how the command ended; all of them in one folder, which stays as it was."""
    folder = tmp_path_factory.mktemp("early") / "work"
    for split in ("train", "test"):
        without_tensorflow.write_shard(folder / "data" / "lsp" / f"{split}_000.tfrecord", 30)
    mocap = folder / "data" / "mocap_neutrMosh" / "neutrSMPL_CMU_000.tfrecord"
    without_tensorflow.write_shard(mocap, 20)
    write_bad_photographs(folder / "bad")
    (folder / "photos").mkdir()
    for name, width in (("me.png", 160), ("photos/a.png", 160), ("photos/b.png", 90)):
        cv2.imwrite(str(folder / name), np.zeros((90, width, 3), np.uint8))
    videos.write_matroska(folder / "me.mkv", np.zeros((3, 90, 160, 3), np.uint8), (0, 40, 80), 25)
    (folder / "me.gif").write_bytes(b"GIF89a" + bytes(20))
    (folder / "empty.pkl").touch()
    for name in (
        "notes.txt",
        "notes.npz",
        "model.ckpt-1.index",
        "trained/checkpoint",
        "trained/ckpt-4.index",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("some notes, and no picture")
    (folder / "trained" / checkpoint_files.PARAMS).write_text(json.dumps({"encoder": "resnet50"}))
    (folder / "exported").mkdir()
    (folder / "exported" / "saved_model.pb").touch()
    before = sorted(folder.rglob("*"))
    commands = [*(arguments for arguments, _ in REFUSED), *REACHED]
    results = without_tensorflow.run(commands, folder)
    assert sorted(folder.rglob("*")) == before
    return dict(zip(map(tuple, commands), results))


def write_bad_photographs(folder):
    folder.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    jpeg, png = (cv2.imencode(kind, picture)[1].tobytes() for kind in (".jpg", ".png"))
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "empty.jpg").touch()
    (folder / "huge.png").write_bytes(png[:16] + struct.pack(">II", 40000, 40000) + png[24:])
    (folder / "sum.png").write_bytes(png[:60] + bytes([png[60] ^ 1]) + png[61:])
    (folder / "text.jpg").write_text("a text file named .jpg")


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=lambda x: "")
def test_early_checks_refuse_in_one_line_before_tensorflow_is_loaded(ended, arguments, message):
    result = ended[tuple(arguments)]
    assert result.code == 2, result.error
    assert re.fullmatch(rf"error: .*{re.escape(message)}.*\n", result.error)


@pytest.mark.parametrize("arguments", REACHED, ids=" ".join)
def test_early_checks_let_right_input_pass(ended, arguments):
    result = ended[tuple(arguments)]
    assert "ImportError: none is loaded here" in result.error, result.error
    assert " Output: " in result.error.splitlines()[1]
