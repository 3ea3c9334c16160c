"""Messages for users are plain words: every reader is given files of other kinds."""

import json
import re

import cv2
import numpy as np
import pytest

from hmr_tf.body import body_model, keypoint_regressor
from hmr_tf.data import shards
from hmr_tf.evaluation.report import results
from hmr_tf.files.errors import InputError
from hmr_tf.inference import boxes, openpose, photo
from hmr_tf.networks import build, checkpoint

# Text of Python's, numpy's, h5py's and OpenCV's exceptions.
PYTHON = re.compile(
    r"Error\(|Error:|Traceback|indices must be|object is not|has no attribute|not subscriptable|"
    r"could not convert|invalid literal|Expecting (value|property)|codec can't|\|S\d|<class|"
    r"unpack|NoneType|Unable to (synchronously )?open|OpenCV|Errno"
)
FILES = {
    "list.json": b"[1, [2], null]",
    "dict.json": b'{"people": {"a": 1}, "images": 3, "shards": [5], "metrics": [], "protocol": 1}',
    "people.json": b'{"people": [[1], "a", {"pose_keypoints_2d": "x"}, {"pose_keypoints": {}}]}',
    "coco.json": json.dumps(
        {"images": [{"id": [1]}, 5, {"id": 1}], "annotations": [{"bbox": {}, "image_id": {}}, 3]}
    ).encode(),
    "half.json": b'{"people": [',
    "numbers.json": b"NaN",
    "a.csv": b"image,x,y,width,height\na.jpg,1,2,x\n",
    "b.csv": b"\xff\xfe\x00",
    "zero.bin": b"",
    "bytes.bin": bytes(range(256)) * 4,
    "cp1252.json": '{"a": "Müller"}'.encode("cp1252"),
}
READERS = {
    "boxes": boxes.read,
    "openpose": openpose.read,
    "photo": photo.read_image,
    "body": body_model.read_model,
    "regressor": keypoint_regressor.read,
    "mean parameters": build.read_mean_params,
    "results": results.read,
    "checkpoint": checkpoint.find,
}


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strangers")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    picture = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    (folder / "photo.png").write_bytes(picture)
    np.savez(folder / "arrays.npz", v_template=np.zeros(3), text=np.array(["a"]))
    np.save(folder / "array.npy", np.zeros(3))
    originals = sorted(path for path in folder.iterdir() if path.is_file())
    for extension in (".json", ".csv", ".npz", ".NPZ", ".npy", ".pkl", ".h5", ".jpg"):
        for path in originals:
            (folder / f"{path.name}{extension}").write_bytes(path.read_bytes())
    (folder / "folder.npz").mkdir()
    return [*sorted(folder.iterdir()), folder / "missing.json", folder / "missing.npz"]


def refusal(reader, path):
    """The message of the InputError, or None where the file is read."""
    try:
        reader(path)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize("reader", READERS)
def test_messages_hold_no_text_of_exceptions(strangers, reader):
    """Whatever the file is, it is read, or refused in one plain line that names it."""
    errors = [(path, error) for path in strangers if (error := refusal(READERS[reader], path))]
    assert len(errors) > 20
    for path, error in errors:
        message = error.replace(str(path), "")
        assert path.name in error, message
        assert "\n" not in message
        assert not PYTHON.search(message), message


def test_messages_of_damaged_indexes(strangers, tmp_path):
    shard = tmp_path / "train_000.tfrecord"
    shard.write_bytes(b"")
    for path in strangers:
        if path.is_file():
            (tmp_path / "train_index.json").write_bytes(path.read_bytes())
            with pytest.raises(InputError, match="must list shards") as error:
                shards.count_records([shard])
            assert not PYTHON.search(str(error.value))
