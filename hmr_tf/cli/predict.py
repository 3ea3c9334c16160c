"""--mode=predict: bodies over photographs or a video, as pictures, meshes and arrays."""

import contextlib
import sys

from hmr_tf.cli.command_line import timed_phase
from hmr_tf.cli.mode_steps import (
    announce_and_load_tensorflow,
    load_with_body,
    make_engine,
    output_folder,
    report_left_out,
)
from hmr_tf.cli.options import Options
from hmr_tf.exporters import output_formats
from hmr_tf.files import optional_models
from hmr_tf.files.errors import InputError

_PHOTOGRAPHS_PER_BATCH = 8  # their people are one batch of the network
_NO_PERSON = "no person was detected in it; pass --box=x,y,width,height or --boxes=FILE."


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
    if options.strict and boxes:
        _refuse(boxes.problems)
    if options.img_path:
        return _predict_photographs(options, formats, boxes, camera)
    return _predict_video(options, formats, boxes, camera)


def _predict_photographs(options, formats, boxes, camera):
    """Returns the exit code: 1 where a photograph or a person among others was left out."""
    from hmr_tf.inference import photo

    paths = photo.find(options.img_path)
    given = boxes.of_photographs(paths) if boxes else None
    if options.strict:
        for path in paths:
            _refuse(_boxes_in(photo.read_size(path), path, given)[1])
    else:
        _require_a_photograph(paths, given)
    announce_and_load_tensorflow(options, len(paths))
    if options.strict:  # damage in the middle of a file, too
        for path in paths:
            _refuse(_photograph(path, given)[2])
    model = _drawing_model(options)
    with output_folder(options) as folder:
        written, problems = predict_photographs(
            model, paths, folder, formats, boxes=given, camera=camera, up_axis=options.up_axis
        )
    if len(paths) == 1 and not written:
        raise InputError(problems[0])
    print(*written, sep="\n")
    return report_left_out([*(boxes.problems if boxes else ()), *problems])


def _require_a_photograph(paths, boxes):
    """InputError if none of the photographs can be used; stops at the first one that can."""
    from hmr_tf.inference import photo

    errors = []
    for path in paths:
        try:
            _boxes_in(photo.read_size(path), path, boxes)
            return
        except InputError as error:
            errors.append(str(error))
    others = f" None of the {len(paths)} photographs can be used." if len(paths) > 1 else ""
    raise InputError(errors[0] + others)


def predict_photographs(model, paths, folder, formats, boxes=None, camera=None, up_axis="y"):
    """Predicts and writes all photographs; an unusable one does not stop the others.

    Args:
      model: `inference.model.Model`.
      paths: of the photographs.
      folder: for what is written.
      formats: some of `output_formats.names("photo")`.
      boxes: dict: path -> list of boxes, or an InputError, as `BoxesByName.of_photographs`; None:
        the people that the model finds.
      camera: dict of focal_px and principal_px, where they are known.
      up_axis: of meshes and motions, "y" or "z".

    Returns:
      list of the paths written, and a list of what was wrong, a line for each bad photograph or
      box.
    """
    from tqdm import tqdm

    from hmr_tf.exporters import photo_outputs
    from hmr_tf.exporters.annotations import coco_json

    written, problems, annotated = [], [], []
    file_names = coco_json.file_names(paths)
    names, is_alone = photo_outputs.distinct_names(paths), len(paths) == 1
    # The search has traced the network, the refinement's loop needs a graph.
    is_network_used_once = is_alone and not model.refine and (model.detector or boxes is not None)
    with tqdm(paths, "Predicting", unit="photo", leave=False, disable=len(paths) < 2) as bar:
        for start in range(0, len(paths), _PHOTOGRAPHS_PER_BATCH):
            batch = paths[start : start + _PHOTOGRAPHS_PER_BATCH]
            readable, errors = [], {path: [] for path in batch}
            for path in batch:
                try:
                    image, image_boxes, errors[path] = _photograph(path, boxes)
                    readable.append((path, image, image_boxes))
                except InputError as error:
                    errors[path] = [error]
            images = [image for _, image, _ in readable]
            boxes_of_images = [image_boxes for *_, image_boxes in readable]
            with _without_graphs(is_network_used_once):
                predictions = model.predict_batch(images, boxes_of_images, **camera or {})
            for (path, image, _), people in zip(readable, predictions):
                if not isinstance(people, InputError):
                    annotated.append(coco_json.annotated(file_names[path], image, people))
                if isinstance(people, InputError) or not people:
                    errors[path].append(people or InputError(_NO_PERSON))
                    continue
                scene = photo_outputs.Scene(image, people, model.body, up_axis)
                with _without_graphs(is_alone):
                    written += photo_outputs.write(folder, names[path], scene, formats)
            problems += [
                str(error) if str(path) in str(error) else f"{path}: {error}"
                for path, of_path in errors.items()
                for error in of_path
            ]
            bar.update(len(batch))
    if any(image.boxes for image in annotated):
        written += output_formats.write_photographs(folder, formats, annotated)
    return written, problems


@contextlib.contextmanager
def _without_graphs(is_used_once):
    """Inside, TensorFlow computes without tracing graphs, which takes longer than one use of them.

    Args:
      is_used_once: False changes nothing.
    """
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(bool(before or is_used_once))
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _photograph(path, boxes):
    """A photograph, the usable boxes in it, and what was wrong with the others.

    The boxes are None where none are given.

    Raises:
      InputError: the photograph is unusable, or boxes are given and none is usable.
    """
    from hmr_tf.inference import photo

    image = photo.read_image(path)
    if boxes is None:
        return image, None, []
    of_image, problems = _boxes_in(image.shape[:2], path, boxes)
    return image, of_image, problems


def _boxes_in(size, path, boxes):
    """The usable boxes in a photograph of a (height, width), and what was wrong with the others.

    Raises:
      InputError: boxes are given, and none is usable.
    """
    if boxes is None:
        return [], []
    from hmr_tf.inference.boxes import usable

    if isinstance(boxes[path], InputError):
        raise boxes[path]
    if not boxes[path]:
        raise InputError(f"{path}: --boxes has no box for it.")
    of_image, problems = usable(boxes[path], *size)
    if not of_image:
        raise InputError(f"{path}: {problems[0]}")
    return of_image, [f"{path}: {problem}" for problem in problems]


def _refuse(problems):
    """InputError of the first problem, for --strict."""
    if problems:
        raise InputError(f"{problems[0]} (--strict; {len(problems)} such entries)")


def _predict_video(options, formats, boxes, camera):
    """Returns the exit code: 1 where a box among others was left out."""
    from hmr_tf.inference import video_boxes, video_files

    with contextlib.ExitStack() as stack:
        video = None
        if options.video_path:
            video = stack.enter_context(video_files.Video(options.video_path))
            problems = video_boxes.check(video, boxes) if boxes else []
            if options.strict:
                _refuse(problems)
        announce_and_load_tensorflow(options)
        from hmr_tf.exporters import video_outputs
        from hmr_tf.inference.video import predict_video

        model = _drawing_model(options)
        folder = stack.enter_context(output_folder(options))
        if video is None:
            path = folder / "webcam.mp4"
            _record_and_show(options, model, boxes, path)
            video = stack.enter_context(video_files.Video(path))
        people = predict_video(model, video, boxes, **camera, smoother=options.smooth)
        written = video_outputs.write(
            folder, people, model.body, model.vertices_of, formats, options.up_axis
        )
    print(*written, sep="\n")
    return report_left_out([*(boxes.problems if boxes else ()), *people.problems])


def _record_and_show(options, model, boxes, path):
    """Records the camera; a page shows its people meanwhile."""
    from hmr_tf.inference import video_files
    from hmr_tf.inference.live import webcam_page

    of_frame = boxes.of_frames(path.stem).of_frame(0) if boxes else None
    with webcam_page.WebcamPage(webcam_page.drawer(model, of_frame)) as page:
        sys.stderr.write(f"The webcam with its people: {page.url}\n")
        video_files.record(options.webcam, path, options.num_frames, show=page.show)
        if page.lag_s is not None:
            sys.stderr.write(f"The page lagged by {1000 * page.lag_s:.0f} ms.\n")


def _formats(options):
    """What --write names; of its default, for a video, what can be written of videos."""
    known = output_formats.names("photo" if options.img_path else "video")
    is_default = options.write == Options().write
    formats = [name for name in options.write if name in known or not is_default]
    for name in formats or [""]:
        if name not in known:
            raise InputError(f"--write={name} is not one of {', '.join(known)}.")
    return formats


def _drawing_model(options):
    """The model of --load_path with its detector, and with faces to draw."""
    from hmr_tf.inference.model import Model

    hmr, body = load_with_body(options)
    if not len(body.faces):
        raise InputError(
            "The model was imported without an SMPL file and has no faces to draw: pass "
            "--smpl_model_path=FILE."
        )
    from hmr_tf.inference.detection.detector import Detector

    detector, folder = None, optional_models.find_detector(options.detector)
    has_boxes = options.box or options.boxes or options.json_path
    if folder and (options.detector or not has_boxes):
        with timed_phase(f"Loading the detector in {folder}"):
            detector = Detector(folder)
    engine = make_engine(options, hmr)
    return Model(hmr, body, detector, refine=options.refine, engine=engine)


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
        people = openpose.read(options.json_path)
        best = openpose.most_confident(people.detections)
        return boxes.BoxesByName({}, [best.box], tuple(people.problems))
    return boxes.read(options.boxes, options.category)
