"""An exported model under load: good, wrong and huge requests from several threads."""

import os
import queue
import struct
import threading
import time
import zlib
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf.files import orientation
from tests.fakes.dataset_fakes import with_orientation

NUM_GOOD = 40  # different good requests, whose outputs are computed once without load
MOST_PEOPLE = 128


class Request(NamedTuple):
    """A request, and what comes of it."""

    signature: str
    inputs: dict
    error: str = ""  # part of the message; empty: the request is good
    expected: dict = None  # outputs of a good one


class Report(NamedTuple):
    """What happened under load."""

    num_good: int
    num_refused: int
    largest_difference: float  # of an output from the one without load
    faults: list  # of str
    memory_mb: list  # of (number of requests so far, resident MB)
    seconds: float


def _photo(rng, height=None, width=None):
    height, width = height or int(rng.integers(60, 200)), width or int(rng.integers(60, 200))
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return cv2.resize(small, (width, height))


def _file(rng):
    """A JPEG or PNG with any orientation, or without; and the upright (height, width)."""
    photo, value = _photo(rng), int(rng.integers(0, 9))
    if rng.random() < 0.7:
        content = cv2.imencode(".jpg", photo)[1].tobytes()
        content = with_orientation(content, value) if value else content
    else:
        content = cv2.imencode(".png", photo)[1].tobytes()
        if value:
            exif = struct.pack("<2sHIH", b"II", 42, 8, 1)
            exif += struct.pack("<HHIHxxI", orientation.TAG, 3, 1, value, 0)
            chunk = b"eXIf" + exif
            length, crc = struct.pack(">I", len(exif)), struct.pack(">I", zlib.crc32(chunk))
            content = content[:33] + length + chunk + crc + content[33:]
    return content, orientation.upright_size(*photo.shape[:2], value)


def _boxes(rng, number, height, width):
    corner = rng.uniform(0, 0.5, (number, 2)) * [width, height]
    size = rng.uniform(0.3, 0.9, (number, 2)) * [width, height]
    return np.concatenate([corner, size], axis=1).astype(np.float32)


def _good(rng, number):
    """One photograph with several people, several photographs, or bodies."""
    if number % 10 == 9:
        bodies = int(rng.integers(1, 9))
        pose = rng.normal(0, 0.3, (bodies, 24, 3)).astype(np.float32)
        betas = rng.normal(size=(bodies, 10)).astype(np.float32)
        return Request("body", {"pose": pose, "betas": betas})
    if number % 10 == 8:
        files = [_file(rng) for _ in range(int(rng.integers(2, 4)))]
        boxes = np.concatenate([_boxes(rng, 1, *size) for _, size in files])
        contents = [content for content, _ in files]
        return Request("predict_image_bytes", {"image_bytes": contents, "boxes": boxes})
    content, size = _file(rng)
    people = MOST_PEOPLE if number == 0 else int(rng.integers(1, 5))
    boxes = _boxes(rng, people, *size)
    return Request("predict_image_bytes", {"image_bytes": [content], "boxes": boxes})


def _claiming(kind, height, width):
    """A small file that states a huge picture."""
    photo = np.zeros((8, 8, 3), np.uint8)
    if kind == "png":
        content = bytearray(cv2.imencode(".png", photo)[1].tobytes())
        content[16:24] = struct.pack(">II", width, height)
        content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
        return bytes(content)
    content = bytearray(cv2.imencode(".jpg", photo)[1].tobytes())
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def _bad(rng):
    """A request that is refused, with a part of the reason."""
    content, size = _file(rng)
    boxes = _boxes(rng, int(rng.integers(1, 4)), *size)
    photo = _photo(rng, 40, 40)
    not_read = b"must hold a JPEG or PNG".decode()
    in_pixels = "x, y, width, height in pixels"

    def changed(place, value):
        other = boxes.copy()
        other[0, place] = value
        return other

    cases = (
        lambda: ([rng.bytes(int(rng.integers(0, 999)))], boxes, not_read),
        lambda: ([b""], boxes, not_read),
        lambda: ([cv2.imencode(".bmp", photo)[1].tobytes()], boxes, not_read),
        lambda: ([cv2.imencode(".webp", photo)[1].tobytes()], boxes, not_read),
        lambda: ([b"\0\0\0\x18ftypheic" + bytes(40)], boxes, not_read),
        lambda: ([content[: len(content) // 2]], boxes, ""),
        lambda: ([content[:40]], boxes, ""),
        lambda: ([_claiming("png", 60_000, 60_000)], boxes, "at most"),
        lambda: ([_claiming("jpeg", 65_500, 65_500)], boxes, "at most"),
        lambda: ([_claiming("png", 8, 20_000)], boxes, ""),
        lambda: ([content], boxes[:0], "1 to 128 people"),
        lambda: ([content], np.tile(boxes[:1], (MOST_PEOPLE + 1, 1)), "1 to 128 people"),
        lambda: ([content], changed(0, np.nan), in_pixels),
        lambda: ([content], changed(2, np.inf), in_pixels),
        lambda: ([content], changed(3, 0.0), in_pixels),
        lambda: ([content], changed(2, -5.0), in_pixels),
        lambda: ([content], changed(0, 9e4), "lies outside"),
        lambda: ([content], changed(slice(2, 4), 1e-3), "too small"),
        lambda: ([content] * (len(boxes) + 1), boxes, "one photograph, or one for each box"),
        lambda: ([], boxes, "one photograph, or one for each box"),
    )
    contents, boxes, error = cases[rng.integers(len(cases))]()
    inputs = {"image_bytes": contents, "boxes": boxes}
    return Request("predict_image_bytes", inputs, error=error or "any reason")


def requests(signatures, number, seed=0):
    """Yields `number` requests, four in ten good; these are asked once before, without load."""
    rng = np.random.default_rng(seed)
    good = [_good(rng, i) for i in range(min(NUM_GOOD, number))]
    good = [request._replace(expected=_outputs(signatures, request)) for request in good]
    for _ in range(number):
        if rng.random() < 0.6:
            yield _bad(rng)
        else:  # the one of 128 people comes rarely
            yield (
                good[rng.integers(len(good))]
                if rng.random() < 0.1
                else good[rng.integers(1, len(good))]
            )


def _outputs(signatures, request):
    tensors = {
        name: tf.constant(value, tf.string) if name == "image_bytes" else tf.constant(value)
        for name, value in request.inputs.items()
    }
    return {name: x.numpy() for name, x in signatures[request.signature](**tensors).items()}


def _resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(signatures, number, num_threads=8, seed=0):
    """Sends `number` requests from `num_threads` threads; returns a Report."""
    waiting, lock = queue.Queue(maxsize=4 * num_threads), threading.Lock()
    counts, faults, memory_mb = {"good": 0, "refused": 0, "difference": 0.0}, [], []

    def work():
        while (request := waiting.get()) is not None:
            kind, difference, fault = _try(signatures, request)
            with lock:
                counts[kind] += 1
                counts["difference"] = max(counts["difference"], difference)
                faults.extend([fault] if fault else [])
                done = counts["good"] + counts["refused"]
                if done % max(number // 20, 1) == 0:
                    memory_mb.append((done, _resident_mb()))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(num_threads)]
    made = requests(signatures, number, seed)
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for request in made:
        waiting.put(request)
    for _ in threads:
        waiting.put(None)
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - start
    return Report(
        counts["good"], counts["refused"], counts["difference"], faults, memory_mb, seconds
    )


def _try(signatures, request):
    """ "good" or "refused", the largest difference of an output, what was wrong or ""."""
    try:
        outputs = _outputs(signatures, request)
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
        if not request.error:
            return "refused", 0.0, f"a good request was refused: {error.message[:200]}"
        has_reason = error.message.strip() and request.error in (error.message, "any reason")
        is_right = has_reason or request.error in error.message
        return "refused", 0.0, "" if is_right else f"not {request.error!r}: {error.message[:200]}"
    if request.error:
        return "good", 0.0, f"accepted, although {request.error!r}"
    if any(not np.isfinite(x).all() for x in outputs.values()):
        return "good", 0.0, "an output is not finite"
    differences = [np.abs(outputs[name] - x).max() for name, x in request.expected.items()]
    return "good", float(max(differences)), ""
