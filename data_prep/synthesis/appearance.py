"""Appearance of synthetic pictures: clothes, light, background, occluders, camera noise.

All random numbers come from a numpy Generator: same state, same picture.
"""

from typing import NamedTuple

import cv2
import numpy as np

from hmr_tf.body import skeleton

_ARM_PARTS = ("shoulder", "elbow", "wrist", "hand")
_BARE_PARTS = ("neck", "head", "wrist", "hand")


class BodyRegions(NamedTuple):
    """Where each vertex lies on the rest body; decides which garment covers it."""

    arm: np.ndarray  # (V,) 0 at the shoulder, 1 at the wrist; -9 elsewhere
    leg: np.ndarray  # (V,) 0 at the hip joint, 1 at the ankle, negative above; -9 on arms and head
    is_foot: np.ndarray  # (V,) bool
    is_neck: np.ndarray  # (V,) bool, neck and head
    head: np.ndarray  # (V,) 0 at the chin, 1 at the crown; -9 elsewhere
    is_face: np.ndarray  # (V,) bool, the front of the head
    height: np.ndarray  # (V,) metres, for stripes


def body_regions(body):
    """BodyRegions of a `BodyModel` of any topology: by skinning weights and rest joints."""
    parts = [skeleton.SMPL_JOINTS[part].split("_")[-1] for part in body.lbs_weights.argmax(axis=1)]
    joints = dict(zip(skeleton.SMPL_JOINTS, body.joint_regressor @ body.v_template))
    x, y, z = body.v_template.T
    is_arm, is_head = np.isin(parts, _ARM_PARTS), np.isin(parts, ("head",))
    shoulder, wrist = joints["left_shoulder"][0], joints["left_wrist"][0]
    hip, ankle = joints["left_hip"][1], joints["left_ankle"][1]
    chin, crown = y[is_head].min(), y[is_head].max()
    return BodyRegions(
        arm=np.where(is_arm, (np.abs(x) - shoulder) / (wrist - shoulder), -9.0),
        leg=np.where(is_arm | np.isin(parts, _BARE_PARTS), -9.0, (hip - y) / (hip - ankle)),
        is_foot=np.isin(parts, ("ankle", "foot")),
        is_neck=np.isin(parts, ("neck", "head")),
        head=np.where(is_head, (y - chin) / (crown - chin), -9.0),
        is_face=is_head & (z > joints["head"][2]),
        height=y,
    )


def clothes(rng, regions, count):
    """(count, V, 3) float32 RGB in 0..1: skin, hair, trousers or a skirt, a top, shoes."""
    chance = rng.random((count, 6, 1))

    def color(high=1.0):
        colors = rng.uniform(0.0, high, (count, 1, 3))
        return _faded(colors, rng.uniform(0.2, 1.0, (count, 1, 1)))

    def extent(low, high):
        return rng.uniform(low, high, (count, 1))

    tone = rng.uniform(0.3, 1.0, (count, 1, 1)) * rng.uniform(0.93, 1.07, (count, 1, 3))
    colors = np.array([0.95, 0.76, 0.65]) * tone * np.ones((len(regions.height), 1))
    colors *= 1 + 0.04 * rng.standard_normal((count, len(regions.height), 1))
    trousers = (regions.leg > -0.17) & (regions.leg < extent(0.15, 1.0)) & (chance[:, 0] < 0.95)
    sleeve = (regions.arm > -1) & (regions.arm < extent(-0.05, 1.0))
    hem = np.where(chance[:, 1] < 0.12, extent(0.2, 0.7), extent(-0.15, 0.1))
    top = ((regions.leg > -8) & (regions.leg < hem)) | sleeve
    fringe, nape = extent(0.62, 0.85), extent(0.0, 0.6)
    hair = np.where(regions.is_face, regions.head > fringe, regions.head > nape)
    layers = [
        (trousers, color()),
        (top & (chance[:, 2] < 0.92), _striped(rng, regions, color(), color(), chance[:, 3] < 0.3)),
        (regions.is_foot & (chance[:, 4] < 0.85), color()),
        (hair & (chance[:, 5] < 0.9), color(0.5) * np.array([1.0, 0.85, 0.7])),
    ]
    for covered, garment in layers:
        colors = np.where(covered[..., None], garment, colors)
    return np.clip(colors, 0.0, 1.0).astype(np.float32)


def _striped(rng, regions, color, other, is_striped):
    count = len(color)
    waves = regions.height / rng.uniform(0.03, 0.15, (count, 1)) + rng.uniform(0, 1, (count, 1))
    return np.where((is_striped & (waves % 1 < 0.5))[..., None], other, color)


def lights(rng, count):
    """Lights (count, 2, 3) as `render.shade` takes them, and ambient light (count,)."""
    directions = rng.normal(size=(count, 2, 3)) * [1.0, 0.7, 0.6] + [0.0, -0.6, -0.9]
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    strength = rng.uniform([0.4, 0.0], [0.9, 0.4], (count, 2))
    ambient = rng.uniform(0.2, 0.6, count)
    return (directions * strength[..., None]).astype(np.float32), ambient.astype(np.float32)


def background(rng, size, draw_photograph=None):
    """(size, size, 3) uint8: a part of a photograph, or a random pattern with clutter.

    `draw_photograph` is a function of `rng` that returns an (H, W, 3) uint8 image.
    """
    if draw_photograph:
        return _random_crop(rng, draw_photograph(rng), size)
    saturation = rng.uniform(0.0, 0.9)
    image = np.full((size, size, 3), _faded(rng.uniform(50, 200, 3), saturation), np.float32)
    if rng.random() < 0.5:  # a floor
        image[int(rng.uniform(0.45, 0.85) * size) :] += _faded(rng.uniform(-70, 70, 3), saturation)
    contrast = rng.dirichlet((1.5, 1.0, 0.7)) * rng.uniform(0.5, 1.8)
    for cells, strength in zip(rng.integers((2, 6, 20), (6, 20, 80)), contrast):
        noise = _faded(rng.uniform(-128, 128, (cells, cells, 3)), saturation) * strength
        image += cv2.resize(noise.astype(np.float32), (size, size))
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(0, 7)):
        _draw_object(rng, image, rng.uniform(0, size, 2), rng.uniform(8, 70))
    return image


def _random_crop(rng, photograph, size):
    side = int(min(photograph.shape[:2]) * rng.uniform(0.4, 1.0)) or 1
    top, left = (int(rng.integers(0, length - side + 1)) for length in photograph.shape[:2])
    crop = photograph[top : top + side, left : left + side]
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)


def _draw_object(rng, image, center, radius):
    """Draws a disc, a bar, a polygon or a limb-like stroke of one colour into the image."""
    color = tuple(int(value) for value in rng.integers(0, 256, 3))
    kind = rng.integers(4)
    other_radius = radius * rng.uniform(0.3, 1.2)
    middle = tuple(int(value) for value in center)
    angle = float(rng.uniform(0, 180))
    if kind == 0:
        cv2.ellipse(
            image,
            middle,
            (int(radius), int(other_radius)),
            angle,
            0,
            360,
            color,
            -1,
            cv2.LINE_AA,
        )
    elif kind == 1:
        corners = cv2.boxPoints(
            ((float(center[0]), float(center[1])), (2 * radius, other_radius), angle)
        )
        cv2.fillConvexPoly(image, corners.astype(np.int32), color, cv2.LINE_AA)
    elif kind == 2:
        corners = center + rng.uniform(-radius, radius, (int(rng.integers(3, 7)), 2))
        cv2.fillPoly(image, [corners.astype(np.int32)], color, cv2.LINE_AA)
    else:
        end = tuple(int(value) for value in center + rng.uniform(-2, 2, 2) * radius)
        cv2.line(image, middle, end, color, max(2, int(other_radius / 3)), cv2.LINE_AA)


def occlude(rng, image, low_px, high_px):
    """Draws an object over a part of the person with a probability of 0.3, in place.

    `low_px` and `high_px` are the smallest and the largest x, y of the person.
    """
    if rng.random() < 0.3:
        radius = rng.uniform(0.06, 0.2) * np.linalg.norm(high_px - low_px)
        _draw_object(rng, image, rng.uniform(low_px, high_px), radius)


def add_camera_noise(rng, image):
    """Blur, exposure, tint and noise of a camera. (H, W, 3) uint8 -> the same."""
    if rng.random() < 0.75:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.35, 1.3)))
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32) * np.float32(rng.uniform(0, 9))
    offset = grain + np.float32(rng.uniform(-12, 12))
    exposed = image * gain.astype(np.float32) + offset[..., None]
    return np.clip(exposed, 0, 255).astype(np.uint8)


def _faded(colors, saturation):
    grey = colors.mean(axis=-1, keepdims=True)
    return grey + (colors - grey) * saturation
