"""The output files of motions: GLB, BVH, AMASS, the viewer's page, measures."""

from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from hmr_tf.body.body_model import BodyModel, rest_body
from hmr_tf.body.measure import measure_shape
from hmr_tf.exporters import bvh, motion, smpl_npz, viewer
from hmr_tf.exporters.gltf import glb
from hmr_tf.exporters.measure_picture import measure_picture
from hmr_tf.files import atomic, png


class Clip(NamedTuple):
    """The motions of the people in a video, or their poses in a photograph.

    All files of a clip begin with its frame 0, also those of people who enter later.
    """

    motions: list  # of exporters.motion.Motion, one for each person, at least one
    body: BodyModel  # of these people
    fps: float  # frames a second
    up_axis: str = "y"  # of BVH and AMASS files: "y" or "z"
    # (H, W, 3) uint8 RGB, the photograph or a frame; for the page
    image: Optional[np.ndarray] = None
    overlay: Optional[np.ndarray] = None  # (H, W, 3) uint8 RGB, the same with the bodies drawn


def write_glb(stem, clip):
    """Writes one GLB with all people."""
    path = Path(f"{stem}.glb")
    glb.write_glb(path, clip.motions, clip.body, fps=clip.fps, first_frame=0)
    return [path]


def write_viewer(stem, clip):
    """Writes a page for the browser with all people."""
    path = Path(f"{stem}.html")
    content = glb.glb(clip.motions, clip.body, fps=clip.fps, first_frame=0)
    viewer.write_viewer(path, content, clip.image, clip.overlay, title=path.stem)
    return [path]


def write_bvh(stem, clip):
    """Writes a BVH file for each person."""
    paths = [Path(f"{stem}_{person.name}.bvh") for person in clip.motions]
    for path, person in zip(paths, clip.motions):
        person = motion.from_frame(person, 0)
        bvh.write_bvh(path, person, clip.body, fps=clip.fps, up_axis=clip.up_axis)
    return paths


def write_amass(stem, clip):
    """Writes an .npz in AMASS's layout for each person."""
    paths = [Path(f"{stem}_{person.name}_amass.npz") for person in clip.motions]
    for path, person in zip(paths, clip.motions):
        person = motion.from_frame(person, 0)
        smpl_npz.write_smpl_npz(path, person, clip.body, fps=clip.fps, up_axis=clip.up_axis)
    return paths


def write_measures(stem, clip):
    """Writes a CSV with a row of measurements for each person, and pictures of them."""
    path = Path(f"{stem}_measures.csv")
    measurements = [measure_shape(clip.body, person.betas) for person in clip.motions]
    lines = [",".join(["person", *(f"{name}_m" for name in measurements[0])])]
    paths = [path]
    for person, values in zip(clip.motions, measurements):
        lines.append(",".join([person.name, *(f"{m.metres:.4f}" for m in values.values())]))
        vertices, _ = rest_body(clip.body, person.betas)
        paths.append(Path(f"{stem}_{person.name}_measures.png"))
        png.write_png(paths[-1], measure_picture(vertices, clip.body.faces, values))
    atomic.write_text(path, "\n".join(lines) + "\n")
    return paths
