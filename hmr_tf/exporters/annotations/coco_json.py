"""People as COCO keypoints: a JSON file of images, annotations and the category of people."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.body import skeleton
from hmr_tf.body.skeleton import COCO_KEYPOINTS
from hmr_tf.data import coco_names
from hmr_tf.files import atomic

PHOTOGRAPHS = "coco_keypoints.json"  # one file for all photographs
# COCO's numbers of a keypoint that is seen, and of one that is labelled but not seen.
SEEN, UNSEEN = 2, 1
_DECIMALS = 3  # of a pixel
_SKELETON = (
    *("left_ankle left_knee", "left_knee left_hip", "right_ankle right_knee"),
    *("right_knee right_hip", "left_hip right_hip", "left_shoulder left_hip"),
    *("right_shoulder right_hip", "left_shoulder right_shoulder", "left_shoulder left_elbow"),
    *("right_shoulder right_elbow", "left_elbow left_wrist", "right_elbow right_wrist"),
    *("left_eye right_eye", "nose left_eye", "nose right_eye", "left_eye left_ear"),
    *("right_eye right_ear", "left_ear left_shoulder", "right_ear right_shoulder"),
)


class AnnotatedImage(NamedTuple):
    """A photograph or a frame, and where its people are."""

    file_name: str
    size: tuple  # (height, width), pixels
    keypoints_px: list  # (19, 2) of each person, order of `skeleton.KEYPOINTS`
    boxes: list  # (4,) x, y, width, height of each person
    tracks: tuple = ()  # number of each person in a video
    frame: int = -1  # number of the frame in a video, from 0; -1: a photograph


def annotated(file_name, image, people, **values):
    """AnnotatedImage of an (H, W, 3) image and its list of `inference.person_crops.Person`."""
    keypoints_px, boxes = ([p[name] for p in people] for name in ("keypoints2d_px", "box"))
    return AnnotatedImage(file_name, image.shape[:2], keypoints_px, boxes, **values)


def file_names(paths):
    """dict: path of a photograph -> its name below the folder that all of them are in."""
    folders = [path.absolute().parent for path in paths]
    common = os.path.commonpath(folders)
    return {path: path.absolute().relative_to(common).as_posix() for path in paths}


def write_photographs(folder, images):
    """Writes all photographs of a run as one file in a folder; returns the list of its path."""
    path = Path(folder) / PHOTOGRAPHS
    write(path, images)
    return [path]


def write_video(stem, scene):
    """Writes the frames with people as NAME_000000.png and so on, for `VideoScene`.

    `ffmpeg -i VIDEO -start_number 0 NAME_%06d.png` writes these files, if no frame is repeated.
    """
    people, path = scene.people, Path(f"{stem}_coco.json")
    by_frame = {}
    for number, track in enumerate(people.tracks):
        for frame, person in zip(track.frames, track.people):
            by_frame.setdefault(int(frame), []).append((number, person))
    images = [
        annotated(
            f"{people.path.stem}_{frame:06d}.png",
            people.image,
            [person for _, person in by_frame[frame]],
            tracks=tuple(number for number, _ in by_frame[frame]),
            frame=frame,
        )
        for frame in sorted(by_frame)
    ]
    write(path, images)
    return [path]


def write(path, images):
    """Writes a file.

    Every keypoint of COCO's 17 is labelled: 2 inside the image, 1 outside. The score is 1, the area
    a share of the box, as there is no mask. Ids count from 1.

    Args:
      path: of the JSON file.
      images: list of AnnotatedImage.
    """
    listed, annotations = [], []
    for image_id, image in enumerate(images, 1):
        height, width = map(int, image.size)
        entry = {"id": image_id, "file_name": image.file_name, "height": height, "width": width}
        listed.append({**entry, "frame_id": image.frame} if image.frame >= 0 else entry)
        for number, (keypoints_px, box) in enumerate(zip(image.keypoints_px, image.boxes)):
            annotation = _annotation(keypoints_px, box, image.size)
            track = {"track_id": int(image.tracks[number])} if image.tracks else {}
            ids = {"id": len(annotations) + 1, "image_id": image_id, "category_id": _PERSON["id"]}
            annotations.append({**ids, **annotation, **track})
    content = {"images": listed, "annotations": annotations, "categories": [_PERSON]}
    atomic.write_text(path, json.dumps(content) + "\n")


def _annotation(keypoints_px, box, size):
    points = skeleton.convert(keypoints_px, skeleton.KEYPOINTS, COCO_KEYPOINTS)
    is_inside = ((points >= 0) & (points < np.array(size[::-1]))).all(axis=1)
    flagged = np.column_stack([points.round(_DECIMALS), np.where(is_inside, SEEN, UNSEEN)])
    x, y, width, height = np.asarray(box, float).round(_DECIMALS).tolist()
    return {
        "keypoints": [value for x, y, flag in flagged.tolist() for value in (x, y, int(flag))],
        "num_keypoints": len(COCO_KEYPOINTS),
        "bbox": [x, y, width, height],
        "area": round(coco_names.AREA_OF_BOX * width * height, _DECIMALS),
        "segmentation": [],
        "iscrowd": 0,
        "score": 1.0,
    }


_PERSON = {
    "id": coco_names.PERSON_ID,
    "name": coco_names.PERSON,
    "supercategory": coco_names.PERSON,
    "keypoints": list(COCO_KEYPOINTS),
    "skeleton": [[COCO_KEYPOINTS.index(n) + 1 for n in bone.split()] for bone in _SKELETON],
}
