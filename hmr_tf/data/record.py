"""The TFRecord schema: encode and decode, with the original's feature keys on disk.

The original's records are read unchanged, and its loader reads ours: see its
`datasets/common.py:76-217`, `smpl_to_tfrecords.py` and `util/data_utils.py:13-100`.
"""

import itertools
from typing import NamedTuple, Optional, Union

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from hmr_tf.body import skeleton
from hmr_tf.data import smpl_truth, stored_image
from hmr_tf.data.crop import Crop
from hmr_tf.files.errors import InputError

_NUM_JOINTS = len(skeleton.LSP_JOINTS)
_NUM_FACE = len(skeleton.FACE_KEYPOINTS)
_NUM_REFERENCE = len(skeleton.MPI_INF_3DHP_JOINTS)

# A record without joints has no mosh/gt3d; NaN, which no record contains, means absent.
_IMAGE_FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/filename": tf.io.FixedLenFeature([], tf.string, ""),
    "image/center": tf.io.FixedLenFeature([2], tf.int64),
    "image/x": tf.io.FixedLenFeature([_NUM_JOINTS], tf.float32),
    "image/y": tf.io.FixedLenFeature([_NUM_JOINTS], tf.float32),
    "image/visibility": tf.io.FixedLenFeature([_NUM_JOINTS], tf.int64),
    "image/face_pts": tf.io.FixedLenFeature([3, _NUM_FACE], tf.float32, [0.0] * 3 * _NUM_FACE),
    "mosh/gt3d": tf.io.FixedLenFeature([_NUM_JOINTS, 3], tf.float32, [np.nan] * 3 * _NUM_JOINTS),
    "mosh/pose": tf.io.FixedLenFeature([24, 3], tf.float32, [0.0] * 72),
    "mosh/shape": tf.io.FixedLenFeature([10], tf.float32, [0.0] * 10),
    "meta/has_3d": tf.io.FixedLenFeature([], tf.int64, 0),
}
_MOCAP_FEATURES = {
    "pose": tf.io.FixedLenFeature([24, 3], tf.float32),
    "shape": tf.io.FixedLenFeature([10], tf.float32),
}
# Keys that the original does not have; NaN as above.
_NO_REFERENCE = [np.nan] * 3 * _NUM_REFERENCE
_REFERENCE_FEATURES = {
    "mpi_inf_3dhp/annot3": tf.io.FixedLenFeature([_NUM_REFERENCE, 3], tf.float32, _NO_REFERENCE),
    "mpi_inf_3dhp/univ_annot3": tf.io.FixedLenFeature(
        [_NUM_REFERENCE, 3], tf.float32, _NO_REFERENCE
    ),
    "mpi_inf_3dhp/activity": tf.io.FixedLenFeature([], tf.int64, 0),
}
# Where the converter stored how the stored image was scaled: y, x. Absent from most 2D records.
_SCALE = {"meta/scale_factors": tf.io.FixedLenFeature([2], tf.float32, [np.nan] * 2)}
# The field of tf.train.Feature for values of a type.
_LISTS = {bytes: "bytes_list", int: "int64_list", float: "float_list"}
# Keys of 3D joints -> how many there must be.
JOINT_COUNTS = {
    "mosh/gt3d": _NUM_JOINTS,
    **dict.fromkeys(("mpi_inf_3dhp/annot3", "mpi_inf_3dhp/univ_annot3"), _NUM_REFERENCE),
}


class Reference(NamedTuple):
    """MPI-INF-3DHP's labels, for evaluation. Order: `MPI_INF_3DHP_JOINTS`."""

    joints: np.ndarray  # (17, 3) metres, camera coordinates: its annot3
    universal_joints: np.ndarray  # (17, 3) the same in a skeleton of one size: its univ_annot3
    activity: int  # 1 to 7; 0: unknown


class ImageRecord(NamedTuple):
    """One person as stored in a record; points are pixels of the stored image."""

    jpeg: bytes
    filename: str  # base name of the source image
    crop: Crop  # where the stored image lies in the source image
    center_px: np.ndarray  # (2,) middle of the person; stored cut to whole numbers
    keypoints_px: np.ndarray  # (19, 2)
    labelled: np.ndarray  # (19,) int: 0 no, 1 or 2 yes
    has_face: bool  # whether the dataset labels face points
    lsp_joints: Optional[np.ndarray] = None  # (14, 3) metres, camera coordinates
    pose: Optional[np.ndarray] = None  # (24, 3) axis-angle; only with joints and betas
    betas: Optional[np.ndarray] = None  # (10,)
    camera: Optional[np.ndarray] = None  # (3,) focal length, principal point, pixels
    reference: Union[Reference, smpl_truth.SmplTruth, None] = None


def encode(record):
    """ImageRecord -> a serialized tf.train.Example (bytes); the same bytes for the same record."""
    keypoints, labelled = np.reshape(record.keypoints_px, (19, 2)), np.reshape(record.labelled, 19)
    height, width = record.crop.size
    features = {
        "image/encoded": [record.jpeg],
        "image/format": [b"JPEG"],
        "image/filename": [record.filename.encode()],
        "image/height": _integers(height),
        "image/width": _integers(width),
        "image/center": _integers(np.reshape(record.center_px, 2)),
        "image/x": _floats(keypoints[:_NUM_JOINTS, 0]),
        "image/y": _floats(keypoints[:_NUM_JOINTS, 1]),
        "image/visibility": _integers(labelled[:_NUM_JOINTS]),
    }
    if record.has_face:
        face = np.column_stack([keypoints, labelled])[_NUM_JOINTS:]  # (5, 3): x, y, labelled
        features["image/face_pts"] = _floats(face.T)
    if record.lsp_joints is not None:
        features.update(_features_3d(record))
    if record.reference is not None:
        features.update(_reference_features(record))
    return _serialize(features)


def _reference_features(record):
    if isinstance(record.reference, smpl_truth.SmplTruth):
        return {**smpl_truth.features(record.reference), **_crop_features(record.crop)}
    values = (*map(_floats, record.reference[:2]), _integers(record.reference.activity))
    return dict(zip(_REFERENCE_FEATURES, values))


def _crop_features(crop):
    return {
        "meta/scale_factors": _floats(crop.scale_xy[::-1]),  # y, x: the original's order
        "meta/crop_pt": _integers(crop.corner_px),
    }


def _features_3d(record):
    has_smpl = record.pose is not None
    # The original stores -1 for unknown values; meta/has_3d is 0 then.
    pose, betas = (record.pose, record.betas) if has_smpl else (-np.ones(72), -np.ones(10))
    features = {
        **_smpl_features(pose, betas, record.lsp_joints),
        "meta/has_3d": _integers(has_smpl),
        **_crop_features(record.crop),
    }
    if record.camera is not None:
        features["image/cam"] = _floats(np.reshape(record.camera, 3))
    return features


def _smpl_features(pose, betas, joints):
    return {
        "mosh/gt3d": _floats(np.reshape(joints, (_NUM_JOINTS, 3))),
        "mosh/pose": _floats(np.reshape(pose, 72)),
        "mosh/shape": _floats(np.reshape(betas, 10)),
    }


def with_smpl(serialized, pose, betas, joints):
    """An image record with SMPL parameters and 3D joints put in, all else as it was.

    Args:
      serialized: bytes of `encode`, or as the original wrote them.
      pose: (24, 3) axis-angle; betas: (10,); joints: (14, 3) metres.
    """
    features = {**_smpl_features(pose, betas, joints), "meta/has_3d": _integers(1)}
    return _serialize(features, tf.train.Example.FromString(serialized))


def encode_mocap(pose, betas):
    """(72,) axis-angle and (10,) betas -> a serialized tf.train.Example (bytes)."""
    features = {"pose": _floats(np.reshape(pose, 72)), "shape": _floats(np.reshape(betas, 10))}
    return _serialize(features)


def decode(serialized):
    """One image record -> sample; a TF function, for tf.data.

    Args:
      serialized: () string tensor, as `encode` or the original wrote it.

    Returns:
      dict: image (H, W, 3) uint8 RGB, keypoints_px (19, 3) x, y, labelled (0 or 1), center_px (2,),
      lsp_joints (14, 3) m, pose (24, 3), betas (10,), has_joints () bool, has_smpl () bool,
      filename () string. lsp_joints are zeros without has_joints; pose and betas are undefined
      without has_smpl.

    Raises:
      tf.errors.InvalidArgumentError: a feature is missing, or the image is not readable.
    """
    sample = decode_later(serialized)
    return {**sample, "image": tf.io.decode_jpeg(sample["image"].jpeg, channels=3)}


def decode_later(serialized):
    """As `decode`, but the image is a `stored_image.JpegPart`, of which a crop decodes its part.

    A dataset cannot contain it: use it within one function.
    """
    features = tf.io.parse_single_example(serialized, _IMAGE_FEATURES)
    return {"image": stored_image.open_jpeg(features["image/encoded"]), **_labels(features)}


def decode_labels(serialized):
    """As `decode`, but with size (2,) int32, height and width, in place of the image: much faster.

    It reads only the header of the image.
    """
    sample = decode_later(serialized)
    return {"size": sample.pop("image").size, **sample}


def _labels(features):
    visible = tf.cast(features["image/visibility"], tf.float32)
    body = tf.stack([features["image/x"], features["image/y"], visible])
    x, y, visibility = tf.unstack(tf.concat([body, features["image/face_pts"]], axis=1))
    labelled = tf.cast(visibility > 0.0, tf.float32)
    joints = features["mosh/gt3d"]
    has_joints = tf.logical_not(tf.reduce_any(tf.math.is_nan(joints)))
    return {
        "keypoints_px": tf.stack([x, y, labelled], axis=1),
        "center_px": tf.cast(features["image/center"], tf.float32),
        "lsp_joints": tf.where(has_joints, joints, tf.zeros_like(joints)),
        "pose": features["mosh/pose"],
        "betas": features["mosh/shape"],
        "has_joints": has_joints,
        "has_smpl": features["meta/has_3d"] > 0,
        "filename": features["image/filename"],
    }


def decode_reference(serialized):
    """() string tensor -> dict with the fields of Reference; joints are NaN where it has none.

    Raises as `decode`.
    """
    features = tf.io.parse_single_example(serialized, _REFERENCE_FEATURES)
    return dict(zip(Reference._fields, (features[key] for key in _REFERENCE_FEATURES)))


def decode_source_scale(serialized):
    """() string tensor -> (2,) x, y: pixels of the stored image per pixel of its source, or NaN."""
    return tf.io.parse_single_example(serialized, _SCALE)["meta/scale_factors"][::-1]


def decode_mocap(serialized):
    """() string tensor -> dict: pose (24, 3) axis-angle, betas (10,). Raises as `decode`."""
    features = tf.io.parse_single_example(serialized, _MOCAP_FEATURES)
    return {"pose": features["pose"], "betas": features["shape"]}


def check_shards(paths, decode=decode):
    """Reads and decodes every record of the shards; returns how many there are.

    After a `tf.errors.OpError` of tf.data, which names no file, call this with the same files and
    decoder to find the record; raise the first error again if this raises none.

    Raises:
      InputError: a file is missing, a record is corrupt, its image is unreadable or a feature is
        missing; names the file and the record.
    """
    total = 0
    for path in paths:
        for number, serialized in enumerate(_records(path), start=1):
            try:
                decode(serialized)
            except tf.errors.OpError as error:
                raise _corrupt(path, number, error) from error
            total += 1
    return total


def any_joints3d(paths, most=16):
    """Whether any of the first `most` records of each shard has 3D joints.

    Raises:
      InputError: a file is missing, or a record is corrupt.
    """
    for path in paths:
        for number, serialized in enumerate(itertools.islice(_records(path), most), start=1):
            try:
                example = tf.train.Example.FromString(serialized.numpy())
            except DecodeError as error:
                raise _corrupt(path, number, error) from error
            if "mosh/gt3d" in example.features.feature:
                return True
    return False


def _records(path):
    """Yields () string tensors."""
    number = 0
    try:
        for serialized in tf.data.TFRecordDataset(str(path)):
            yield serialized
            number += 1
    except tf.errors.NotFoundError as error:
        raise InputError(f"there is no TFRecord file {path}") from error
    except tf.errors.OpError as error:
        raise _corrupt(path, number + 1, error) from error


def _corrupt(path, number, error):
    # TensorFlow's messages have the form: {{function_node ...}} reason [Op:Name]
    reason = str(getattr(error, "message", error)).split("[Op:")[0].rsplit("}} ", 1)[-1]
    reason = " ".join(reason.split())[:200]
    return InputError(
        f"{path}: record {number} is corrupt ({reason}); convert the dataset again with "
        "data_prep/to_tfrecords.py"
    )


def _serialize(features, example=None):
    """Puts features, a dict of key -> list of bytes, int or float, into the Example or a new one.

    Whole tf.train.Feature messages would be copied, and the image with them.
    """
    example = example or tf.train.Example()
    for key, values in features.items():
        getattr(example.features.feature[key], _LISTS[type(values[0])]).value[:] = values
    return example.SerializeToString(deterministic=True)


def _integers(values):
    """int64 feature; values are cut towards zero, as the original does."""
    return np.ravel(values).astype(np.int64).tolist()


def _floats(values):
    return np.ravel(values).astype(np.float32).tolist()
