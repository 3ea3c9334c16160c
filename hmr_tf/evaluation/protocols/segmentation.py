"""Silhouette and six body parts on the test images of LSP (table 4 of the paper)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.body import body_parts, camera
from hmr_tf.evaluation import metrics
from hmr_tf.evaluation.protocols import scores
from hmr_tf.files.errors import InputError
from hmr_tf.rendering import render
from hmr_tf.rendering.zbuffer import rasterize

MASK, PARTS = "{}_segmentation.png", "{}_part_segmentation.png"  # of UPi-S1h
TEST_IMAGES = tuple(f"im{number}" for number in range(1001, 2001))
# Pixels of the crop, as the public evaluation draws (nkolot/SPIN `utils/part_utils.py:37-51`): so
# long a lens shows what the weak perspective of the model means.
SPIN_FOCAL_PX = 5000.0
_POSED_AT_ONCE = 16
_NUM_LABELS = len(body_parts.PARTS)


class Truth(NamedTuple):
    """Hand-made labels of one image."""

    is_person: np.ndarray  # (H, W) bool
    parts: np.ndarray  # (H, W) uint8, numbers of `body_parts.PARTS`, or `metrics.IGNORED`


def paths(folder, filename):
    """Paths of the two files of an image."""
    return [Path(folder) / name.format(Path(filename).stem) for name in (MASK, PARTS)]


def read(folder, filename, size):
    """The Truth of the image `filename`, whose (height, width) is `size`.

    Raises:
      InputError: no PNG, of another size, damaged, or with other numbers.
    """
    mask_path, parts_path = paths(folder, filename)
    mask, labels = (read_png(path, size) for path in (mask_path, parts_path))
    if not np.isin(labels, [*range(_NUM_LABELS), metrics.IGNORED]).all():
        raise InputError(
            f"{parts_path} has other numbers than 0 to {_NUM_LABELS - 1} and "
            f"{metrics.IGNORED}: pass UPi-S1h's files, not those of its 31 regions."
        )
    return Truth(mask > 0, labels)


def read_png(path, size=None, max_side=None):
    """The grey values of a PNG file: (H, W) uint8; the header is checked before it is decoded.

    Args:
      path: Path.
      size: (height, width) that it must have; None: any.
      max_side: the longest side that is decoded; None: any.

    Raises:
      InputError: no PNG, of another size, or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    stored_size = tuple(int.from_bytes(content[i : i + 4], "big") for i in (20, 16))
    if not content.startswith(b"\x89PNG\r\n\x1a\n") or content[12:16] != b"IHDR":
        raise InputError(f"{path} is not a PNG file: unpack it again.")
    if size is not None and stored_size != tuple(size):
        raise InputError(
            f"{path} has {stored_size[1]} x {stored_size[0]} pixels, its image {size[1]} x "
            f"{size[0]}: use the small LSP images (150 px people), for which UPi-S1h was made."
        )
    if max_side is not None and max(stored_size) > max_side:
        raise InputError(
            f"{path} has {stored_size[1]} x {stored_size[0]} pixels: at most {max_side} a side."
        )
    try:
        return tf.io.decode_png(content, channels=1)[..., 0].numpy()
    except tf.errors.OpError as error:
        raise InputError(f"{path} is damaged: unpack it again.") from error


def draw(vertices, weak_camera, faces, face_labels, scale_xy, corner_px, image_size, size):
    """The parts of one body, at the size of the image that its crop was cut from.

    Args:
      vertices: (V, 3) metres, as the model gives them.
      weak_camera: (3,) weak perspective of the crop.
      faces, face_labels: (F, 3) and (F,) numbers of `body_parts.PARTS`.
      scale_xy, corner_px: (2,) pixel of the image * scale - corner is that of the crop.
      image_size: side of the crop.
      size: (height, width) of the image.

    Returns:
      (H, W) int32 labels, 0 where there is no body.
    """
    translation = camera.perspective_translation(weak_camera[None], image_size, SPIN_FOCAL_PX)
    points, depth = camera.project_perspective(
        vertices[None] + translation[:, None], SPIN_FOCAL_PX, (image_size / 2, image_size / 2)
    )
    fragments = rasterize((points + corner_px) / scale_xy, depth, faces, *size)
    return render.part_map(fragments, face_labels)[0]


def score(frames, options, hmr):
    """Scores of silhouettes and parts.

    Args:
      frames: Frames of LSP's test images, stored whole.
      options: dict of segmentation_dir and part_labels (a file, or empty: from the skinning).
      hmr: the model, for its body.

    Raises:
      InputError: the model has no faces, a segmentation or the part labels are wrong.
    """
    face_labels = _face_labels(hmr.smpl, options["part_labels"])
    names = _names(frames)
    counts = []
    for number, rendered in enumerate(_rendered(frames, hmr, face_labels)):
        size = frames.truth["size"][number]
        truth = read(options["segmentation_dir"], names[number], size)
        counts.append(_counts(rendered, truth))
    counts = [np.stack(kind) for kind in zip(*counts)]  # (N, 3, 3) and (N, 8, 3)

    def metrics_of(rows):
        person, by_part = (kind[rows].sum(0) for kind in counts)
        return _percent(person, by_part)

    by_part = dict(zip(body_parts.PARTS, metrics.f1(counts[1].sum(0)).tolist()))
    wrong = 100 * (1 - counts[1][:, -1, 0] / counts[1][:, -1, 1])
    tables = {
        "sequence": scores.by_group(np.array(names), metrics_of),
        "part": {name: {"f1": value} for name, value in by_part.items()},
    }
    return scores.Scores(metrics_of(...), tables, {"wrong_pixels_percent": wrong}, _terms(*counts))


def check(frames, options):
    """Before anything is predicted: which images can be evaluated.

    Args:
      frames: Frames without predictions.
      options: as in `score`.

    Returns:
      (N,) bool, and the names of the test images without a record or a segmentation.

    Raises:
      InputError: --segmentation_dir is missing, or a file of it is wrong.
    """
    folder = options["segmentation_dir"]
    if not folder or not Path(folder).is_dir():
        raise InputError(
            f"--segmentation_dir={folder} is not a folder: pass UPi-S1h's data/lsp, with "
            f"{MASK.format('im1001')} and {PARTS.format('im1001')}."
        )
    names = _names(frames)
    is_evaluated = np.array([all(path.is_file() for path in paths(folder, name)) for name in names])
    for number in np.flatnonzero(is_evaluated):
        read(folder, names[number], frames.truth["size"][number])
    evaluated = {Path(names[number]).stem for number in np.flatnonzero(is_evaluated)}
    return is_evaluated, [name for name in TEST_IMAGES if name not in evaluated]


def _names(frames):
    return [Path(name.decode(errors="replace")).name for name in frames.truth["filename"]]


def _counts(rendered, truth):
    person = metrics.label_counts((rendered > 0).astype(int), truth.is_person.astype(int), 2)
    return person, metrics.label_counts(rendered, truth.parts, _NUM_LABELS)


def _percent(person, by_part):
    return {
        "foreground_accuracy_percent": 100 * metrics.accuracy(person),
        "foreground_f1": float(np.nanmean(metrics.f1(person))),
        "parts_accuracy_percent": 100 * metrics.accuracy(by_part),
        "parts_f1": float(np.nanmean(metrics.f1(by_part))),
    }


def _terms(person, by_part):
    """Terms of `_percent`, from the (N, L + 1, 3) counts of each image."""
    terms = {}
    for name, counts in (("foreground", person), ("parts", by_part)):
        equal, pixels, _ = counts[:, -1].T
        hits, false_positives, false_negatives = np.moveaxis(counts[:, :-1], -1, 0)
        terms[f"{name}_accuracy_percent"] = scores.Terms(equal, pixels, 100.0)
        terms[f"{name}_f1"] = scores.Terms(2 * hits, 2 * hits + false_positives + false_negatives)
    return terms


def _face_labels(smpl, path):
    if not len(smpl.faces):
        raise InputError(
            "The model was imported without an SMPL file and has no faces to draw: pass "
            "--smpl_model_path=FILE."
        )
    if path:
        return body_parts.read_labels(path, smpl.faces)
    return body_parts.face_labels_from_weights(smpl.lbs_weights, smpl.faces)


def posed(thetas, hmr):
    """Yields (vertices (V, 3), camera (3,)) of each of (N, 85) predicted bodies."""
    for start in range(0, len(thetas), _POSED_AT_ONCE):
        theta = tf.constant(thetas[start : start + _POSED_AT_ONCE])
        body = hmr.with_mesh(hmr.predictions_from_thetas([theta])[0])
        yield from zip(body.vertices, body.camera)


def _rendered(frames, hmr, face_labels):
    """Yields the part map of each predicted body, at the size of the stored image."""
    predicted, sizes = frames.predicted, frames.truth["size"]
    for number, (vertices, weak_camera) in enumerate(posed(predicted["theta"], hmr)):
        yield draw(
            vertices,
            weak_camera,
            hmr.smpl.faces,
            face_labels,
            predicted["scale_xy"][number],
            predicted["corner_px"][number],
            hmr.image_size,
            tuple(int(side) for side in sizes[number]),
        )
