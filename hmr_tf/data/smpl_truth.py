"""SMPL parameters of a person as measured: 3DPW's, EMDB's and SSP-3D's labels, for evaluation.

They are stored beside the features of `record`, in a reader's own keys, and the original's loader
ignores them.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.body.skeleton import LSP_JOINTS

NUM_JOINTS, NUM_BETAS = 24, 10
GENDERS = ("female", "male", "neutral")
UNKNOWN_GENDER = ""
PHOTOGRAPH = -1  # the frame of a photograph
# Visibility of a keypoint that a detector is sure of; 1: labelled, 0: not. Training takes both.
CONFIDENT = 2

# Key -> feature of each field of SmplTruth, in its order; NaN means absent.
_FEATURES = {
    "smpl_truth/pose": tf.io.FixedLenFeature([NUM_JOINTS, 3], tf.float32, [np.nan] * 72),
    "smpl_truth/betas": tf.io.FixedLenFeature([NUM_BETAS], tf.float32, [np.nan] * 10),
    "smpl_truth/transl": tf.io.FixedLenFeature([3], tf.float32, [np.nan] * 3),
    "smpl_truth/gender": tf.io.FixedLenFeature([], tf.string, UNKNOWN_GENDER),
    "smpl_truth/smpl_joints": tf.io.FixedLenFeature([NUM_JOINTS, 3], tf.float32, [np.nan] * 72),
    "smpl_truth/camera": tf.io.FixedLenFeature([4], tf.float32, [np.nan] * 4),
    "smpl_truth/frame": tf.io.FixedLenFeature([], tf.int64, PHOTOGRAPH),
}
_OTHER_FEATURES = {
    "image/visibility": tf.io.FixedLenFeature([len(LSP_JOINTS)], tf.int64),
    "meta/scale_factors": tf.io.FixedLenFeature([2], tf.float32, [1.0, 1.0]),  # y, x
    "meta/crop_pt": tf.io.FixedLenFeature([2], tf.int64, [0, 0]),
}


class SmplTruth(NamedTuple):
    """SMPL parameters of a person in camera coordinates (x right, y down, z forward), metres.

    The vertices in the camera are those of SMPL for `pose` and `betas`, plus `transl`. SMPL rotates
    about its pelvis, not about the origin.
    """

    pose: np.ndarray  # (24, 3) axis-angle; the first joint's is in camera coordinates
    betas: np.ndarray  # (10,) of the model of this gender
    transl: np.ndarray  # (3,)
    gender: str  # of GENDERS, or UNKNOWN_GENDER
    smpl_joints: np.ndarray  # (24, 3); NaN where the dataset has none
    camera: np.ndarray  # (4,) focal length x, y, principal point x, y: pixels of the source image
    frame: int = PHOTOGRAPH  # number of the frame in its video, from 0


def features(truth):
    """SmplTruth -> dict: key of a tf.train.Example -> list of bytes, int or float."""
    arrays = (truth.pose, truth.betas, truth.transl, truth.smpl_joints, truth.camera)
    pose, betas, transl, joints, camera = (
        np.ravel(array).astype(np.float32).tolist() for array in arrays
    )
    values = (pose, betas, transl, [truth.gender.encode()], joints, camera, [int(truth.frame)])
    return dict(zip(_FEATURES, values))


def decode_smpl_truth(serialized):
    """() string tensor of an image record -> dict of tensors; a TF function, for tf.data.

    Returns:
      dict: the fields of SmplTruth, as truth_pose (24, 3), truth_betas (10,), truth_transl (3,),
      truth_gender () string, truth_smpl_joints (24, 3), truth_camera (4,), truth_frame () int64:
      NaN, "" and -1 where a record has none. Where the stored image lies in the source image, as in
      `crop.Crop`: truth_scale_xy (2,) float32, truth_corner_px (2,) int64. truth_visibility (14,)
      int64 of the keypoints of LSP_JOINTS: 0, 1 or CONFIDENT.

    Raises:
      tf.errors.InvalidArgumentError: a feature is missing or has another size or type.
    """
    parsed = tf.io.parse_single_example(serialized, {**_FEATURES, **_OTHER_FEATURES})
    decoded = {
        f"truth_{name}": parsed[key] for name, key in zip(SmplTruth._fields, _FEATURES, strict=True)
    }
    decoded["truth_scale_xy"] = parsed["meta/scale_factors"][::-1]
    decoded["truth_corner_px"] = parsed["meta/crop_pt"]
    return {**decoded, "truth_visibility": parsed["image/visibility"]}
