"""Meshes as files that other programs open."""

import numpy as np


def write_obj(path, bodies, faces):
    """Writes a Wavefront OBJ with an object for each body.

    Args:
      bodies: list of (V, 3) vertices, metres.
      faces: (F, 3) vertex ids, the same for all.
    """
    with open(path, "w", encoding="ascii") as file:
        for number, vertices in enumerate(bodies):
            file.write(f"o person_{number}\n")
            np.savetxt(file, vertices, "v %.6f %.6f %.6f")
            np.savetxt(file, np.asarray(faces) + 1 + number * len(vertices), "f %d %d %d")
