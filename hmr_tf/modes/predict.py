"""--mode=predict: bodies over photographs or a video, as pictures, meshes and arrays."""

import math
import sys

from hmr_tf import config
from hmr_tf.errors import InputError
from hmr_tf.modes.steps import load_tensorflow, load_with_body, needs, output, phase


def predict(options):
    """--mode=predict: bodies over photographs or a video, as pictures, meshes and arrays."""
    needs(options, "load_path")
    sources = [name for name in ("img_path", "video_path") if getattr(options, name)]
    sources += ["webcam"] if options.webcam >= 0 else []
    if len(sources) != 1:
        raise InputError(
            "--mode=predict needs one of --img_path, --video_path, --webcam; "
            f"{len(sources) or 'none'} given."
        )
    formats = _formats(options)
    principal_px = _numbers(options, "principal_px", "x,y")
    boxes = _boxes(options)
    load_tensorflow()
    from hmr_tf.output import clips, predict, video

    where = predict.Where(boxes, options.focal_px or None, principal_px)
    paths = _photographs(options) if options.img_path else []
    if options.video_path:
        next(clips.frames(options.video_path))
    model = _drawing_model(options)
    with output(options) as folder:
        if paths:
            written, problems = predict.photographs(
                model, paths, where, folder, formats, options.up_axis
            )
        else:
            problems = []
            path = options.video_path or clips.record(
                options.webcam, folder / "webcam.mp4", options.num_frames
            )
            written = video.predict_video(
                model, path, where, folder, formats, options.smooth, options.up_axis
            )
    if len(paths) == len(problems) == 1:
        raise InputError(problems[0])
    print(*written, sep="\n")
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
    if problems:
        sys.stderr.write(f"error: {len(problems)} of {len(paths)} photographs were left out\n")
    return 1 if problems else 0


def _photographs(options):
    """Paths of --img_path; a single one that cannot be read is refused before anything loads."""
    from hmr_tf.data import photo

    paths = photo.find(options.img_path)
    if len(paths) == 1:
        photo.read_image(paths[0])
    return paths


def _formats(options):
    """What --write names; for videos only what can be written of them."""
    if options.img_path:
        known = config.PHOTO_FORMATS + config.MOTION_FORMATS
        asked = options.write
    else:
        known = ("overlay", "npz", *config.MOTION_FORMATS)
        asked = [name for name in options.write if name != "obj" or not _is_default(options)]
    for name in asked or [""]:
        if name not in known:
            raise InputError(f"--write={name} is not one of {', '.join(known)}.")
    return asked


def _is_default(options):
    return options.write == config.Config().write


def _drawing_model(options):
    """The model of --load_path with its detector, and with faces to draw."""
    from hmr_tf.output.model import Model

    hmr, body = load_with_body(options)
    if not len(body.faces):
        raise InputError(
            "The model was imported without an SMPL file and has no faces to draw: pass "
            "--smpl_model_path=FILE."
        )
    detector = None
    if options.detector:
        from hmr_tf.output.detector import Detector

        with phase("Loading the detector"):
            detector = Detector(options.detector)
    return Model(hmr, body, detector)


def _boxes(options):
    """What --box, --boxes or --json_path says, as `data.boxes.read` gives it; or None."""
    given = [name for name in ("box", "boxes", "json_path") if getattr(options, name)]
    if len(given) > 1:
        raise InputError(f"--{given[0]} and --{given[1]} both say where people are: pass one.")
    if options.box:
        return {None: [_numbers(options, "box", "x,y,width,height")]}
    from hmr_tf.data import boxes, openpose

    if options.json_path:
        return {None: [openpose.most_confident(openpose.read(options.json_path)).box]}
    return boxes.read(options.boxes) if options.boxes else None


def _numbers(options, name, form):
    """The numbers of a flag such as --box=x,y,width,height; None where it is not given."""
    values = getattr(options, name)
    if not values:
        return None
    try:
        numbers = tuple(float(value) for value in values)
    except ValueError:
        numbers = ()
    if len(numbers) != len(form.split(",")) or not all(map(math.isfinite, numbers)):
        raise InputError(f"--{name}={','.join(values)} is not {form} in pixels.")
    return numbers
