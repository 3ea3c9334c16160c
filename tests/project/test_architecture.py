"""docs/architecture.md is true to the code: packages, fields and keys have the names they have."""

import re

import numpy as np
import pytest

from data_prep.reader_items import LabelledPerson
from hmr_tf.cli.recipes import ROOT
from hmr_tf.data import record
from hmr_tf.networks.prediction import Prediction
from tests.fakes import tiny_hmr, tiny_run

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TREE = PAGE.partition("```\n")[2].partition("```")[0]


@pytest.mark.parametrize("root", ["hmr_tf", "data_prep", "tools", ""])
def test_architecture_page_names_every_package(root):
    folders = [p for p in (ROOT / root).iterdir() if p.is_dir() and p.name[0] != "."]
    packages = [path.name for path in folders if any(path.glob("*.py"))]
    assert packages
    assert [name for name in packages if not re.search(rf"\b{name}\b", TREE)] == []


def fields(border):
    """Names with their meaning in a row of the table of borders."""
    (row,) = re.findall(rf"^\| {border} \| .*? \| (.*) \|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row))


def test_architecture_page_has_the_fields_of_a_prediction():
    assert fields("network -> loss") == set(Prediction._fields)


def test_architecture_page_has_fields_of_a_labelled_person():
    names = {"image", "keypoints_px", "labelled", "lsp_joints", "pose", "betas"}
    assert fields("dataset -> crop") == names
    assert names <= set(LabelledPerson.__annotations__)


def test_architecture_page_has_the_keys_of_a_sample(rng):
    sample = record.decode(record.encode(tiny_run.person(rng, 0)))
    assert fields("shard -> augmentation") == set(sample) - {"center_px", "filename"}


def test_architecture_page_has_the_keys_of_a_batch():
    batch, mocap = tiny_hmr.data(np.random.default_rng(0))
    assert fields("augmentation -> network") == set(batch)
    assert fields("motion capture -> discriminator") == set(mocap)
