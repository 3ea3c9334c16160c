"""A page on this computer to try hmr_tf: a photograph goes in, the bodies of its people come out.

    python -m examples.app [--load_path=RUN] [--engine=openvino] [--examples=FOLDER]

Needs Gradio: `make app` installs it and starts the page. The page is for one machine and a few
people; for many, docs/serving.md has TensorFlow Serving.
"""

import contextlib
import functools
import importlib.util
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from absl import flags, logging

import hmr_tf  # before TensorFlow, for which it selects Keras 2
from hmr_tf.cli import command_line
from hmr_tf.cli.checks import early_checks
from hmr_tf.files.errors import InputError

OPTIONS = flags.FlagValues()
flags.DEFINE_string(
    "load_path",
    "",
    "Folder of a training run or of --mode=import_tf1; empty: the released network.",
    flag_values=OPTIONS,
)
flags.DEFINE_string(
    "smpl_model_path",
    "",
    "SMPL file to use; empty: the one the network was trained with.",
    flag_values=OPTIONS,
)
flags.DEFINE_string(
    "detector",
    "",
    "Folder of the person detector; empty: models/movenet if it was made.",
    flag_values=OPTIONS,
)
flags.DEFINE_enum(
    "engine",
    "auto",
    ("auto", "tensorflow", "openvino"),
    "What computes the network; auto: OpenVINO where it is installed and there is no GPU.",
    flag_values=OPTIONS,
)
flags.DEFINE_string(
    "examples", "", "Example photographs: a file, a folder or a pattern.", flag_values=OPTIONS
)
flags.DEFINE_integer(
    "port", 0, "Port of the page; 0: the first free one from 7860.", 0, flag_values=OPTIONS
)

ASTRONAUT = Path(hmr_tf.__file__).parent / "assets" / "astronaut.jpg"
FILES = ("glb", "bvh", "obj")
SIDE_DEGREES, SIDE_VIEW_PX = 90.0, 720
MAX_DRAWN_SIDE = 1280  # pixels; larger photographs are drawn smaller
FILES_LAST_S, LOOKED_FOR_EVERY_S = 3600, 600
HEIGHT = "min(400px, 85vw)"  # of a picture on the page
# Files are downloaded, not removed.
CSS = "#files button[aria-label='Remove this file'] { display: none }"
INTRODUCTION = """# hmr_tf: 3D bodies from a photograph
Drop a photograph, or use the webcam: each body is drawn over its person, and in 3D."""
ONE_PERSON = """
Without a detector **one** person of each photograph is detected. For all people make the detector
once, `python -m tools.movenet --output=models/movenet`, and start this page again."""
FOOTER = """This page is for this machine: photographs stay on it, and are deleted after an hour
or when the program ends. For production there is TensorFlow Serving, see `docs/serving.md`. Sizes
are those of a typical body, since one photograph does not show metres."""


class Bodies(NamedTuple):
    """What the page shows of a photograph; empty after an error."""

    message: str
    overlay: str = None  # path, as all of these
    side: str = None
    glb: str = None
    measures: list = None  # a row for each person
    files: list = None


def predict_files(model, photograph, folder):
    """Predicts the people of a photograph and writes their files.

    Args:
      model: `hmr_tf.inference.model.Model`.
      photograph: path.
      folder: for the files; it is created.

    Returns:
      Bodies.

    Raises:
      InputError: the file is not a photograph, or there is no person in it.
    """
    from hmr_tf.exporters import photo_outputs
    from hmr_tf.files import png
    from hmr_tf.inference import photo
    from hmr_tf.rendering import draw_people, panels

    start = time.monotonic()
    try:
        image = photo.read_image(photograph)
    except InputError as error:
        sentence = str(error).replace(str(photograph), Path(photograph).name)
        raise InputError(sentence) from error
    people = model.predict(image)
    if not people:
        raise InputError("No person was detected: try a photograph in which people are larger.")
    name, drawn = Path(photograph).stem[:40], small_scene(image, people, model.body)
    paths = photo_outputs.write(folder, name, drawn, FILES)
    in_full = photo_outputs.Scene(image, people, model.body)
    paths += photo_outputs.write(folder, name, in_full, ["npz"])
    overlay, side = (Path(folder) / f"{name}_{view}.png" for view in ("overlay", "side"))
    bodies_over_photograph = panels.overlay(
        drawn.image, drawn.people, model.faces, with_skeleton=False
    )
    png.write_png(overlay, bodies_over_photograph)
    png.write_png(
        side, draw_people.draw_without_photograph(people, model.faces, SIDE_VIEW_PX, SIDE_DEGREES)
    )
    number = "1 person" if len(people) == 1 else f"{len(people)} people"
    return Bodies(
        f"{number} in {time.monotonic() - start:.1f} s",
        str(overlay),
        str(side),
        str(paths[0]),
        [measure_row(number, person, model.body) for number, person in enumerate(people)],
        [str(path) for path in paths],
    )


def small_scene(image, people, body):
    """`photo_outputs.Scene` of a photograph of at most `MAX_DRAWN_SIDE` pixels a side."""
    import cv2

    from hmr_tf.exporters.photo_outputs import Scene
    from hmr_tf.inference.person_crops import Person

    scale = min(1.0, MAX_DRAWN_SIDE / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    in_pixels = ("focal_px", "principal_px", "keypoints2d_px", "box")
    people = [
        Person({**person, **{name: person[name] * scale for name in in_pixels}})
        for person in people
    ]
    return Scene(image, people, body)


def measure_row(number, person, body):
    """Name of a person as in the files, and the measures of the body in centimetres."""
    from hmr_tf.body.measure import measure_shape

    measures = measure_shape(body, person.betas)
    return [f"person_{number}", *(round(100 * measure.metres) for measure in measures.values())]


def session_folder(folder, request):
    """Path of the files of one session, of a `gradio.Request`."""
    return Path(folder, "".join(filter(str.isalnum, request.session_hash)))


def photograph_input(examples):
    """The `gradio.Image` for a photograph, with the paths `examples` beside it."""
    import gradio as gr

    photograph = gr.Image(
        label="Photograph",
        sources=["upload", "webcam"],
        webcam_options=gr.WebcamOptions(mirror=False),
        height=HEIGHT,
        buttons=[],
        elem_id="photograph",
    )
    gr.Examples([[str(path)] for path in examples], photograph)
    return photograph


def build_page(model, folder, examples):
    """The page as `gradio.Blocks`.

    Args:
      model: `hmr_tf.inference.model.Model`.
      folder: of all files of all sessions; it is GRADIO_TEMP_DIR.
      examples: paths of photographs.
    """
    import gradio as gr

    from hmr_tf.body.measure import measure_shape

    def show(photograph, request: gr.Request):
        if not photograph:
            return Bodies("")
        parent = session_folder(folder, request)
        parent.mkdir(exist_ok=True)
        try:
            return predict_files(model, photograph["path"], tempfile.mkdtemp(dir=parent))
        except InputError as error:
            return Bodies(f"**{error}**")

    def forget(request: gr.Request):
        shutil.rmtree(session_folder(folder, request), ignore_errors=True)

    picture = functools.partial(
        gr.Image, height=HEIGHT, interactive=False, buttons=["download", "fullscreen"]
    )
    with gr.Blocks(
        title="hmr_tf", analytics_enabled=False, delete_cache=(LOOKED_FOR_EVERY_S, FILES_LAST_S)
    ) as page:
        gr.Markdown(INTRODUCTION + ("" if model.detector else ONE_PERSON))
        with gr.Row():
            with gr.Column():
                photograph = photograph_input(examples)
            with gr.Column():
                overlay = picture(label="Bodies over the photograph", elem_id="overlay")
                message = gr.Markdown(elem_id="message")
        with gr.Row():
            glb = gr.Model3D(label="In 3D: drag to rotate", height=HEIGHT, elem_id="glb")
            side = picture(label="From the side", elem_id="side")
        measures = gr.Dataframe(
            headers=["person", *measure_shape(model.body)],
            label="Measures, cm",
            interactive=False,
            elem_id="measures",
        )
        files = gr.Files(label="Downloads", interactive=False, elem_id="files")
        gr.Markdown(FOOTER)
        outputs = [message, overlay, side, glb, measures, files]
        # Without preprocessing: hmr_tf reads the file and names its faults.
        photograph.change(show, photograph, outputs, preprocess=False)
        page.unload(forget)
    return page


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help.")
    if not importlib.util.find_spec("gradio"):
        raise InputError('The page needs Gradio: `make app`, or `pip install ".[app]"`.')
    from hmr_tf.inference import photo

    examples = [ASTRONAUT, *(photo.find(OPTIONS.examples) if OPTIONS.examples else ())]
    early_checks.check_model(OPTIONS)
    early_checks.check_port(OPTIONS.port)
    logging.set_verbosity(logging.ERROR)  # remedies are on the page
    print("Loading the network ...", flush=True)
    model = hmr_tf.load(
        OPTIONS.load_path, OPTIONS.smpl_model_path, OPTIONS.detector, engine=OPTIONS.engine
    )
    if not len(model.faces):
        raise InputError(
            "The model was imported without an SMPL file and has no faces to draw: pass "
            "--smpl_model_path=FILE."
        )
    with tempfile.TemporaryDirectory(prefix="hmr_tf_app_") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        warm_up(model, Path(folder) / "warm_up")
        serve(build_page(model, folder, examples), OPTIONS.port)


def warm_up(model, folder):
    """Predicts once, so that all graphs are traced before the first photograph comes."""
    with contextlib.suppress(InputError):
        predict_files(model, ASTRONAUT, folder)


def serve(page, port):
    """Serves the page on this machine until Ctrl-C; port 0 is the first free one from 7860."""
    import gradio as gr

    fonts = ["system-ui", "sans-serif"]  # Gradio's default fonts come from a server of Google
    try:
        _, address, _ = page.launch(
            server_name="127.0.0.1",
            server_port=port or None,
            prevent_thread_lock=True,
            share=False,
            quiet=True,
            max_file_size="200mb",
            footer_links=[],
            ssr_mode=False,
            css=CSS,
            theme=gr.themes.Default(font=fonts, font_mono=["monospace"]),
        )
    except OSError as error:
        raise InputError(f"--port={port} is not free: give another one.") from error
    print(f"Open {address} in a browser; Ctrl-C ends the page.", flush=True)
    page.block_thread()


if __name__ == "__main__":
    command_line.run(main, OPTIONS)
