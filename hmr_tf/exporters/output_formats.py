"""The output formats of --mode=predict: a row for each value of --write, with its writers.

This table is the one place that knows them: flags, help and both commands read it. It imports no
TensorFlow; a writer's module is imported when the format is written.
"""

import importlib
from typing import NamedTuple


class OutputFormat(NamedTuple):
    """The functions that write a format, as "module.function" of this package; "": none.

    Each is called with the beginning of the path and what is written, and returns the list of the
    paths written; `photographs` with the folder.
    """

    photo: str = ""  # for `photo_outputs.Scene`
    video: str = ""  # for `video_outputs.VideoScene`
    photographs: str = ""  # for all `coco_json.AnnotatedImage` of a run, one file
    motion: str = ""  # for `motion_outputs.Clip`, of a video or of a photograph as one frame


FORMATS = {
    "overlay": OutputFormat("photo_outputs.write_overlay", "video_outputs.write_overlay"),
    "panels": OutputFormat("photo_outputs.write_panels"),
    "transparent": OutputFormat("photo_outputs.write_transparent"),
    "obj": OutputFormat("photo_outputs.write_obj"),
    "ply": OutputFormat("photo_outputs.write_ply"),
    "npz": OutputFormat("photo_outputs.write_npz", "video_outputs.write_npz"),
    "coco": OutputFormat(
        video="annotations.coco_json.write_video",
        photographs="annotations.coco_json.write_photographs",
    ),
    "3dpw": OutputFormat(
        "annotations.pw3d_npz.write_photograph", "annotations.pw3d_npz.write_video"
    ),
    "glb": OutputFormat(motion="motion_outputs.write_glb"),
    "bvh": OutputFormat(motion="motion_outputs.write_bvh"),
    "amass": OutputFormat(motion="motion_outputs.write_amass"),
    "viewer": OutputFormat(motion="motion_outputs.write_viewer"),
    "measure": OutputFormat(motion="motion_outputs.write_measures"),
}


def names(source):
    """Names of the formats that are written for a source, "photo" or "video"."""
    return tuple(
        name
        for name, row in FORMATS.items()
        if getattr(row, source) or row.motion or (source == "photo" and row.photographs)
    )


def write(stem, formats, source, scene, clip_of):
    """Writes the files of a photograph or a video, but for those of `write_photographs`.

    Args:
      stem: str, beginning of the paths.
      formats: some of `names(source)`.
      source: "photo" or "video".
      scene: `photo_outputs.Scene` or `video_outputs.VideoScene`.
      clip_of: function: scene -> `motion_outputs.Clip`; called if a format needs it.

    Returns:
      list of the paths written.

    Raises:
      ValueError: a format that the source does not have; nothing is written then.
    """
    unknown = [name for name in formats if name not in names(source)]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(names(source))}")
    clip, paths = None, []
    for name in formats:
        row = FORMATS[name]
        if source == "photo" and row.photographs:
            continue
        if getattr(row, source):
            paths += _function(getattr(row, source))(stem, scene)
        else:
            clip = clip_of(scene) if clip is None else clip
            paths += _function(row.motion)(stem, clip)
    return paths


def write_photographs(folder, formats, images):
    """Writes the files that hold all photographs of a run.

    Args:
      folder: of the files.
      formats: some of `names("photo")`.
      images: list of `coco_json.AnnotatedImage`.

    Returns:
      list of the paths written.
    """
    references = filter(None, (FORMATS[name].photographs for name in formats))
    return [path for reference in references for path in _function(reference)(folder, images)]


def _function(reference):
    module, _, name = reference.rpartition(".")
    return getattr(importlib.import_module(f"{__package__}.{module}"), name)
