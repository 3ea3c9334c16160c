"""The examples of README and docs: commands parse, some run on small inputs, Python runs too."""

import dataclasses
import importlib.util
import re
import shlex

import cv2
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from data_prep import inspect_tfrecords, mean_params, to_tfrecords
from hmr_tf import main
from hmr_tf.cli import command_line, option_flags, recipes
from hmr_tf.cli.options import Options
from hmr_tf.networks import encoder
from tests.fakes import tiny_detector, tiny_hmr, untrained_run
from tests.fakes.dataset_fakes import annotation, write_coco, write_lsp, write_mosh
from tests.fakes.gltf_reader import Glb
from tests.fakes.motions import walker
from tools.movenet import convert_movenet

PAGES = [recipes.ROOT / "README.md", *sorted((recipes.ROOT / "docs").glob("*.md"))]
CONVERT = "data_prep/to_tfrecords.py"
# Program -> its flags; of hmr_tf.main they are made again each time.
PROGRAMS = {
    CONVERT: (to_tfrecords, to_tfrecords.OPTIONS),
    "data_prep/inspect_tfrecords.py": (inspect_tfrecords, inspect_tfrecords.OPTIONS),
    "data_prep.mean_params": (mean_params, mean_params.OPTIONS),
    "tools.movenet": (convert_movenet, convert_movenet.OPTIONS),
}


def blocks(page, language):
    """Fenced blocks of a page; those of no language are the shell's."""
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [code for name, code in fenced if name == language]


def commands(page):
    """Arguments of each Python command in a page's shell blocks; COMMON is what it stands for."""
    common = re.search(r"COMMON means `([^`]+)`", page.read_text(encoding="utf-8"))
    for block in blocks(page, ""):
        if common:
            block = block.replace("COMMON", common[1])
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("python "):
                arguments = shlex.split(line, comments=True)[1:]
                yield arguments[1:] if arguments[0] == "-m" else arguments


ALL_COMMANDS = [(page.name, command) for page in PAGES for command in commands(page)] + [
    ("--help", ["hmr_tf.main", f"--mode={mode}", *example.split()])
    for mode, example in main.EXAMPLES.items()
]


@pytest.mark.parametrize(
    ("page", "command"), ALL_COMMANDS, ids=lambda x: x if isinstance(x, str) else " ".join(x)
)
def test_examples_of_commands_parse(page, command):
    """The program is there, its flags too, and their values are of the right kind."""
    program, *arguments = command
    if program == "hmr_tf.main":
        values = flags.FlagValues()
        option_flags.define(Options, values)
        assert values(["hmr", *recipes.resolve(arguments)]) == ["hmr"]
        mode = option_flags.parsed(Options, values).mode
        modes = {field.name: field.metadata["modes"] for field in dataclasses.fields(Options)}
        for name in re.findall(r"--(?:no)?(\w+)", " ".join(arguments)):
            assert name in ("mode", "flagfile") or mode in modes.get(name, modes.get(f"no{name}"))
    elif program in PROGRAMS:
        values = PROGRAMS[program][1]
        saved = flagsaver.save_flag_values(values)
        try:
            assert values([program, *arguments]) == [program]
        finally:
            flagsaver.restore_flag_values(saved, values)
    elif program != "pytest":
        path = recipes.ROOT / program.replace(".", "/")
        files = (recipes.ROOT / program, path.with_suffix(".py"), path / "__main__.py")
        assert any(file.is_file() for file in files)
        code = next(file for file in files if file.is_file()).read_text()
        for flag in re.findall(r"--(\w+)", " ".join(arguments)):
            assert flag in code, f"{program} has no --{flag}"


def test_examples_are_listed():
    programs = {command[0] for _, command in ALL_COMMANDS}
    assert {"hmr_tf.main", *PROGRAMS, "examples/serving_client.py", "tools.cc0_body"} <= programs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with what the examples read: a model of one layer, pictures, a video, datasets."""
    folder, rng = tmp_path_factory.mktemp("examples"), np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(encoder.ENCODERS, "resnet_v2_50", tiny_hmr.encoder)
        (folder / "logs" / "mine").mkdir(parents=True)
        untrained_run.save(folder / "logs" / "mine", image_size=224)
        tiny_detector.save(folder / "models" / "movenet", [(0.2, 0.1, 0.6, 0.9, 0.9)])
        picture = rng.integers(0, 256, size=(280, 240, 3), dtype=np.uint8)
        (folder / "photos").mkdir()
        for name in ("photo.jpg", "photos/a.jpg", "photos/b.jpg"):
            cv2.imwrite(name, picture)
        boxes = ["image,x,y,width,height", "a,40,30,120,200", "b,60,30,100,220"]
        (folder / "people.csv").write_text("\n".join(boxes) + "\n")
        video = cv2.VideoWriter("walk.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 25, (240, 280))
        for frame in range(6):
            video.write(np.roll(picture, frame, axis=1))
        video.release()
        write_datasets(folder, rng)
        yield folder


def write_datasets(folder, rng):
    joints = rng.uniform(1, 30, (14, 3, 5))
    joints[:, 2] = 1
    write_lsp(folder / "LSP_EXT", joints, digits=5)
    write_coco(folder / "COCO", [annotation(1), annotation(2, image_id=3)])
    poses = rng.normal(0, 0.1, size=(30, 72))
    write_mosh(
        folder / "neutrMosh" / "neutrSMPL_CMU" / "01" / "01_01.pkl", poses, rng.normal(size=10)
    )
    run(f"{CONVERT} --dataset=synthetic --split=test --limit=3 --output_dir=tfrecords")


def run(command):
    """A command in this process, which must end well."""
    program, *arguments = shlex.split(command)
    if program == "hmr_tf.main":
        call, values = main.main, flags.FLAGS
    else:
        call, values = PROGRAMS[program][0].main, PROGRAMS[program][1]
    saved = flagsaver.save_flag_values(values)
    try:
        with pytest.raises(SystemExit) as end:
            command_line.run(call, values, argv=[program, *arguments])
    finally:
        flagsaver.restore_flag_values(saved, values)
    assert not end.value.code, command


# A word of the command -> what it writes. In this order: some read what those before have written.
RUN = {
    "--dataset=coco --data_dir=COCO --output_dir": ["tfrecords/coco/train_index.json"],
    "--dataset=lsp_ext --data_dir=LSP_EXT": ["tfrecords/lsp_ext/train_index.json"],
    "--dataset=mosh": ["tfrecords/mocap_neutrMosh/neutrSMPL_CMU_000.tfrecord"],
    "inspect_tfrecords.py": ["sheet.png"],
    "data_prep.mean_params --data_dir=tfrecords --mocap_datasets=CMU": [
        "models/neutral_smpl_mean_params.h5"
    ],
    "--img_path=photo.jpg": ["output/photo_overlay.png", "output/photo.obj", "output/photo.npz"],
    "--mode=predict --load_path=logs/mine --img_path=photos": [
        "output/a_overlay.png",
        "output/b_panels.png",
    ],
    "--write=overlay,glb,bvh": ["walk/walk_overlay.mp4", "walk/walk.glb"],
    "--smooth=savgol": ["output/walk_overlay.mp4", "output/walk.npz"],
    "--mode=evaluate --data_dir=tfrecords": ["output/results.json", "output/report.html"],
    "--output_dir=saved_model/1": ["saved_model/1/saved_model.pb"],
}


@pytest.mark.parametrize("word", RUN)
def test_examples_of_commands_write_what_they_promise(word, inputs):
    lines = {" ".join(command) for _, command in ALL_COMMANDS}
    command = min((line for line in lines if word in line), key=len)
    run(command)
    assert [path for path in RUN[word] if not (inputs / path).stat().st_size] == []


def test_video_for_animators_has_all_people_in_the_glb_and_a_bvh(inputs):
    """After the command of the animators above."""
    if not (inputs / "walk").is_dir():
        pytest.skip("the command was not run")
    glb = Glb((inputs / "walk" / "walk.glb").read_bytes())
    assert glb.node("person_0")
    assert len(list((inputs / "walk").glob("*.bvh"))) == 1


def test_example_of_the_readme_in_python(inputs, capsys):
    (code,) = blocks(recipes.ROOT / "README.md", "python")
    exec(code, {})
    assert "(6890, 3) right_ankle [" in capsys.readouterr().out


def test_example_of_prediction_in_python(inputs, capsys):
    (code,) = blocks(recipes.ROOT / "docs" / "prediction.md", "python")
    names = {}
    exec(code, names)
    assert "right_ankle" in capsys.readouterr().out
    assert names["bodies"]["vertices"].shape == (1, 6890, 3)
    with_box = names["model"].predict("photo.jpg", boxes=[(40, 30, 120, 260)])[0]
    np.testing.assert_allclose(names["bodies"]["theta"][0], with_box.theta, atol=1e-5)


def test_example_of_the_exporters_in_python(tmp_path, monkeypatch):
    (code,) = blocks(recipes.ROOT / "docs" / "animation.md", "python")
    monkeypatch.chdir(tmp_path)
    person = walker(frames=6)
    names = {
        "betas": np.repeat(person.betas[None], 6, axis=0),
        "rotations": person.rotations,
        "transl": person.transl + np.array([0, 0, 5]),
        "frames": np.arange(6),
        "photo": np.full((40, 60, 3), 200, np.uint8),
        "overlay": np.full((40, 60, 3), 100, np.uint8),
    }
    exec(code, names)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"anna.{extension}" for extension in ("glb", "bvh", "npz", "html")
    }
    assert Glb((tmp_path / "anna.glb").read_bytes()).node("anna")
    assert 1 < names["metres"]["height"].metres < 2.5
    assert cv2.imencode(".png", names["picture"])[0]


@pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="needs openvino")
def test_example_of_openvino(exported, tmp_path, monkeypatch):
    (code,) = blocks(recipes.ROOT / "docs" / "serving.md", "python")
    hmr, folder = exported
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "1").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    names = {"images": np.zeros((1, hmr.image_size, hmr.image_size, 3), np.float32)}
    exec(code, names)
    assert names["bodies"]["vertices"].shape[0] == 1
