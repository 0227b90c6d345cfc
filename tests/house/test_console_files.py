"""What the console ships to browsers: ours alone, no HTML made of data, charts of the version named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from proxy.console.pages import STATIC

ROOT = Path(__file__).resolve().parents[2]
OWN = sorted(path for path in STATIC.iterdir() if path.is_file())
MODULES = [path for path in OWN if path.suffix == ".js"]
VENDORED = STATIC / "vendor" / "uplot"
_UNSAFE = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
_IMPORT = re.compile(r'from "(\./[^"]+)"')


def test_there_are_files_to_check() -> None:
    assert len(MODULES) > 8 and (STATIC / "index.html") in OWN


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_is_short_says_what_it_is_for_and_makes_no_html(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("// ")
    assert len(text.splitlines()) <= 220
    assert not _UNSAFE.search(text)


@pytest.mark.parametrize("path", [one for one in OWN if one.suffix != ".svg"], ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    assert not re.search(r"https?:|[\"'(]//|@import", path.read_text())


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_every_module_is_used() -> None:
    imported = {name for path in MODULES for name in _IMPORT.findall(path.read_text())}
    assert all((STATIC / name).is_file() for name in imported)
    assert {f"./{path.name}" for path in MODULES} - imported == {"./main.js"}


def test_the_charts_are_of_the_version_that_is_named_and_have_their_licence() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]["uplot"]
    assert f"(v{wanted})" in (VENDORED / "uPlot.esm.js").read_text()[:400]
    assert "MIT" in (VENDORED / "LICENSE").read_text()
    for path in (VENDORED / "uPlot.esm.js", VENDORED / "uPlot.min.css"):
        fetched = ROOT / "node_modules" / "uplot" / "dist" / path.name
        assert path.read_bytes() == fetched.read_bytes(), "run scripts/vendor"
