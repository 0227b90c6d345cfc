"""Commands of another distribution: found by their entry points, or told where to get them."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from crossfade.cli import delegation, main
from crossfade.cli.arguments import parse

SEEN: list[list[str]] = []


def pretend(words: list[str]) -> int:
    SEEN.append(words)
    return 5


def install(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    def entry_points(group: str, name: str) -> tuple[EntryPoint, ...]:
        return tuple(point for point in points if (point.group, point.name) == (group, name))

    monkeypatch.setattr(delegation, "entry_points", entry_points)


def test_the_installed_one_runs_with_its_own_options_and_status(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, EntryPoint("assess", f"{__name__}:pretend", delegation.GROUP))
    monkeypatch.setattr(EntryPoint, "load", lambda self: pretend)
    assert main(["assess", "--json", "mongodb://x", "--help"]) == 5
    assert SEEN.pop() == ["--json", "mongodb://x", "--help"]


def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    assert main(["assess", "mongodb://x"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "crossfade-proxy" in line and "`python -m proxy assess`" in line


def test_help_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert delegation.DELEGATED["assess"][0] in " ".join(capsys.readouterr().out.split())
