"""--mode=predict: bodies over photographs or a video, as pictures, meshes and arrays."""

import contextlib
import sys

from hmr_tf.cli.options import MOTION_FORMATS, PHOTO_FORMATS, Options
from hmr_tf.cli.startup import load_tensorflow, load_with_body, output, phase
from hmr_tf.files.errors import InputError

_PHOTOGRAPHS_PER_BATCH = 8  # their people are one batch of the network


def predict(options):
    """Predicts bodies in photographs or a video; writes pictures, meshes and arrays."""
    sources = [name for name in ("img_path", "video_path") if getattr(options, name)]
    sources += ["webcam"] if options.webcam >= 0 else []
    if len(sources) != 1:
        raise InputError(
            "--mode=predict needs one of --img_path, --video_path, --webcam; "
            f"{len(sources) or 'none'} given."
        )
    formats = _formats(options)
    camera = {
        "focal_px": options.focal_px or None,
        "principal_px": options.principal_px or None,
    }
    boxes = _boxes(options)
    load_tensorflow()
    if options.img_path:
        return _predict_photographs(options, formats, boxes, camera)
    return _predict_video(options, formats, boxes, camera)


def _predict_photographs(options, formats, boxes, camera):
    """Returns the exit code: 1 where a photograph among others was left out."""
    from hmr_tf.inference import photo

    paths = photo.find(options.img_path)
    if len(paths) == 1:  # one that cannot be read is refused before anything loads
        photo.read_image(paths[0])
    model = _drawing_model(options)
    with output(options) as folder:
        written, problems = predict_photographs(
            model, paths, folder, formats, boxes=boxes, camera=camera, up_axis=options.up_axis
        )
    if len(paths) == len(problems) == 1:
        raise InputError(problems[0])
    print(*written, sep="\n")
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
    if problems:
        sys.stderr.write(f"error: {len(problems)} of {len(paths)} photographs were left out\n")
    return 1 if problems else 0


def predict_photographs(model, paths, folder, formats, boxes=None, camera=None, up_axis="y"):
    """Predicts and writes photograph after photograph; one that is unusable stops no other.

    Args:
      model: `inference.model.Model`.
      paths: of the photographs.
      folder: for what is written.
      formats: names of `outputs.PHOTO_WRITERS` and `outputs.MOTION_WRITERS`.
      boxes: `boxes.BoxesByName`, or None for the people that the model finds.
      camera: dict of focal_px and principal_px, where they are known.
      up_axis: of meshes and motions, "y" or "z".

    Returns:
      list of the paths written, and a list of what was wrong, a line for each bad photograph.
    """
    from tqdm import tqdm

    from hmr_tf.exporters import outputs

    written, problems = [], []
    names = outputs.distinct_names(paths)
    with tqdm(paths, "Predicting", unit="photo", leave=False, disable=len(paths) < 2) as bar:
        for start in range(0, len(paths), _PHOTOGRAPHS_PER_BATCH):
            batch = paths[start : start + _PHOTOGRAPHS_PER_BATCH]
            readable, results = [], dict.fromkeys(batch)
            for path in batch:
                try:
                    readable.append((path, *_photograph(path, model, boxes)))
                except InputError as error:
                    results[path] = error
            images = [image for _, image, _ in readable]
            boxes_of_images = [image_boxes for *_, image_boxes in readable]
            predictions = model.predict_batch(images, boxes_of_images, **camera or {})
            for (path, image, _), people in zip(readable, predictions):
                results[path] = people
                if not isinstance(people, InputError):
                    scene = outputs.Scene(image, people, model.body, up_axis)
                    written += outputs.write(folder, names[path], scene, formats)
            problems += [
                str(error) if str(path) in str(error) else f"{path}: {error}"
                for path, error in results.items()
                if isinstance(error, InputError)
            ]
            bar.update(len(batch))
    return written, problems


def _photograph(path, model, boxes):
    """The photograph and the boxes of the people in it; InputError where there are none."""
    from hmr_tf.inference import photo

    image = photo.read_image(path)
    if boxes is None:
        of_image = model.detect(image)
        if not of_image:
            raise InputError(
                "no person was found in it; pass --box=x,y,width,height or --boxes=FILE."
            )
    else:
        of_image = boxes.find(path.stem)
        if not of_image:
            raise InputError("--boxes has no box for it.")
    return image, of_image


def _predict_video(options, formats, boxes, camera):
    from hmr_tf.exporters import video_outputs
    from hmr_tf.inference import video_files
    from hmr_tf.inference.video import predict_video

    with contextlib.ExitStack() as stack:
        video = None
        if options.video_path:  # one that cannot be read is refused before anything loads
            video = stack.enter_context(video_files.Video(options.video_path))
        model = _drawing_model(options)
        folder = stack.enter_context(output(options))
        if video is None:
            path = folder / "webcam.mp4"
            video_files.record(options.webcam, path, options.num_frames)
            video = stack.enter_context(video_files.Video(path))
        people = predict_video(model, video, boxes, **camera, smoother=options.smooth)
        smpl = model.hmr.smpl
        written = video_outputs.write(folder, people, model.body, smpl, formats, options.up_axis)
    print(*written, sep="\n")


def _formats(options):
    """What --write names; for videos only what can be written of them."""
    if options.img_path:
        known = PHOTO_FORMATS + MOTION_FORMATS
        asked = options.write
    else:
        known = ("overlay", "npz", *MOTION_FORMATS)
        asked = [name for name in options.write if name != "obj" or not _is_default(options)]
    for name in asked or [""]:
        if name not in known:
            raise InputError(f"--write={name} is not one of {', '.join(known)}.")
    return asked


def _is_default(options):
    return options.write == Options().write


def _drawing_model(options):
    """The model of --load_path with its detector, and with faces to draw."""
    from hmr_tf.inference.model import Model

    hmr, body = load_with_body(options)
    if not len(body.faces):
        raise InputError(
            "The model was imported without an SMPL file and has no faces to draw: pass "
            "--smpl_model_path=FILE."
        )
    from hmr_tf.inference.detector import Detector, find_folder

    detector, folder = None, find_folder(options.detector)
    has_boxes = options.box or options.boxes or options.json_path
    if folder and (options.detector or not has_boxes):
        with phase(f"Loading the detector in {folder}"):
            detector = Detector(folder)
    return Model(hmr, body, detector)


def _boxes(options):
    """Boxes of --box, --boxes or --json_path as `boxes.BoxesByName`, or None."""
    given = [name for name in ("box", "boxes", "json_path") if getattr(options, name)]
    if len(given) > 1:
        raise InputError(f"--{given[0]} and --{given[1]} both give boxes of people: pass one.")
    if not given:
        return None
    from hmr_tf.inference import boxes, openpose

    if options.box:
        return boxes.BoxesByName({}, [options.box])
    if options.json_path:
        return boxes.BoxesByName(
            {}, [openpose.most_confident(openpose.read(options.json_path)).box]
        )
    return boxes.read(options.boxes)
