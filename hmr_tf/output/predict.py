"""--mode=predict on photographs: read, find people, predict, write; one bad file stops no other."""

import collections
from typing import NamedTuple, Optional

from tqdm import tqdm

from hmr_tf.data import photo
from hmr_tf.errors import InputError
from hmr_tf.output import files
from hmr_tf.output.people import cut_people, pinhole_of, predict_people

_AT_ONCE = 8  # photographs whose people are one batch


class Where(NamedTuple):
    """What is known of people's places and of the camera."""

    boxes: Optional[dict] = None  # of `data.boxes.read`; None: whom the model finds
    focal_px: Optional[float] = None
    principal_px: Optional[tuple] = None  # (x, y)


def photographs(model, paths, where, output_dir, formats, up_axis="y"):
    """Predicts and writes photograph after photograph.

    Args:
      model: `output.model.Model`.
      paths: of the photographs.
      where: Where.
      output_dir: folder for what is written.
      formats: names of `files.OF_PHOTOGRAPHS` and `files.OF_MOTION`.
      up_axis: of meshes and motions, "y" or "z".

    Returns:
      list of the paths written, and a list of what was wrong, a line for each bad photograph.
    """
    written, problems = [], []
    names = _names(paths)
    with tqdm(paths, "Predicting", unit="photo", leave=False, disable=len(paths) < 2) as bar:
        for start in range(0, len(paths), _AT_ONCE):
            scenes = []
            for path in paths[start : start + _AT_ONCE]:
                try:
                    image = photo.read_image(path)
                    scenes.append((path, image, cut(model, image, path.stem, where)))
                except InputError as error:
                    said = str(error)
                    problems.append(said if str(path) in said else f"{path}: {said}")
            everybody = [person for *_, cuts in scenes for person in cuts]
            people = iter(predict_people(model.predict_crops, everybody))
            for path, image, cuts in scenes:
                scene = files.Scene(image, [next(people) for _ in cuts], model.body, up_axis)
                written += files.write(output_dir, names[path], scene, formats)
            bar.update(len(paths[start : start + _AT_ONCE]))
    return written, problems


def cut(model, image, name, where):
    """Everybody in one photograph, a list of `people.Cut`; InputError where nobody is."""
    if where.boxes is None:
        boxes = model.find(image)
        if not boxes:
            raise InputError("nobody was found in it; pass --box=x,y,width,height or --boxes=FILE.")
    else:
        boxes = where.boxes.get(name, where.boxes.get(None, []))
        if not boxes:
            raise InputError("--boxes names nobody in it.")
    pinhole = pinhole_of(image, where.focal_px, where.principal_px)
    return cut_people(image, boxes, pinhole, model.image_size)


def _names(paths):
    """Path -> name of what is written: with its ending, then folders, where others are alike."""
    names = {}
    for number, path in enumerate(paths):
        parts = path.absolute().parts[1:]
        longer = ["_".join(parts[-n:]).replace(".", "_") for n in range(1, len(parts) + 1)]
        names[path] = [path.stem, *longer, f"{path.stem}_{number}"]
    taken = collections.Counter(name for of_path in names.values() for name in set(of_path))
    return {path: next(n for n in of_path if taken[n] == 1) for path, of_path in names.items()}
