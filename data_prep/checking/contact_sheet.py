"""Draws records and their keypoints on one sheet, for a visual check."""

import cv2
import numpy as np

from hmr_tf.data import crop
from hmr_tf.rendering import drawing

CELL_PX = 240
COLUMNS = 6
_MARGIN_PX, _LINE_PX = 6, 22
_FONT, _INK, _PAPER = cv2.FONT_HERSHEY_SIMPLEX, (30, 30, 30), 255
LEGEND = (
    ("left", "the person's left"),
    ("right", "the person's right"),
    ("", "middle"),
)
ADVICE = "People who face the camera have blue on the right of the picture, orange on the left."


def draw(datasets):
    """Draws the people of each dataset under its title.

    Args:
      datasets: dict: title -> list of samples from `record.decode`, as numpy.

    Returns:
      (H, W, 3) uint8 RGB.
    """
    width = COLUMNS * (CELL_PX + _MARGIN_PX) + _MARGIN_PX
    strips = [_legend(width)]
    for title, samples in datasets.items():
        strips.append(_line(width, title))
        for start in range(0, len(samples), COLUMNS):
            strips.append(_row(width, samples[start : start + COLUMNS]))
    return np.concatenate(strips)


def draw_person(sample):
    """One person's part of the image and the file name: (CELL_PX + a line, CELL_PX, 3) uint8."""
    image, points_px = _cut_out(sample["image"], sample["keypoints_px"])
    height, width = image.shape[:2]
    scale = CELL_PX / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    labelled = sample["keypoints_px"][:, 2]
    drawn = drawing.draw_keypoints(image, points_px * scale, labelled, radius_px=3)
    cell = np.full((CELL_PX + _LINE_PX, CELL_PX, 3), _PAPER, np.uint8)
    cell[: drawn.shape[0], : drawn.shape[1]] = drawn
    _write(cell, sample["filename"].decode(errors="replace")[-34:], 2, CELL_PX + 14, 0.4)
    return cell


def _cut_out(image, keypoints_px):
    """The part of the image with the labelled points and a margin; the points in that part."""
    points_px, labelled = keypoints_px[:, :2], keypoints_px[:, 2] > 0
    size = np.array(image.shape[1::-1])
    if not labelled.any():
        return image, points_px
    low, high = crop.box_of_labelled(points_px, labelled)
    margin = 0.3 * np.linalg.norm(high - low) + 10
    left, top = np.clip(low - margin, 0, size - 1).astype(int)
    right, bottom = np.clip(high + margin, [left + 1, top + 1], size).astype(int)
    return image[top:bottom, left:right], points_px - [left, top]


def _legend(width):
    line, x = _blank(width), _MARGIN_PX
    for side, text in LEGEND:
        cv2.circle(line, (x + 6, _LINE_PX // 2), 6, drawing.side_color(side), -1, cv2.LINE_AA)
        x = _write(line, text, x + 18, 16, 0.45) + 24
    _write(line, ADVICE, x, 16, 0.45)
    return line


def _line(width, text):
    line = _blank(width)
    _write(line, text, _MARGIN_PX, 16, 0.5)
    return line


def _row(width, samples):
    row = np.full((CELL_PX + _LINE_PX, width, 3), _PAPER, np.uint8)
    for column, sample in enumerate(samples):
        x = _MARGIN_PX + column * (CELL_PX + _MARGIN_PX)
        row[:, x : x + CELL_PX] = draw_person(sample)
    return row


def _blank(width):
    return np.full((_LINE_PX, width, 3), _PAPER, np.uint8)


def _write(image, text, x, y, size):
    """Writes text; returns the x where it ends."""
    text = text.encode("ascii", "replace").decode()  # the font has only these
    cv2.putText(image, text, (x, y), _FONT, size, _INK, 1, cv2.LINE_AA)
    return x + cv2.getTextSize(text, _FONT, size, 1)[0][0]
