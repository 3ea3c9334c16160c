"""Reads shards back: counts what is in them and names what is broken."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from data_prep.checking import contact_sheet
from data_prep.writing import publish
from hmr_tf.body import skeleton
from hmr_tf.data import crop, record, shards, smpl_truth
from hmr_tf.files.errors import InputError

# Points that both vocabularies have in one place; SMPL's hips lie deeper.
_LIMBS = [f"{s}_{n}" for s in ("left", "right") for n in "shoulder elbow wrist knee ankle".split()]
_LIMB_KEYPOINTS = list(skeleton.indices(_LIMBS, skeleton.KEYPOINTS))
_LIMB_JOINTS = list(skeleton.indices(_LIMBS, skeleton.SMPL_JOINTS))
_LEFT, _RIGHT = skeleton.indices(("left_shoulder", "right_shoulder"), skeleton.KEYPOINTS)


class Inspection(NamedTuple):
    """Contents and faults of one split of a dataset."""

    dataset: str
    split: str
    num_files: int
    num_records: int
    num_indexed: int  # records according to the index; -1: there is no index
    num_joints: int  # records with 3D joints
    num_smpl: int  # records with pose and betas
    num_points: int  # labelled keypoints of all people
    num_shoulders: int  # people with both shoulders labelled
    num_facing: int  # of these, people whose left shoulder is further right in the picture
    faults: list  # of text, one line each
    samples: list  # some of the people, from `record.decode`
    num_truth: int = 0  # records with SMPL parameters as measured
    # Median of the people's mean distances between keypoints and projected joints of the truth.
    truth_px: float = np.nan  # pixels of the stored image

    def row(self):
        """Cells of a table, one for each of `inspect_tfrecords.COLUMNS`."""
        mean = self.num_points / self.num_records if self.num_records else 0
        facing = f"{self.num_facing / self.num_shoulders:.0%}" if self.num_shoulders else "-"
        index = "none" if self.num_indexed < 0 else self.num_indexed
        points = f"{mean:.1f}" if self.num_points else "-"
        truth_px = "-" if np.isnan(self.truth_px) else f"{self.truth_px:.1f}"
        row = (self.dataset, self.split, self.num_files, self.num_records, index, self.num_joints)
        row += (self.num_smpl, points, facing, self.num_truth, truth_px)
        return [str(cell) for cell in row]


def inspect_people(dataset, split, files, num_drawn):
    """Decodes every record of the shards.

    Args:
      dataset, split: names for the table.
      files: sorted paths of all its shards.
      num_drawn: how many people to keep, evenly from first to last.

    Returns:
      Inspection.
    """
    counts = dict.fromkeys(("joints", "smpl", "points", "shoulders", "facing", "truth"), 0)
    samples, num_records, faults, distances_px = [], {}, [], []
    drawn = _evenly(files, num_drawn)
    for number, sample in enumerate(_read(files, _decode, num_records, faults, dataset)):
        if number in drawn:
            samples.append(sample)
        x, labelled = sample["keypoints_px"][:, 0], sample["keypoints_px"][:, 2] > 0
        has_shoulders = labelled[_LEFT] and labelled[_RIGHT]
        counts["joints"] += bool(sample["has_joints"])
        counts["smpl"] += bool(sample["has_smpl"])
        counts["points"] += int(labelled.sum())
        counts["shoulders"] += has_shoulders
        counts["facing"] += has_shoulders and x[_LEFT] > x[_RIGHT]
        counts["truth"] += bool(np.isfinite(sample["truth_pose"]).all())
        distances_px += _truth_distance_px(sample)
    num_indexed, wrong = _compare_with_index(files, num_records)
    values = {f"num_{name}": int(value) for name, value in counts.items()}
    return Inspection(
        dataset,
        split,
        len(files),
        sum(num_records.values()),
        num_indexed,
        **values,
        faults=faults + wrong,
        samples=samples,
        truth_px=np.median(distances_px) if distances_px else np.nan,
    )


def _decode(serialized):
    return {**record.decode(serialized), **smpl_truth.decode_smpl_truth(serialized)}


def _truth_distance_px(sample):
    """Mean distance of the limbs' keypoints from the projected joints of the truth.

    Returns:
      [pixels of the stored image]; [] where there are no joints or no keypoints.
    """
    joints = sample["truth_smpl_joints"][_LIMB_JOINTS]
    labelled = sample["keypoints_px"][_LIMB_KEYPOINTS, 2] > 0
    if not labelled.any() or not (joints[:, 2] > 0).all():  # NaN: not known
        return []
    focal_px, principal_px = np.split(sample["truth_camera"], 2)
    source_px = joints[:, :2] / joints[:, 2:] * focal_px + principal_px
    placement = crop.Crop(sample["truth_scale_xy"], sample["truth_corner_px"], size=None)
    offsets = crop.to_crop(source_px, placement) - sample["keypoints_px"][_LIMB_KEYPOINTS, :2]
    return [np.linalg.norm(offsets[labelled], axis=1).mean()]


def inspect_mocap(dataset, files):
    """Like `inspect_people`, for motion capture."""
    num_records, faults = {}, []
    number = sum(1 for _ in _read(files, record.decode_mocap, num_records, faults, dataset))
    num_indexed, wrong = _compare_with_index(files, num_records)
    return Inspection(
        dataset, "mocap", len(files), number, num_indexed, 0, number, 0, 0, 0, faults + wrong, []
    )


def write_sheet(path, inspections):
    """Draws the samples of all splits on one PNG; InputError if it cannot be written."""
    sheet = contact_sheet.draw({f"{x.dataset} {x.split}": x.samples for x in inspections})
    is_made, png = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    assert is_made
    with (
        publish.atomic_file(path) as unfinished,
        publish.write_errors_as_input_errors(Path(path).parent),
    ):
        unfinished.write_bytes(png)


def _read(files, decode, num_records, faults, title):
    """Yields decoded records as numpy; fills `num_records`, path -> number, and `faults`."""
    for path in tqdm(files, title, unit=" files", leave=False):
        num_records[path] = 0
        try:
            dataset = tf.data.TFRecordDataset(str(path)).map(decode, tf.data.AUTOTUNE)
            for sample in dataset.as_numpy_iterator():
                num_records[path] += 1
                yield sample
        except tf.errors.OpError as error:
            faults.append(_reason(path, decode, error))


def _reason(path, decode, error):
    try:
        record.check_shards([path], decode)
    except InputError as reason:
        return str(reason)
    return f"{path}: {error}"


def _evenly(files, number):
    try:
        total = shards.count_records(files)
    except InputError:  # a truncated file: `_read` reports it
        total = number
    return set(np.linspace(0, max(total - 1, 0), number).astype(int).tolist())


def _compare_with_index(files, num_records):
    """Number of records according to the index (-1: no index), and differences from it."""
    indexed = shards.indexed_counts(files)
    if not indexed:
        return -1, []
    faults = [
        f"{path}: the index says {indexed[path]} records, {number} are readable"
        for path, number in num_records.items()
        if indexed.get(path, number) != number
    ]
    faults += [f"{path}: not in the index" for path in files if path not in indexed]
    faults += [f"{path}: in the index, but missing" for path in indexed if not path.is_file()]
    return sum(indexed.get(path, 0) for path in files), faults
