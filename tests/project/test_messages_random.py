"""Files whose values have other types and shapes: read, or refused in one line of plain words.

HMR_MEANINGS_SEED=7 tries other files than CI, HMR_MEANINGS_NUMBER=2000 more of them;
HMR_MEANINGS_CASE=12 runs one case alone.
"""

import functools
import json
import os
import pickle
import re
import warnings

import h5py
import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from data_prep import pseudo_labelling
from data_prep.reader_items import Skipped
from data_prep.readers import amass, cmu, coco, lsp, mosh, mpii
from data_prep.readers.h36m import h36m_layouts
from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_testset, mpi_inf_3dhp_train
from hmr_tf.body import body_model, keypoint_regressor, skeleton
from hmr_tf.data import record, shards
from hmr_tf.evaluation.report import comparison
from hmr_tf.files.errors import InputError, printable
from hmr_tf.inference import boxes, openpose
from hmr_tf.networks import build, checkpoint
from tests.fakes import cmu_fakes, mpi_fakes, mutations, tiny_body
from tests.fakes.dataset_fakes import STANDING
from tests.fakes.random_cases import check_cases

NUM_CASES = int(os.environ.get("HMR_MEANINGS_NUMBER", "300"))
PYTHON = re.compile(
    r"Error\b|Exception|Traceback|NoneType|\bNone\b|indices must be|not subscriptable|"
    r"has no attribute|object is not|could not convert|cannot reshape|invalid literal|unpack|"
    r"dtype|float64|float32|int64|[<|>][USif]\d|codec|<class|\bb'|\[Errno|__|array\(|np\.|"
    r"Unable to|broadcast|out of bounds"
)
KEYPOINTS = STANDING.ravel().tolist()
NAMES = list(skeleton.COCO_KEYPOINTS)
POLYGON = [[10, 10, 90, 10, 90, 170, 10, 170]]
PERSON = {"image_id": 1, "category_id": 1, "keypoints": KEYPOINTS, "bbox": [30, 10, 40, 160]}
COCO = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 240, "height": 180},
        {"id": 2, "file_name": "s1/a.jpg"},
    ],
    "annotations": [
        {"id": 1, **PERSON, "iscrowd": 0, "area": 99.0, "segmentation": POLYGON},
        {**PERSON, "image_id": 2, "segmentation": {"counts": [0, 43200], "size": [180, 240]}},
    ],
    "categories": [{"id": 1, "name": "person", "keypoints": NAMES}, {"id": 2, "name": "dog"}],
}
DETECTIONS = [{**PERSON, "image_id": "a.jpg", "score": 0.9}, {"image_id": "b.jpg", "box": [1] * 4}]
PEOPLE = [{"person_id": [-1], "pose_keypoints_2d": [10, 20, 0.9, 30, 40, 0.8]}] * 2
RESULTS = {
    "protocol": "keypoints2d",
    "metrics": {"ap": 0.1, "oks_error": None},
    "options": {"batch_size": 1, "datasets": ["coco"], "load_path": "a"},
}
INDEX = {"shards": [{"file": "a.tfrecord", "records": 2}], "has_3d": True, "records": 2}
PARAMS = {**build.Architecture()._asdict(), "body_digest": "a", "smpl_model_path": "a.npz"}
RNG = np.random.default_rng(0)
POINTS_3DHP, JOINTS_3DHP = mpi_fakes.standing_3dhp(3, RNG)
TESTSET = {
    "annot2": RNG.uniform(20, 90, (3, 1, 17, 2)),
    "annot3": RNG.uniform(-900, 900, (3, 1, 17, 3)),
    "univ_annot3": RNG.uniform(-900, 900, (3, 1, 17, 3)),
    "valid_frame": np.array([[1.0], [0.0], [1.0]]),
    "activity_annotation": np.array([[1.0], [2.0], [9.0]]),
}
TRAIN_3DHP = {
    "annot2": [POINTS_3DHP.reshape(3, -1)] * 14,
    "annot3": [JOINTS_3DHP.reshape(3, -1)] * 14,
    "cameras": np.arange(14.0)[None],
    "frames": np.arange(3.0)[:, None],
}
POINT = {"x": np.array([[5.0]]), "y": np.array([[7.0]]), "id": np.array([[3.0]])}
RECTANGLE = {"x1": 1.0, "annopoints": {"point": [POINT, {**POINT, "id": np.array([[4.0]])}]}}
RELEASE = {
    "annolist": [{"image": {"name": "a.jpg"}, "annorect": [RECTANGLE] * 2}] * 2,
    "img_train": np.array([[1, 1]], np.uint8),
    "single_person": [np.array([[1.0], [2.0]]), np.array([[1.0]])],
}
AMASS = {"poses": RNG.normal(size=(4, 156)), "betas": np.zeros(16), "gender": np.array("male")}
AMASS["mocap_framerate"] = np.array(60.0)
H36M = {
    "imgname": np.array([f"S1_Eating.54138969_{n:06d}.jpg" for n in (1, 6)]),
    "part": np.ones((2, 24, 3)),
    "S": RNG.normal(size=(2, 24, 4)),
    "pose": np.zeros((2, 72)),
    "shape": np.zeros((2, 10)),
}
LANDMARKS = {
    "filename": np.array(["a", "b", "c"]),
    "keypoints_px": np.ones((3, 19, 3)),
    "joints3d": np.ones((3, 19, 3)),
    "presence": np.ones(3),
}
FETCH = {
    "frame": np.array([1, 2]),
    "camera": np.array([54138969] * 2),
    "pose": {"2d": np.ones((2, 32, 2)), "3d": RNG.normal(size=(2, 32, 3))},
}
RECORD = {
    "image/filename": [b"a"],
    "image/height": [8],
    "image/width": [8],
    "image/center": [4, 4],
    "image/x": [1.0] * 14,
    "image/y": [1.0] * 14,
    "image/visibility": [1] * 14,
    "image/face_pts": [0.0] * 15,
    "image/encoded": [tf.io.encode_jpeg(np.zeros((8, 8, 3), np.uint8)).numpy()],
    "mosh/gt3d": [0.0] * 42,
    "meta/has_3d": [1],
}


def write_json(path, content):
    path.write_text(json.dumps(content))


def write_npz(path, content):
    np.savez(path, **{key: np.asarray(value, _kind(value)) for key, value in content.items()})


def write_npy(path, content):
    np.save(path, np.asarray(content["a"], _kind(content["a"])) if "a" in content else 1)


def _kind(value):
    """None, or object where numpy takes no other."""
    try:
        return np.asarray(value).dtype
    except ValueError:
        return object


def write_pickle(path, content):
    path.write_bytes(pickle.dumps(content, 2))


def write_mat(path, content):
    scipy.io.savemat(path, {key: _to_mat(value) for key, value in content.items()})


def _to_mat(value):
    if isinstance(value, dict):
        return mpi_fakes.structs([{k: _to_mat(v) for k, v in value.items()}]) if value else []
    if isinstance(value, list):
        members = [_to_mat(member) for member in value]
        is_struct = value and all(
            isinstance(x, dict) and x.keys() == value[0].keys() for x in value
        )
        if is_struct and value[0]:
            return mpi_fakes.structs([{k: _to_mat(v) for k, v in x.items()} for x in value])
        cells = np.empty((len(members), 1), object)
        for place, member in enumerate(members):
            cells[place, 0] = member
        return cells
    if value is None or (isinstance(value, int) and abs(value) > 2**60):
        return np.empty((0, 0))
    return np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value


def write_hdf5(path, content):
    with h5py.File(path, "w") as file:
        _fill(file, content)


def _fill(group, content):
    for key, value in content.items():
        if isinstance(value, dict):
            _fill(group.create_group(key), value)
        elif value is not None:
            try:
                group[key] = value
            except (TypeError, ValueError, OverflowError):
                group[key] = "a"


def write_text(path, content):
    path.write_text(content)


def write_record(path, content):
    features = {}
    for key, values in content.items():
        values = values if isinstance(values, list) else [values]
        kinds = {bytes: ("bytes_list", tf.train.BytesList), str: ("bytes_list", tf.train.BytesList)}
        kinds[float] = ("float_list", tf.train.FloatList)
        name, kind = kinds.get(type(next(iter(values), 0)), ("int64_list", tf.train.Int64List))
        values = [v.encode() if isinstance(v, str) else v for v in values]
        try:
            features[key] = tf.train.Feature(**{name: kind(value=values)})
        except (TypeError, ValueError, OverflowError):
            features[key] = tf.train.Feature()
    example = tf.train.Example(features=tf.train.Features(feature=features))
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(example.SerializeToString())


def _skipped(items):
    return [f"{item.reason}: {item.where}" for item in items if isinstance(item, Skipped)]


def _train(reader, parents=0):
    def read(path):
        folder = path.parent if not parents else path.parents[parents]
        return _skipped(reader(folder, "train"))

    return read


def read_boxes(path):
    result = boxes.read(path)
    of_paths = result.of_photographs([path.parent / "a.jpg", path.parent / "s1/a.jpg"])
    messages = [str(value) for value in of_paths.values() if isinstance(value, InputError)]
    for value in of_paths.values():
        if not isinstance(value, InputError):
            messages += boxes.usable(value, 180, 240)[1]
    return [*messages, *result.problems, *result.of_frames("clip", lambda: 9).problems]


def read_index(path):
    (path.parent / "a.tfrecord").touch()
    shards.count_records([path.parent / "a.tfrecord"])
    shards.has_3d_in_index([path.parent / "a.tfrecord"])


def read_params(path):
    params = checkpoint.read_params(path.parent / "ckpt-1")
    checkpoint.read_architecture(path.parent / "ckpt-1", params)


def read_landmarks(path):
    source = pseudo_labelling.landmark_source(str(path), "", "coco", 3)
    source.landmarks_of(1, {"filename": b"b"})


def compare_results(path):
    (path.parent / "good.json").write_text(json.dumps(RESULTS))
    comparison.compare([path, path.parent / "good.json"])


class Reader:
    """How a file is written and read.

    Args:
      name: of the file.
      content: for `mutations.mutant`, or a text.
      write: function: path, content.
      read: function: path -> list of messages, or None.
    """

    def __init__(self, name, content, write, read):
        self.name, self.content, self.write, self.read = name, content, write, read


ASF = cmu_fakes.asf_text(cmu_fakes.bones())
AMC = cmu_fakes.amc_text(cmu_fakes.bones(), [{}] * 2)
CSV = 'image,x,y,width,height\na.jpg,1,2,3,4\n"s1/a.jpg",5,6,7.5,8\n'
READERS = {
    "boxes of COCO": Reader("a.json", COCO, write_json, read_boxes),
    "boxes of detections": Reader("a.json", DETECTIONS, write_json, read_boxes),
    "boxes of OpenPose": Reader("a.json", {"people": PEOPLE}, write_json, read_boxes),
    "boxes of AlphaPose": Reader("a.json", {"a.jpg": {"people": PEOPLE}}, write_json, read_boxes),
    "boxes of CSV": Reader("a.csv", CSV, write_text, read_boxes),
    "OpenPose": Reader(
        "a.json", {"people": PEOPLE}, write_json, lambda path: openpose.read(path).problems
    ),
    "COCO": Reader(
        "a.json",
        COCO,
        write_json,
        lambda path: _skipped(coco.read(path.parent, "train", annotations=path)),
    ),
    "results": Reader("results.json", RESULTS, write_json, compare_results),
    "index": Reader("train_index.json", INDEX, write_json, read_index),
    "params": Reader("params.json", PARAMS, write_json, read_params),
    "LSP": Reader(
        "joints.mat", {"joints": RNG.uniform(1, 30, (3, 14, 2))}, write_mat, _train(lsp.read)
    ),
    "MPII": Reader(mpii.ANNOTATIONS, {"RELEASE": RELEASE}, write_mat, _train(mpii.read)),
    "MPI-INF-3DHP": Reader(
        "S1/Seq1/annot.mat", TRAIN_3DHP, write_mat, _train(mpi_inf_3dhp_train.read, 2)
    ),
    "its cameras": Reader(
        "S1/Seq1/camera.calibration",
        mpi_fakes.calibration(),
        write_text,
        lambda path: mpi_inf_3dhp_train.read_calibration(path) and None,
    ),
    "its test set": Reader(
        "TS1/annot_data.mat",
        TESTSET,
        write_hdf5,
        lambda path: _skipped(mpi_inf_3dhp_testset.read(path.parents[1], "test")),
    ),
    "AMASS": Reader("a_poses.npz", AMASS, write_npz, lambda path: amass.read_file(path) and None),
    "Human3.6M of SPIN": Reader("h36m_train.npz", H36M, write_npz, _train(h36m_layouts.read)),
    "Human3.6M of h36m-fetch": Reader(
        "S1/Eating-1/annot.h5", FETCH, write_hdf5, _train(h36m_layouts.read, 2)
    ),
    "landmarks": Reader("a.npz", LANDMARKS, write_npz, read_landmarks),
    "SMPL, npz": Reader(
        "a.npz", tiny_body.arrays(), write_npz, lambda path: body_model.read_model(path) and None
    ),
    "SMPL, pickle": Reader(
        "a.pkl", tiny_body.arrays(), write_pickle, lambda path: body_model.read_model(path) and None
    ),
    "MoSh": Reader(
        "a.pkl",
        {"poses": RNG.normal(size=(4, 72)), "betas": np.zeros(10)},
        write_pickle,
        lambda path: mosh.read_file(path) and None,
    ),
    "regressor": Reader(
        "a.npy",
        {"a": np.ones((19, 60))},
        write_npy,
        lambda path: keypoint_regressor.read(path) is None,
    ),
    "mean parameters": Reader(
        "a.h5",
        {"pose": np.zeros(72), "shape": np.zeros(10)},
        write_hdf5,
        lambda path: build.read_mean_params(path) and None,
    ),
    "skeleton": Reader("01.asf", ASF, write_text, lambda path: read_motion(path, amc=AMC)),
    "motion": Reader("01_01.amc", AMC, write_text, lambda path: read_motion(path, asf=ASF)),
    "records": Reader(
        "a.tfrecord", RECORD, write_record, lambda path: record.check_shards([path]) and None
    ),
}


def read_motion(path, amc="", asf=""):
    if asf:
        path.with_name("01.asf").write_text(asf)
    else:
        path.with_name("01_01.amc").write_text(amc)
    cmu.read_file(path.with_name("01_01.amc"))


def check_reader(rng, folder, reader):
    path = folder / reader.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if reader.name.endswith("annot.mat"):
        path.with_name("camera.calibration").write_text(mpi_fakes.calibration())
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images" / "im0001.jpg").touch()
    if isinstance(reader.content, str):
        changed = mutations.mutant_text(reader.content, rng)
    else:
        changed = mutations.mutant(reader.content, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that write
        reader.write(path, changed)
    try:
        messages = reader.read(path) or []
    except InputError as error:
        messages = [str(error)]
    for message in messages:
        message = printable(message).replace(str(folder), "").replace("__builtin__", "")
        message = re.sub("type: int64", "", message, flags=re.IGNORECASE)  # TensorFlow's
        assert not PYTHON.search(message), message


@pytest.mark.parametrize("name", READERS)
def test_messages_of_files_with_other_types_are_plain_words(name, tmp_path):
    check_cases(functools.partial(check_reader, reader=READERS[name]), tmp_path, NUM_CASES)
