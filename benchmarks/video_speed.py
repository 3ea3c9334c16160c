"""Frames per second of a video of one person: read, predict, track, smooth, draw, write.

    python -m benchmarks.video_speed [--frames=300] [--width=640 --height=480] [--load_path=MODEL]

Beside it the network alone on as many crops, in the same run: the upper bound. Without
--load_path the network has random weights, which take as long as trained ones.
"""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

import benchmarks
import hmr_tf
from hmr_tf.body import body_model
from hmr_tf.exporters import video_outputs
from hmr_tf.inference import video, video_files
from hmr_tf.inference.boxes import BoxesByName
from hmr_tf.inference.model import Model
from hmr_tf.networks import build

CROPS = 16  # at once, of the network alone


def draw_clip(path, num_frames, width, height):
    """Writes a video of moving colours; returns the box that a person might have in it."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (9, 12, 3), np.uint8), (width, height))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (width, height))
    for number in range(num_frames):
        writer.write(np.roll(image, number, axis=1))
    writer.release()
    return (0.35 * width, 0.1 * height, 0.3 * width, 0.8 * height)


def load(load_path):
    if load_path:
        return hmr_tf.load(load_path)
    body, architecture = body_model.read_model(), build.Architecture()
    return Model(build.build(architecture, body), body)


def write_video(model, clip, boxes, folder):
    with video_files.Video(clip) as opened:
        people = video.predict_video(model, opened, boxes, smoother="savgol")
    video_outputs.write(folder, people, model.body, model.hmr.smpl)


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--frames", type=benchmarks.at_least(CROPS), default=300)
    parser.add_argument("--width", type=benchmarks.positive, default=640)
    parser.add_argument("--height", type=benchmarks.positive, default=480)
    parser.add_argument("--load_path", default="")
    options = parser.parse_args()
    model = load(options.load_path)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        boxes = BoxesByName({}, [draw_clip(clip, 32, options.width, options.height)])
        write_video(model, clip, boxes, folder)  # traces the functions
        draw_clip(clip, options.frames, options.width, options.height)
        start = time.perf_counter()
        write_video(model, clip, boxes, folder)
        whole = time.perf_counter() - start
    crops = np.zeros((CROPS, model.image_size, model.image_size, 3), np.float32)
    start = time.perf_counter()
    for _ in range(options.frames // CROPS):
        model.predict_crops(crops)
    alone = (time.perf_counter() - start) * options.frames / (options.frames // CROPS * CROPS)
    print(f"video:   {options.frames / whole:6.1f} frames/s")
    print(f"network: {options.frames / alone:6.1f} crops/s; the video takes {whole / alone:.2f} x")


if __name__ == "__main__":
    benchmarks.run(main)
