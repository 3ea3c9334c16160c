"""Writes tiny fakes of the datasets' folders, and reads records as plain arrays."""

import json
import pickle
import struct

import cv2
import numpy as np
import scipy.io
import tensorflow as tf

from data_prep.writing import conversion, shard_files
from data_prep.writing.split_index import Tally

# A person who stands, as COCO has it: x, y, v of the 17 points, nose first, right ankle last.
_X = [50, 52, 48, 55, 45, 60, 40, 64, 36, 66, 34, 57, 43, 58, 42, 59, 41]
_Y = [20, 18, 18, 19, 19, 40, 40, 65, 65, 88, 88, 90, 90, 125, 125, 160, 160]
STANDING = np.column_stack([_X, _Y, np.full(17, 2)])


def write_image(path, height, width, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(
        0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8
    )
    assert cv2.imwrite(str(path), cv2.resize(noise, (width, height)))


def write_lsp(folder, joints, digits=4, numbers=None):
    """`joints` as in joints.mat; images im0001.jpg ... of 40 x 30 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(folder / "joints.mat", {"joints": joints})
    for number in numbers or range(1, joints.shape[2] + 1):
        write_image(folder / "images" / f"im{number:0{digits}d}.jpg", 40, 30, seed=number)
    return folder


def annotation(
    number, image_id=7, points=STANDING, polygon=(30, 10, 70, 10, 70, 170, 30, 170), **more
):
    """One COCO annotation; `more` replaces entries, None takes them out."""
    entries = {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": int((np.asarray(points)[:, 2] > 0).sum()),
        "keypoints": np.asarray(points).ravel().tolist(),
        "segmentation": [list(polygon)],
        **more,
    }
    return {key: value for key, value in entries.items() if value is not None}


def write_coco(folder, annotations, year="2014", split="train", images="images/{}{}/", prefix=None):
    """COCO's layout with the two images 3 and 7, of 180 x 240 pixels."""
    prefix = (f"COCO_{split}2014_" if year == "2014" else "") if prefix is None else prefix
    entries = []
    for image_id in (7, 3):
        name = f"{prefix}{image_id:012d}.jpg"
        entries.append({"id": image_id, "file_name": name, "height": 180, "width": 240})
        write_image(folder / images.format(split, year) / name, 180, 240, seed=image_id)
    content = {
        "images": entries,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
    }
    path = folder / "annotations" / f"person_keypoints_{split}{year}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return folder


def write_mosh(path, poses, betas=None, key="poses"):
    path.parent.mkdir(parents=True, exist_ok=True)
    betas = np.zeros(10) if betas is None else betas
    path.write_bytes(pickle.dumps({key: poses, "betas": betas}, 2))
    return path


def features(example):
    """tf.train.Example -> {key: list of numbers or of bytes}."""
    kinds = ("bytes_list", "float_list", "int64_list")
    return {
        key: list(next(getattr(feature, kind).value for kind in kinds if feature.HasField(kind)))
        for key, feature in example.features.feature.items()
    }


def convert(items):
    """Records and tally of what a reader yields."""
    tally = Tally()
    groups = shard_files.group_by_image(tally.count_skipped(items))
    records = [r for group in groups for r in tally.count_skipped(conversion.encode(group))]
    return [features(tf.train.Example.FromString(r)) for r in records], tally


def read_folder(folder, pattern="*.tfrecord"):
    """{file name: records}"""
    paths = sorted(folder.glob(pattern))
    return {path.name: [_parsed(r) for r in tf.data.TFRecordDataset(str(path))] for path in paths}


def _parsed(serialized):
    return features(tf.train.Example.FromString(serialized.numpy()))


def assert_as_original(records, expected, tolerance_px=1e-3):
    """Compares with what the original wrote, in its order. Tolerance for x, y and what follows."""
    assert len(records) == len(expected["filename"])
    loose = round(tolerance_px)
    for i, record in enumerate(records):
        assert sorted(record) == expected["keys"]
        assert record["image/filename"] == [expected["filename"][i].encode()]
        assert record["image/visibility"] == expected["visibility"][i]
        for key in ("center", "height", "width"):
            np.testing.assert_allclose(
                record[f"image/{key}"], np.ravel(expected[key][i]), rtol=0, atol=loose
            )
        for key in ("x", "y"):
            np.testing.assert_allclose(
                record[f"image/{key}"], expected[key][i], rtol=0, atol=tolerance_px
            )
        (jpeg,) = record["image/encoded"]
        pixels = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE").numpy()
        assert pixels.shape == (*record["image/height"], *record["image/width"], 3)
        np.testing.assert_allclose(pixels.mean((0, 1)), expected["image_mean"][i], atol=0.5)
        if not loose:  # else the window may begin a pixel beside the original's
            np.testing.assert_allclose(_thumb(pixels), expected["thumb"][i], rtol=0, atol=2)


def assert_3d_as_original(records, expected):
    """Compares what only records with joints have: camera, joints, pose, and where the crop was."""
    for i, record in enumerate(records):
        for key in ("meta/crop_pt", "meta/has_3d"):
            assert record[key] == np.ravel(expected[key.replace("/", "_")][i]).tolist()
        keys = {"image/cam": "cam", "mosh/gt3d": "mosh_gt3d", "mosh/pose": "mosh_pose"}
        keys.update({"mosh/shape": "mosh_shape", "meta/scale_factors": "meta_scale_factors"})
        for key, name in keys.items():
            np.testing.assert_allclose(record[key], np.ravel(expected[name][i]), rtol=0, atol=1e-3)


def _thumb(pixels):
    """(H, W, 3) -> (8, 8, 3) means of boxes."""
    rows, columns = (np.round(np.arange(9) * side / 8).astype(int) for side in pixels.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(pixels.astype(float), rows[:-1], 0), columns[:-1], 1)
    return sums / (np.diff(rows)[:, None, None] * np.diff(columns)[:, None])


def with_orientation(jpeg, orientation):
    """The bytes of a JPEG with an EXIF block that has this orientation."""
    tiff = struct.pack("<2sHIH", b"II", 42, 8, 1)
    tiff += struct.pack("<HHIHxxI", 0x0112, 3, 1, orientation, 0)
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]
