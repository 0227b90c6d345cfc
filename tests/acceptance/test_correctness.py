"""Every command by which docs/correctness.md says that a promise is tested runs something."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.faults.__main__ import chosen_by

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(set(re.findall(r"`((?:make|pytest) [^`]+)`", (ROOT / "docs/correctness.md").read_text())))
_TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def test_the_page_has_commands_of_every_sort() -> None:
    assert len(COMMANDS) > 20
    for word in ("make faults", "make simulate", "make bench-hold", "pytest tests/unit"):
        assert any(command.startswith(word) for command in COMMANDS), word


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs_something(command: str) -> None:
    program, *words = shlex.split(command)
    if program == "pytest":
        assert names_in(words), "it selects no test"
        return
    target, *arguments = words
    assert target in _TARGET.findall((ROOT / "Makefile").read_text())
    if target == "faults" and arguments:
        assert chosen_by(arguments[0].removeprefix("ARGS=").split()), "it plays no scenario"


def names_in(words: list[str]) -> list[str]:
    """The names of the tests that pytest would run, classes and parameters aside."""
    word = words[words.index("-k") + 1] if "-k" in words else ""
    places = [ROOT / place for place in words if place.startswith("tests/")]
    assert places and all(place.exists() for place in places)
    files = [file for place in places for file in (place.rglob("test_*.py") if place.is_dir() else [place])]
    names = [name for file in files for name in _TEST.findall(file.read_text())]
    return [name for name in names if word in name]
