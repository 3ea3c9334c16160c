"""Test sets of a few synthetic people, and a model of their truth, with errors on request."""

import json

import cv2
import numpy as np
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver
from tensorflow import keras

from hmr_tf import main
from hmr_tf.body import body_model, camera
from hmr_tf.body.skeleton import KEYPOINTS, LSP_JOINTS, MPI_INF_3DHP_JOINTS, SMPL_JOINTS
from hmr_tf.body.smpl import SMPL
from hmr_tf.data import record, smpl_truth
from hmr_tf.evaluation import evaluate_protocol
from hmr_tf.networks.hmr import HMR
from tests.fakes import image_records

STORED, SIZE = 224, 112  # the records' images, and the oracle's input: half of them
NUM_PEOPLE = 10
_GREY_STEP = 20


class Table(tf.Module):
    """Stands where a network's encoder does: its only weights are the theta of all people."""

    input_shape = (None, SIZE, SIZE, 3)

    def __init__(self, thetas):
        super().__init__()
        self.thetas = tf.Variable(thetas, trainable=False)

    def __call__(self, images, training=None):
        grey = (tf.reduce_mean(images, axis=[1, 2, 3]) + 1.0) * 127.5
        return tf.gather(self.thetas, tf.cast(tf.round(grey / _GREY_STEP), tf.int32))


class Oracle(HMR):
    """Reads a person's number off the grey of the image and returns their theta.

    `move` (B, 19, 3) -> (B, 19, 3) wrongs the joints, `translation_px` the keypoints, in the crop.
    """

    def __init__(self, thetas, smpl, move=lambda joints: joints, translation_px=(0.0, 0.0)):
        super().__init__(Table(thetas), keras.layers.Layer(), smpl)
        self._move, self._translation_norm = move, 2.0 * np.float32(translation_px) / SIZE
        self.num_calls = 0

    def call(self, images, training=None):
        self.num_calls += 1
        return self.predictions_from_thetas([self.encoder(images)])

    def predictions_from_thetas(self, thetas):
        (last,) = super().predictions_from_thetas(thetas)
        keypoints2d_norm = last.keypoints2d_norm + self._translation_norm
        return (
            last._replace(joints3d=self._move(last.joints3d), keypoints2d_norm=keypoints2d_norm),
        )


def smpl(path=body_model.BUILT_IN):
    return SMPL(body_model.read_model(path))


def thetas(seed=0):
    """(NUM_PEOPLE, 85) upright people of many shapes and poses, all of them inside the crop."""
    rng = np.random.default_rng(seed)
    values = np.zeros((NUM_PEOPLE, 85), np.float32)
    values[:, 0] = rng.uniform(0.7, 0.9, NUM_PEOPLE)
    values[:, 1:3] = rng.uniform(-0.05, 0.05, (NUM_PEOPLE, 2))
    values[:, 2] += 0.25
    values[:, 3:75] = 0.25 * rng.normal(size=(NUM_PEOPLE, 72))
    values[:, 3:6] = 0
    values[:, 3] = np.pi
    values[:, 75:] = rng.normal(size=(NUM_PEOPLE, 10))
    return values


def truth_of(model):
    """dict of joints3d (19), smpl_joints (24), keypoints_px (in the stored image), theta (85)."""
    last = HMR.predictions_from_thetas(model, [model.encoder.thetas])[0]
    keypoints_px = camera.pixels_from_norm(last.keypoints2d_norm.numpy(), STORED)
    return {
        "joints3d": last.joints3d.numpy().astype(float),
        "smpl_joints": last.smpl_joints.numpy().astype(float),
        "keypoints_px": keypoints_px,
        "theta": last.theta.numpy().astype(float),
    }


def load_path(folder):
    """The --load_path of an Oracle: files by the names of a checkpoint, which nothing reads."""
    folder.mkdir(exist_ok=True)
    (folder / "oracle.index").touch()
    (folder / "params.json").write_text("{}")
    return str(folder / "oracle")


def image_of(person, size=(STORED, STORED)):
    """The plain picture whose grey is the person's number."""
    return np.full((*size, 3), _GREY_STEP * person, np.uint8)


def image_record(person, truth, **changes):
    """ImageRecord of a person, without 3D truth; `changes` replace fields."""
    values = {"filename": f"img_{person:06d}.jpg", **changes}
    return image_records.image_record(image_of(person), truth["keypoints_px"][person], **values)


def write_h36m(data_dir, sequences, truth, with_joints=True):
    """{sequence: numbers of people}; their joints stand 3 m in front of the camera."""
    for sequence, people in sequences.items():
        records = [
            image_record(
                person,
                truth,
                lsp_joints=truth["joints3d"][person, : len(LSP_JOINTS)] + (0.2, -0.1, 3.0)
                if with_joints
                else None,
            )
            for person in people
        ]
        folder = data_dir / "tf_records_human36m_wjoints" / "test"
        image_records.write(folder / f"{sequence}.tfrecord", records)


def write_3dhp(data_dir, sequences, truth, direction=(0.0, 0.0), universal_scale=1.0):
    """{sequence: numbers of people}; the crops' centres lie in `direction`: X / Z, Y / Z."""
    ray = np.array([*direction, 1.0])
    rotation = smallest_rotation(ray)
    for sequence, people in sequences.items():
        records = [_record_3dhp(person, truth, ray, rotation, universal_scale) for person in people]
        image_records.write(data_dir / "mpi_inf_3dhp" / "test" / f"{sequence}.tfrecord", records)


def joints_3dhp(truth, person):
    """(17, 3) the oracle's 17 joints, in the crop."""
    smpl_names = {"pelvis": "pelvis", "spine": "spine2", "head": "head"}
    return np.array(
        [
            truth["joints3d"][person, KEYPOINTS.index(name)]
            if name in KEYPOINTS
            else truth["smpl_joints"][person, SMPL_JOINTS.index(smpl_names[name])]
            for name in MPI_INF_3DHP_JOINTS
        ]
    )


def _record_3dhp(person, truth, ray, rotation, universal_scale):
    joints = joints_3dhp(truth, person) @ rotation.T + 4 * ray
    lsp = joints[[MPI_INF_3DHP_JOINTS.index(name) for name in LSP_JOINTS]]
    focal_px = 700.0
    principal_px = STORED / 2 - focal_px * ray[:2]
    keypoints_px = np.zeros((len(KEYPOINTS), 2))
    keypoints_px[: len(lsp)] = focal_px * lsp[:, :2] / lsp[:, 2:] + principal_px
    hips = joints[[MPI_INF_3DHP_JOINTS.index(f"{side}_hip") for side in ("left", "right")]].mean(0)
    universal = universal_scale * (joints - hips) + hips
    return image_record(
        person,
        truth,
        keypoints_px=keypoints_px,
        labelled=np.arange(len(KEYPOINTS)) < len(lsp),
        lsp_joints=lsp,
        reference=record.Reference(joints, universal, activity=1 + person % 3),
    )


def write_smpl_truth(data_dir, dataset, sequences, truth, genders, **changes):
    """{name of the file: numbers of people}, frames in order, with their SMPL labels.

    Args:
      genders: names, given to the files in turn.
      changes: fields of `record.ImageRecord` that are to be others.
    """
    for number, (sequence, people) in enumerate(sequences.items()):
        records = [
            image_record(
                person,
                truth,
                reference=smpl_label(person, truth, genders[number % len(genders)], frame),
                **changes,
            )
            for frame, person in enumerate(people)
        ]
        image_records.write(data_dir / dataset / "test" / f"{sequence}.tfrecord", records)


def smpl_label(person, truth, gender, frame):
    """The SmplTruth of a person 4 m in front of the camera."""
    transl = np.array([0.2, 0.1, 4.0])
    return smpl_truth.SmplTruth(
        pose=truth["theta"][person, 3:75].reshape(24, 3),
        betas=truth["theta"][person, 75:],
        transl=transl,
        gender=gender,
        smpl_joints=truth["smpl_joints"][person] + transl,
        camera=np.array([1000.0, 1000.0, 112.0, 112.0]),
        frame=frame,
    )


def evaluate(oracle, folder, monkeypatch, **values):
    """Runs --mode=evaluate on `folder/data` with flags `values`; gives results.json."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["test"])
    monkeypatch.setattr(evaluate_protocol, "TIMED_IMAGES", 2)
    monkeypatch.setattr("hmr_tf.cli.evaluate.load", lambda options: oracle)
    options = {
        "mode": "evaluate",
        "load_path": load_path(folder / "run"),
        "data_dir": str(folder / "data"),
        "output_dir": str(folder / "output"),
        "batch_size": 16,
        **values,
    }
    with flagsaver.flagsaver(**options):
        main.main(["main"])
    return json.loads((folder / "output" / "results.json").read_text())


def smallest_rotation(ray):
    """(3, 3) the rotation that takes z to the ray, by OpenCV's Rodrigues."""
    ray = ray / np.linalg.norm(ray)
    axis = np.cross([0, 0, 1.0], ray)
    length = np.linalg.norm(axis)
    axis_angle = axis / length * np.arctan2(length, ray[2]) if length else axis
    return cv2.Rodrigues(axis_angle)[0]
