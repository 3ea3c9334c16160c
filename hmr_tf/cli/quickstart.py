"""--mode=quickstart: a body over a photograph, then the whole system, in minutes.

First the released network predicts. Then a small one is trained on synthetic people: TFRecords,
training, evaluation, export, and the photograph once more.
Every step is a command that a user can type; it is printed before it runs.
"""

import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from hmr_tf.cli import recipes
from hmr_tf.cli.checks import early_checks
from hmr_tf.cli.mode_steps import announcement
from hmr_tf.files.errors import InputError

PHOTO = Path(__file__).resolve().parents[1] / "assets" / "astronaut.jpg"
FLAGFILE = "flags/quickstart.flags"
CONVERTER = Path("data_prep") / "to_tfrecords.py"
MAIN = ["-m", "hmr_tf.main"]
TRAIN_PEOPLE, TEST_PEOPLE, MOCAP_BODIES = 2000, 200, 5000
ERRORS = ("keypoints_px", "mpjpe_mm", "pa_mpjpe_mm", "vertices_mm")


def quickstart(options):
    """Puts a body over a photograph; then trains, evaluates and exports a small network.

    Args:
      options: `output_dir`, folder for data, model and results; `img_path`, photograph to predict
        on, empty for the one that comes with hmr_tf; `skip_training`, whether that is all.

    Raises:
      InputError: the recipe, the photograph or, with skip_training, the released network is
        missing, or a step failed.
    """
    flagfile = recipes.find(FLAGFILE)
    if not Path(flagfile).is_file():
        raise InputError(f"{FLAGFILE} is missing: run this in the checkout, or reinstall hmr_tf.")
    from hmr_tf.inference.photo import read_size

    photo = Path(options.img_path or PHOTO)
    text = announcement(options)
    read_size(photo)  # refuses what is not a photograph, before anything is written
    early_checks.check(options)
    sys.stderr.write(text)
    start = time.time()
    folder = Path(options.output_dir)
    _predict_released(photo, folder / "released", options.skip_training)
    if options.skip_training:
        return
    data, model = folder / "data", folder / "model"
    if (model / "params.json").is_file():
        shutil.rmtree(model)  # of an earlier quickstart
    _make_data(data)
    folders = [f"--data_dir={data}", f"--model_dir={model}"]
    _step("Training", *MAIN, "--mode=train", f"--flagfile={flagfile}", *folders)
    before = _evaluate(data, model / "ckpt-0", folder / "before")
    after = _evaluate(data, model, folder / "after")
    load = f"--load_path={model}"
    exported = folder / "saved_model" / "1"
    _step("Exporting", *MAIN, "--mode=export", load, f"--output_dir={exported}")
    _step(
        "Predicting", *MAIN, "--mode=predict", load, f"--img_path={photo}", f"--output_dir={folder}"
    )
    print(_report(before, after, folder, photo, time.time() - start))


def _predict_released(photo, folder, is_needed):
    """The body that the released network predicts; without the network a line about that."""
    from hmr_tf.networks import released_weights

    if not (released_weights.PATH.is_file() or is_needed):
        path = released_weights.PATH
        print(f"There is no released network ({path}): a small one is trained now.")
        return
    _step(
        "The released network",
        *MAIN,
        "--mode=predict",
        f"--load_path={released_weights.NAME}",
        f"--img_path={photo}",
        f"--output_dir={folder}",
        "--write=overlay,panels,glb,viewer",
    )
    name = folder / photo.stem
    print(
        f"\nThe released network's body over {photo.name}: {name}_overlay.png\n"
        f"From the side: {name}_panels.png   for Blender: {name}.glb   in a browser: "
        f"{name}.html"
    )


def _make_data(data):
    sets = (
        ("synthetic", "train", TRAIN_PEOPLE),
        ("synthetic", "test", TEST_PEOPLE),
        ("synthetic_mocap", "train", MOCAP_BODIES),
    )
    for dataset, split, count in sets:
        _step(
            f"{dataset}, {split}",
            str(CONVERTER if CONVERTER.is_file() else recipes.ROOT / CONVERTER),
            f"--dataset={dataset}",
            f"--split={split}",
            f"--limit={count}",
            f"--output_dir={data}",
        )


def _evaluate(data, load_path, results):
    _step(
        "Evaluating",
        *MAIN,
        "--mode=evaluate",
        "--datasets=synthetic",
        f"--data_dir={data}",
        f"--load_path={load_path}",
        f"--output_dir={results}",
    )
    return json.loads((results / "results.json").read_text())


def _step(title, *command):
    print(f"\n== {title}\n$ {shlex.join(['python', *command])}", flush=True)
    code = subprocess.run([sys.executable, *command], check=False).returncode
    if code:
        raise InputError(f"the step {title!r} failed with exit code {code}; see above.")


def _report(before, after, folder, photo, seconds):
    rows = [
        f"{name:14}{before[name]:10.1f}{after[name]:10.1f}{after[name] / before[name] - 1:+9.0%}"
        for name in ERRORS
    ]
    name = photo.stem
    bin = ".venv/bin/" if Path(".venv/bin/python").is_file() else ""
    return "\n".join(
        [
            "",
            f"{before['people']} synthetic people not trained on:",
            f"{'':14}{'before':>10}{'after':>10}",
            *rows,
            "",
            f"Body of the small network over {photo.name}: {folder / name}_overlay.png",
            f"Mesh: {folder / name}.obj   arrays: {folder / name}.npz",
            f"SavedModel: {folder / 'saved_model'}   checkpoints: {folder / 'model'}",
            f"Done in {seconds / 60:.1f} minutes. The small network was trained on synthetic "
            "people only; the released one predicts without --load_path. Next:",
            f"  {bin}tensorboard --logdir {folder / 'model'}",
            f"  {bin}python -m hmr_tf.main --mode=predict --load_path={folder / 'model'} "
            "--img_path=YOUR.jpg --box=X,Y,WIDTH,HEIGHT",
            f"  {bin}python {CONVERTER} --dataset=coco --data_dir=COCO --output_dir=tfrecords",
        ]
    )
