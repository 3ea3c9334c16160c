"""Licence and citation: every file of others is named with its terms."""

import re
from pathlib import Path

import hmr_tf

ROOT = Path(__file__).resolve().parents[2]
LICENCES = ROOT / "docs" / "licences.md"
# Ours among the assets: the list of the others, and the viewer.
OUR_ASSETS = {"README.txt", "page.html", "bodies.js", "drawing.js", "viewer.js"}


def test_licence_is_mit():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License\n")
    assert "the hmr_tf authors" in text


def test_licences_page_names_every_asset_of_others():
    page = LICENCES.read_text(encoding="utf-8")
    assets = [path for path in (ROOT / "hmr_tf" / "assets").rglob("*") if path.is_file()]
    others = {p.name for p in assets if "LICENSE" not in p.name} - OUR_ASSETS
    assert others
    assert {name for name in others if name not in page} == set()


def test_citation_names_this_version_and_the_paper():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == hmr_tf.__version__
    title = "End-to-end Recovery of Human Shape and Pose"
    assert title in citation
    assert f"{{{title}}}" in LICENCES.read_text(encoding="utf-8")
