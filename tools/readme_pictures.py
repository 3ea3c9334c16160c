"""python -m tools.readme_pictures --img_path=PHOTOS --credits=FILE.tsv [--detector=models/movenet]

Draws the pictures of the README: photographs, the bodies over them and from the side, with name and
licence under each, and the bodies of one photograph rotating, as an animated WebP.
"""

from pathlib import Path

import cv2
import numpy as np
from absl import flags

from hmr_tf.cli import command_line
from hmr_tf.files import atomic, optional_models
from hmr_tf.files.errors import InputError

HEIGHT, COLUMNS, SIDE_DEGREES = 240, 2, 90.0
FRAMES, FRAME_MS = 36, 80
FAR = 2.0  # times the distance of the nearest person: people there are left out of the side view
OPTIONS = flags.FlagValues()
flags.DEFINE_string("img_path", "", "Photographs: a folder or a pattern.", flag_values=OPTIONS)
flags.DEFINE_string("credits", "", "Lines of file name, tab, caption.", flag_values=OPTIONS)
flags.DEFINE_string("load_path", "", "Network; empty: the released one.", flag_values=OPTIONS)
flags.DEFINE_string("detector", "", "Folder of the person detector.", flag_values=OPTIONS)
flags.DEFINE_string("rotated", "", "Name of the photograph that rotates.", flag_values=OPTIONS)
flags.DEFINE_string("output", "docs/pictures", "Folder of the pictures.", flag_values=OPTIONS)


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help.")
    if not (OPTIONS.img_path and OPTIONS.credits):
        raise InputError("--img_path and --credits are needed: photographs, and whose they are.")
    credits = read_credits(OPTIONS.credits)
    atomic.check_folder("output", OPTIONS.output)
    if OPTIONS.detector:
        optional_models.check_detector(OPTIONS.detector)
    from hmr_tf.inference import photo

    paths = photo.find(OPTIONS.img_path)
    for path in paths:
        if path.name not in credits:
            raise InputError(f"--credits={OPTIONS.credits} has no line of {path.name}.")
    if OPTIONS.rotated and OPTIONS.rotated not in (path.name for path in paths):
        raise InputError(f"--rotated={OPTIONS.rotated} is not one of --img_path={OPTIONS.img_path}")
    from hmr_tf.inference.detection import detector
    from hmr_tf.inference.model import Model
    from hmr_tf.networks import checkpoint

    parts = checkpoint.load_with_body(OPTIONS.load_path, "")
    model = Model(*parts, detector.Detector(OPTIONS.detector) if OPTIONS.detector else None)
    tiles = []
    for path in paths:
        image = photo.read_image(path)
        people = model.predict(image)
        if not people:
            raise InputError(f"{path}: no person was found; leave it out.")
        tiles.append(tile(image, people, model.faces, credits[path.name]))
        if path.name == OPTIONS.rotated:
            write_rotation(Path(OPTIONS.output) / "rotating.webp", image, people, model.faces)
    write(Path(OPTIONS.output) / "photographs.jpg", grid(tiles), [cv2.IMWRITE_JPEG_QUALITY, 88])


def read_credits(path):
    """Name of a photograph -> its caption, from lines of both with a tab between.

    Raises:
      InputError: the file cannot be read, or is no text.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"--credits={path} cannot be read: {reason}.") from error
    return dict(line.split("\t")[:2] for line in lines if "\t" in line)


def tile(image, people, faces, text):
    """(HEIGHT + 20, W, 3) uint8: photograph, overlay, side view, and `text` under them."""
    from hmr_tf.rendering import draw_people, panels

    overlay = panels.overlay(image, people, faces, with_skeleton=False)
    farthest = FAR * min(person.transl[2] for person in people)
    near = [person for person in people if person.transl[2] < farthest]
    side = draw_people.draw_without_photograph(near, faces, HEIGHT, SIDE_DEGREES)
    row = np.hstack([scaled(image), scaled(overlay), side])
    line = np.full((20, row.shape[1], 3), 255, np.uint8)
    cv2.putText(line, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (60,) * 3, 1, cv2.LINE_AA)
    return np.vstack([row, line])


def scaled(image):
    """The picture with `HEIGHT` rows."""
    width = round(image.shape[1] * HEIGHT / image.shape[0])
    return cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_AREA)


def grid(tiles):
    """Tiles in `COLUMNS` columns, wide ones beside wide ones, on white."""
    tiles = sorted(tiles, key=lambda picture: picture.shape[1])
    width = max(picture.shape[1] for picture in tiles)
    padded = [
        np.pad(t, ((0, 0), (0, width - t.shape[1]), (0, 0)), constant_values=255) for t in tiles
    ]
    padded += [np.full_like(padded[0], 255)] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(padded[i : i + COLUMNS]) for i in range(0, len(padded), COLUMNS)])


def write_rotation(path, image, people, faces):
    """An animated WebP: the photograph with the bodies, beside it the bodies rotating once."""
    from hmr_tf.rendering import draw_people, panels

    overlay = scaled(panels.overlay(image, people, faces, with_skeleton=False))
    animation = cv2.Animation()
    for degrees in np.arange(FRAMES) * 360.0 / FRAMES:
        bodies = draw_people.draw_without_photograph(people, faces, HEIGHT, degrees)
        frame = np.hstack([overlay, bodies])
        animation.frames = [*animation.frames, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)]
    animation.durations = [FRAME_MS] * FRAMES
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, 70])
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def write(path, picture, parameters):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), parameters)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    command_line.run(main, OPTIONS)
