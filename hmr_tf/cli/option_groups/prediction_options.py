"""Options of --mode=predict and --mode=fit."""

import dataclasses
import functools

from hmr_tf.cli.option_flags import option, pixels
from hmr_tf.exporters import output_formats

_predict = functools.partial(option, modes="predict")
_people = functools.partial(option, modes=("predict", "evaluate"))


@dataclasses.dataclass(frozen=True)
class PredictionOptions:
    """Photographs, boxes and videos, and what is written for them."""

    img_path: str = option(
        "",
        "Photograph (JPEG, PNG, BMP, WebP, TIFF), a folder of them, or a pattern such as "
        "'a/*.jpg'. For quickstart one photograph.",
        modes=("predict", "quickstart"),
        heading="Prediction",
    )
    video_path: str = _predict("", "Video file, instead of --img_path.")
    webcam: int = _predict(
        -1,
        "Number of a camera: it is recorded, while a page on this computer shows its people; then "
        "the recording is predicted.",
        least=-1,
    )
    num_frames: int = _predict(0, "Frames to record with --webcam; 0: until Ctrl-C.")
    box: tuple[float, ...] = _predict(
        (),
        "Box around the person: x,y,width,height in pixels. Empty: --boxes or --json_path, else "
        "the people that --detector finds, else the one person that the network itself finds.",
        parse=pixels("x,y,width,height"),
    )
    boxes: str = _people(
        "",
        "Boxes of people: OpenPose's JSON or a folder of it, COCO's JSON, or a CSV with "
        "image,x,y,width,height. For evaluate: of coco_keypoints, instead of the annotated boxes.",
    )
    category: str = _people(
        "", "Category of COCO's JSON in --boxes or --annotations. Empty: person."
    )
    strict: bool = _predict(
        False,
        "Refuse files with unusable entries before the work. Otherwise these are left out and "
        "named, exit code 1.",
    )
    json_path: str = _predict(
        "", "OpenPose's JSON of the photograph; the most confident person is predicted."
    )
    detector: str = _people(
        "",
        "Folder of the person detector, as tools.movenet makes it. Empty: models/movenet if it is "
        "there; for evaluate: none.",
    )
    focal_px: float = _predict(0.0, "Focal length, pixels of the photograph; 0: a default.")
    principal_px: tuple[float, ...] = _predict(
        (), "Principal point: x,y in pixels. Empty: the middle.", parse=pixels("x,y")
    )
    smooth: str = _predict(
        "none", "Filter of the motion in a video.", choices=("none", "one_euro", "savgol")
    )
    refine: bool = _predict(
        False,
        "Refine each predicted body by fitting it to BlazePose landmarks (install: "
        "tools.blazepose).",
    )
    fit_steps: int = option(250, "Steps of gradient descent.", modes="fit", least=5)
    fit_coco: bool = option(
        False,
        "Also write the fitted people as COCO keypoints, with the images of the records.",
        modes="fit",
    )
    write: tuple[str, ...] = _predict(
        ("overlay", "obj", "npz"),
        f"Output formats of photographs: {', '.join(output_formats.names('photo'))}. "
        f"Of videos: {', '.join(output_formats.names('video'))}.",
    )
    up_axis: str = _predict("y", "Up axis of meshes and motions.", choices=("y", "z"))
