"""--mode=predict: folders of photographs, bad files, names, folders left behind."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.cli import options
from hmr_tf.cli import predict as mode
from hmr_tf.exporters import photo_outputs
from hmr_tf.files import png
from hmr_tf.files.errors import InputError
from hmr_tf.inference import boxes as box_files
from hmr_tf.inference import photo
from hmr_tf.inference.model import Model
from tests.fakes import tiny_hmr

BOX = (40, 10, 30, 60)


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, size=(90, 160, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model(*tiny_hmr.with_body(tmp_path_factory.mktemp("body")))


def test_predict_command_that_fails_leaves_no_folder(tmp_path, model, picture, monkeypatch):
    monkeypatch.setattr(mode, "_drawing_model", lambda options: model)
    png.write_png(tmp_path / "me.png", picture)
    given = {"mode": "predict", "img_path": str(tmp_path / "me.png")}
    run_options = options.Options(
        **given, box=(500.0, 5.0, 20.0, 30.0), output_dir=str(tmp_path / "out")
    )
    with pytest.raises(InputError, match=r"The box .* lies outside"):
        mode.predict(run_options)
    assert [path.name for path in tmp_path.iterdir()] == ["me.png"]


def test_predict_leaves_out_an_unusable_box_and_with_strict_refuses_it(
    tmp_path, model, picture, monkeypatch, capsys
):
    """One of each place where it shows: in the file, and against the photograph."""
    monkeypatch.setattr(mode, "_drawing_model", lambda options: model)
    png.write_png(tmp_path / "me.png", picture)
    lines = ["image,x,y,width,height", "me.png,0,0,0,0", "me.png,500,5,20,30", "me.png,40,10,30,60"]
    given = {"mode": "predict", "img_path": str(tmp_path / "me.png")}
    given |= {"boxes": str(tmp_path / "boxes.csv"), "output_dir": str(tmp_path / "out")}
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    assert mode.predict(options.Options(**given, write=("npz",))) == 1
    with np.load(tmp_path / "out" / "me.npz") as arrays:
        np.testing.assert_array_equal(arrays["box"], [BOX])
    announced, output, *errors = capsys.readouterr().err.splitlines()
    assert announced.startswith("Predicts the people in 1 photograph ")
    assert output.endswith(f"Output: npz in {tmp_path / 'out'}.")
    assert "line 2 has an empty box 0,0,0,0" in errors[0]
    assert "me.png: The box 500,5,20,30 lies outside" in errors[1]
    assert errors[2] == "error: left out for the reasons above: 2"
    monkeypatch.setattr(mode, "_drawing_model", None)  # never called
    for unusable, message in ((lines[1], "empty box"), (lines[2], "lies outside")):
        (tmp_path / "boxes.csv").write_text("\n".join([lines[0], unusable, lines[3]]))
        with pytest.raises(InputError, match=message + r".* \(--strict; 1 such"):
            mode.predict(options.Options(**given, strict=True))


def test_predict_command_leaves_out_bad_files(tmp_path, model, picture):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(10):
        png.write_png(folder / f"{number}.png", picture)
    (folder / "4.png").write_bytes(b"no image")
    paths = photo.find(folder)
    boxes = {str(number): [BOX] * (number != 7) for number in range(10)}
    boxes = box_files.BoxesByName(boxes).of_photographs(paths)
    written, problems = mode.predict_photographs(model, paths, tmp_path / "out", ["npz"], boxes)
    assert [path.name for path in written] == [f"{n}.npz" for n in range(10) if n not in (4, 7)]
    assert "4.png is not an image" in problems[0]
    assert "7.png: --boxes has no box" in problems[1]
    alone = model.predict(picture, BOX)[0]
    with np.load(written[-1]) as arrays:
        np.testing.assert_allclose(arrays["theta"][0], alone.theta, atol=1e-5)


@pytest.mark.parametrize(("count", "given"), [(1, True), (1, False), (2, True)])
def test_predict_traces_no_graph_for_one_photograph(
    tmp_path, model, picture, monkeypatch, count, given
):
    """The network is traced where it is used again: by the search, for more photographs."""
    run_eagerly, batch, write = [], model.predict_batch, photo_outputs.write

    def noted(function):
        def call(*args, **more):
            run_eagerly.append(tf.config.functions_run_eagerly())
            return function(*args, **more)

        return call

    monkeypatch.setattr(model, "predict_batch", noted(batch))
    monkeypatch.setattr(photo_outputs, "write", noted(write))
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for path in paths:
        cv2.imwrite(str(path), picture)
    boxes = {path: [BOX] for path in paths} if given else None
    written, _ = mode.predict_photographs(model, paths, tmp_path / "out", ["overlay", "npz"], boxes)
    expected = {(1, True): [True, True], (1, False): [False, True], (2, True): [False] * 3}
    assert run_eagerly == expected[count, given]
    assert not tf.config.functions_run_eagerly()
    if given:
        alone = model.predict(picture[..., ::-1], BOX)[0]
        with np.load(written[1]) as arrays:
            np.testing.assert_allclose(arrays["vertices"][0], alone.vertices, atol=1e-5)


def test_predict_command_names_files_of_one_name_apart(tmp_path, model, picture):
    paths = [tmp_path / name for name in ("a.png", "a.bmp", "x/b.png", "y/b.png")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), picture)
    written, _ = mode.predict_photographs(model, paths, tmp_path / "out", ["npz"])
    assert [path.stem for path in written] == ["a_png", "a_bmp", "x_b_png", "y_b_png"]
