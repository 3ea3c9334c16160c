"""Meshes as files that other programs open."""

import numpy as np


def write_obj(path, vertices, faces):
    """Writes a Wavefront OBJ: (V, 3) metres and (F, 3) vertex ids."""
    with open(path, "w", encoding="ascii") as file:
        np.savetxt(file, vertices, "v %.6f %.6f %.6f")
        np.savetxt(file, np.asarray(faces) + 1, "f %d %d %d")
