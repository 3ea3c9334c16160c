"""Frames per second of a video of one person: read, predict, track, smooth, draw, write.

    python -m benchmarks.video_speed [--frames=300] [--width=640 --height=480] [--load_path=MODEL]

Beside it the network alone on as many crops, in the same run: the upper bound. Both take turns; the
figures are medians.
"""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

import benchmarks
import hmr_tf
from hmr_tf.exporters import video_outputs
from hmr_tf.inference import video, video_files
from hmr_tf.inference.boxes import BoxesByName
from hmr_tf.networks import engines

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


def write_video(model, clip, boxes, folder):
    with video_files.Video(clip) as opened:
        people = video.predict_video(model, opened, boxes, smoother="savgol")
    video_outputs.write(folder, people, model.body, model.vertices_of)


def seconds(work):
    """(2,) seconds of the clock, and of all processors."""
    start, start_cpu = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - start, time.process_time() - start_cpu])


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--frames", type=benchmarks.at_least(CROPS), default=300)
    parser.add_argument("--rounds", type=benchmarks.positive, default=3)
    parser.add_argument("--width", type=benchmarks.positive, default=640)
    parser.add_argument("--height", type=benchmarks.positive, default=480)
    parser.add_argument("--load_path", default="", help="empty: the released network")
    parser.add_argument("--engine", choices=engines.ENGINES, default="auto")
    parser.add_argument("--precision", choices=engines.PRECISIONS, default="float32")
    options = parser.parse_args()
    model = hmr_tf.load(options.load_path, engine=options.engine, precision=options.precision)
    crops = np.zeros((CROPS, model.image_size, model.image_size, 3), np.float32)
    num_batches = options.frames // CROPS
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        boxes = BoxesByName({}, [draw_clip(clip, 32, options.width, options.height)])
        write_video(model, clip, boxes, folder)  # traces the functions
        draw_clip(clip, options.frames, options.width, options.height)
        rounds = [
            (
                seconds(lambda: write_video(model, clip, boxes, folder)) / options.frames,
                seconds(lambda: [model.predict_crops(crops) for _ in range(num_batches)])
                / (num_batches * CROPS),
            )
            for _ in range(options.rounds)
        ]
    (video_s, video_cpu_s), (network_s, network_cpu_s) = np.median(rounds, axis=0)
    share = np.median([network[0] / whole[0] for whole, network in rounds])
    print(f"{model.engine.name}, {model.engine.precision}, {model.image_size} px")
    print(f"video:   {1 / video_s:6.1f} frames/s, {1000 * video_cpu_s:.1f} ms of a core each")
    print(f"network: {1 / network_s:6.1f} crops/s, {1000 * network_cpu_s:.1f} ms of a core each")
    print(f"The video has {share:.2f} of the network's rate.")


if __name__ == "__main__":
    benchmarks.run(main)
