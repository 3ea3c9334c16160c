"""The README's Python runs as printed."""

import re
from pathlib import Path

import cv2
import numpy as np

from tests.fakes.gltf_reader import Glb
from tests.fakes.motions import walker

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_animators_example(tmp_path, monkeypatch):
    section = README.read_text(encoding="utf-8").partition("## For animators")[2]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
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
        f"anna.{ending}" for ending in ("glb", "bvh", "npz", "html")
    }
    assert Glb((tmp_path / "anna.glb").read_bytes()).node("anna")
    assert 1 < names["metres"]["height"].metres < 2.5
    assert cv2.imencode(".png", names["picture"])[0]
