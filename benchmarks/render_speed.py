"""Time of the z-buffer, beside OpenCV's painter's algorithm (which gets overlaps wrong).

    python -m benchmarks.render_speed [--batch_size=8] [--repeats=15]

The built-in body (13,776 faces), arms spread, from random sides, about 80 % of the picture high.
For 224 and 512 px: milliseconds an image, best and median of the repeats, of `rasterize` alone and
of `render_body` with light and background; `rasterize` over the painter in the same run. One
thread, processor time: what the clock shows where nothing else runs.
"""

import statistics
import time

import cv2
import numpy as np
import tensorflow as tf

import benchmarks
from hmr_tf.body import body_model
from hmr_tf.body import camera as body_camera
from hmr_tf.rendering import render, zbuffer


def bodies(body, count):
    """(B, V, 3) upright bodies in the camera frame, seen from random sides."""
    upright = body.v_template[None] * [1, -1, -1]
    angles_deg = np.random.default_rng(0).uniform(-180, 180, count)
    return np.concatenate([render.side_view(upright, degrees) for degrees in angles_deg], axis=0)


def painter(pixels, depth, faces, size):
    """Faces drawn from far to near by their mean depth."""
    picture = np.full((size, size), -1, np.int32)
    corners = np.round(pixels[faces] * 16 - 8).astype(np.int32)
    for face in np.argsort(-depth[faces].mean(1)):
        cv2.fillConvexPoly(picture, corners[face], int(face), shift=4)
    return picture


def milliseconds(run, repeats):
    """Best and median."""
    run()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(1e3 * (time.process_time() - start))
    return min(times), statistics.median(times)


def measure(vertices, faces, size, repeats):
    """Rows (name, best, median) in milliseconds an image, and the share of the pixels covered."""
    batch = len(vertices)
    camera = tf.tile([[1.0, 0.0, -0.3]], [batch, 1])
    points = vertices + body_camera.perspective_translation(camera, size)[:, None]
    pixels, depth = body_camera.project_perspective(
        points, body_camera.CROP_FOCAL_PX, (size / 2, size / 2)
    )
    first = pixels[0].numpy(), depth[0].numpy(), faces, size
    runs = {
        "rasterize": (lambda: zbuffer.rasterize(pixels, depth, faces, size, size), repeats, batch),
        "render_body": (lambda: render.render_body(vertices, camera, faces, size), repeats, batch),
        "painter": (lambda: painter(*first), 3, 1),
    }
    rows = []
    for name, (run, times, images) in runs.items():
        best, median = milliseconds(run, times)
        rows.append((name, best / images, median / images))
    return rows, np.mean(runs["rasterize"][0]().face >= 0)


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--batch_size", type=benchmarks.positive, default=8)
    parser.add_argument("--repeats", type=benchmarks.positive, default=15)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    body = body_model.read_model()
    vertices, faces = bodies(body, args.batch_size), body.faces
    for size in (224, 512):
        rows, covered = measure(vertices, faces, size, args.repeats)
        for name, best, median in rows:
            print(f"{size} px {name:12}{best:6.2f} ms (median {median:.2f})")
        ratio = rows[0][1] / rows[2][1]
        print(f"{size} px rasterize / painter: {ratio:.3f}; {covered:.1%} covered")


if __name__ == "__main__":
    benchmarks.run(main)
