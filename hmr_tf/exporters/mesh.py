"""Writes meshes as OBJ and PLY."""

import numpy as np

from hmr_tf.files.atomic import atomic_write


def write_obj(path, bodies, faces):
    """Writes a Wavefront OBJ with an object for each body.

    Args:
      bodies: list of (V, 3) vertices, metres.
      faces: (F, 3) vertex ids, the same for all.
    """
    with atomic_write(path) as unfinished, open(unfinished, "w", encoding="ascii") as file:
        for number, vertices in enumerate(bodies):
            file.write(f"o person_{number}\n")
            np.savetxt(file, vertices, "v %.6f %.6f %.6f")
            np.savetxt(file, np.asarray(faces) + 1 + number * len(vertices), "f %d %d %d")


def write_ply(path, bodies, faces):
    """Writes a binary PLY, all bodies as one mesh.

    Args:
      bodies: list of (V, 3) vertices, metres.
      faces: (F, 3) vertex ids, the same for all.
    """
    bodies = np.asarray(bodies, np.float32)
    number, num_vertices, _ = bodies.shape
    vertices = bodies.reshape(-1, 3).astype("<f4")
    triangles = np.zeros(number * len(faces), [("num_corners", "u1"), ("vertex_ids", "<i4", 3)])
    triangles["num_corners"] = 3
    first_vertex = np.arange(number)[:, None, None] * num_vertices
    triangles["vertex_ids"] = (np.asarray(faces) + first_vertex).reshape(-1, 3)
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [f"element face {len(triangles)}", "property list uchar int vertex_indices"]
    with atomic_write(path) as unfinished, open(unfinished, "wb") as file:
        file.write("\n".join([*lines, "end_header", ""]).encode("ascii"))
        file.write(vertices.tobytes() + triangles.tobytes())
