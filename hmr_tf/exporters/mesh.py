"""Meshes as files that other programs open."""

import numpy as np

from hmr_tf.files.atomic import written


def write_obj(path, bodies, faces):
    """Writes a Wavefront OBJ with an object for each body.

    Args:
      bodies: list of (V, 3) vertices, metres.
      faces: (F, 3) vertex ids, the same for all.
    """
    with written(path) as unfinished, open(unfinished, "w", encoding="ascii") as file:
        for number, vertices in enumerate(bodies):
            file.write(f"o person_{number}\n")
            np.savetxt(file, vertices, "v %.6f %.6f %.6f")
            np.savetxt(file, np.asarray(faces) + 1 + number * len(vertices), "f %d %d %d")


def write_ply(path, bodies, faces, colors=None):
    """Writes a binary PLY, all bodies as one mesh.

    Args:
      bodies: list of (V, 3) vertices, metres.
      faces: (F, 3) vertex ids, the same for all.
      colors: None, or (V, 3) uint8 RGB of each body's vertices.
    """
    bodies = np.asarray(bodies, np.float32)
    number, num_vertices, _ = bodies.shape
    fields = [("place", "<f4", 3)] + ([("color", "u1", 3)] if colors is not None else [])
    vertices = np.zeros(number * num_vertices, fields)
    vertices["place"] = bodies.reshape(-1, 3)
    if colors is not None:
        vertices["color"] = np.asarray(colors, np.uint8).reshape(-1, 3)
    triangles = np.zeros(number * len(faces), [("corners", "u1"), ("ids", "<i4", 3)])
    triangles["corners"] = 3
    starts = np.arange(number)[:, None, None] * num_vertices
    triangles["ids"] = (np.asarray(faces) + starts).reshape(-1, 3)
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [f"property uchar {name}" for name in ("red", "green", "blue") if colors is not None]
    lines += [f"element face {len(triangles)}", "property list uchar int vertex_indices"]
    with written(path) as unfinished, open(unfinished, "wb") as file:
        file.write("\n".join([*lines, "end_header", ""]).encode("ascii"))
        file.write(vertices.tobytes() + triangles.tobytes())
