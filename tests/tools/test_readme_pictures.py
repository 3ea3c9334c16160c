"""The pictures of the README, with a network of one layer."""

import re

import cv2
import numpy as np
import pytest
from absl.testing import flagsaver

from hmr_tf.cli import command_line
from hmr_tf.networks import encoder
from tests.fakes import tiny_hmr, untrained_run
from tools import readme_pictures


@pytest.fixture
def photographs(tmp_path, monkeypatch, rng):
    """Flags of a network, three photographs and their credits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(encoder.ENCODERS, "resnet_v2_50", tiny_hmr.encoder)
    (tmp_path / "run").mkdir()
    untrained_run.save(tmp_path / "run", image_size=32)
    (tmp_path / "photos").mkdir()
    for name in "abc":
        picture = rng.integers(0, 256, size=(48, 64, 3), dtype=np.uint8)
        cv2.imwrite(f"photos/{name}.png", picture)
    (tmp_path / "credits.tsv").write_text("".join(f"{n}.png\tBy {n}, CC BY 2.0\n" for n in "abc"))
    flags = ("--load_path=run", "--img_path=photos", "--credits=credits.tsv", "--rotated=b.png")
    return ["readme_pictures", *flags, "--output=pictures"]


def run(flags):
    saved = flagsaver.save_flag_values(readme_pictures.OPTIONS)
    try:
        with pytest.raises(SystemExit) as end:
            command_line.run(readme_pictures.main, readme_pictures.OPTIONS, argv=flags)
    finally:
        flagsaver.restore_flag_values(saved, readme_pictures.OPTIONS)
    return end.value.code


def test_readme_pictures_show_all_photographs_and_a_rotation(photographs):
    assert not run(photographs)
    height, columns = readme_pictures.HEIGHT, readme_pictures.COLUMNS
    width = columns * (2 * height * 4 // 3 + height)
    assert cv2.imread("pictures/photographs.jpg").shape == (2 * (height + 20), width, 3)
    _, animation = cv2.imreadanimation("pictures/rotating.webp")
    assert len(animation.frames) == readme_pictures.FRAMES


def test_readme_pictures_refuse_a_photograph_without_credits(photographs, tmp_path, capsys):
    (tmp_path / "credits.tsv").write_text("a.png\tBy a\n")
    assert run(photographs) == 2
    assert re.fullmatch(r"error: .* has no line of b\.png\.\n", capsys.readouterr().err)
    assert not (tmp_path / "pictures").exists()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--credits=none.tsv", "--credits=none.tsv cannot be read: No such file or directory."),
        ("--credits=photos/a.png", "--credits=photos/a.png cannot be read: it is no text."),
        ("--rotated=d.png", "--rotated=d.png is not one of --img_path=photos"),
        ("--detector=photos", "--detector=photos holds no detector: make it, `python -m tools."),
        ("--output=credits.tsv", "--output=credits.tsv cannot be written: File exists"),
        ("--img_path=none", "none: no such file"),
        ("photos", "'photos' is not a flag: every option is --name=value"),
    ],
)
def test_readme_pictures_refuse_wrong_input_in_one_line(photographs, capsys, flag, message):
    assert run([*photographs, flag]) == 2
    assert re.fullmatch(rf"error: .*{re.escape(message)}.*\n", capsys.readouterr().err)
