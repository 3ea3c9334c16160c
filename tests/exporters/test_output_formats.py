"""The table of output formats: its functions exist, a new row is all that a format needs."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hmr_tf.cli import options, predict
from hmr_tf.exporters import motion_outputs, output_formats, photo_outputs, video_outputs
from hmr_tf.files import png
from hmr_tf.files.errors import InputError
from hmr_tf.inference import video_files
from hmr_tf.inference.model import Model
from tests.fakes import tiny_hmr

BOX = (4.0, 4.0, 20.0, 40.0)
KINDS = {
    "photo": photo_outputs.Scene,
    "video": video_outputs.VideoScene,
    "motion": motion_outputs.Clip,
}


def reference_to(kind):
    return output_formats.OutputFormat(**{kind: "new_outputs.write_new"})


@pytest.fixture
def sources(tmp_path, rng, monkeypatch):
    """A photograph and a video for the command, whose network is tiny."""
    model = Model(*tiny_hmr.with_body(tmp_path))
    monkeypatch.setattr(predict, "_drawing_model", lambda _: model)
    frames = rng.integers(0, 256, size=(3, 48, 96, 3), dtype=np.uint8)
    png.write_png(tmp_path / "me.png", frames[0])
    with video_files.writer(tmp_path / "me.mp4", 10.0) as append:
        for frame in frames:
            append(frame)
    return {
        "photo": {"img_path": f"{tmp_path}/me.png"},
        "video": {"video_path": f"{tmp_path}/me.mp4"},
    }


def run(source, folder):
    given = options.Options(
        mode="predict", box=BOX, write=("new",), output_dir=str(folder), **source
    )
    return predict.predict(given)


@pytest.mark.parametrize("name", output_formats.FORMATS)
def test_output_formats_name_functions_that_exist(name):
    references = [reference for reference in output_formats.FORMATS[name] if reference]
    assert references
    for reference in references:
        module, _, function = reference.rpartition(".")
        module = importlib.import_module(f"hmr_tf.exporters.{module}")
        assert callable(getattr(module, function))


@pytest.mark.parametrize(
    ("kind", "written_for"),
    [("photo", ["photo"]), ("video", ["video"]), ("motion", ["photo", "video"])],
)
def test_output_formats_table_is_all_that_a_new_format_needs(
    kind, written_for, sources, tmp_path, monkeypatch, capsys
):
    scenes = []

    def write_new(stem, scene):
        scenes.append(scene)
        Path(f"{stem}.new").write_text("new")
        return [Path(f"{stem}.new")]

    module = SimpleNamespace(write_new=write_new)
    monkeypatch.setitem(sys.modules, "hmr_tf.exporters.new_outputs", module)
    monkeypatch.setitem(output_formats.FORMATS, "new", reference_to(kind))
    for source, given in sources.items():
        folder = tmp_path / f"out_{source}"
        if source in written_for:
            assert run(given, folder) == 0
            assert (folder / "me.new").read_text() == "new"
            assert capsys.readouterr().out.split() == [str(folder / "me.new")]
        else:
            with pytest.raises(InputError, match=r"--write=new is not one of overlay, "):
                run(given, folder)
            assert not folder.exists()
    assert [type(scene) for scene in scenes] == [KINDS[kind]] * len(written_for)


def test_output_formats_refuse_an_unknown_one_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"'fbx' is not one of overlay, .*glb"):
        output_formats.write(str(tmp_path / "a"), ["obj", "fbx"], "photo", None, None)
    with pytest.raises(ValueError, match="'obj' is not one of"):
        output_formats.write(str(tmp_path / "a"), ["obj"], "video", None, None)
    assert list(tmp_path.iterdir()) == []
