"""The commands of the README and the runbook are real: make targets, verbs, flags and stages that exist."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from crossfade.cli.arguments import parse
from crossfade.cli.delegation import DELEGATED
from proxy.__main__ import _OF_THEIR_OWN
from proxy.__main__ import _parser as proxy_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/runbook.md", "docs/assess.md", "docs/large.md", "clients/python/README.md")
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)\)")
_TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
_CHECK = re.compile(r'GateCheck\(\s*"([a-z_]+)"')


def commands(page: str) -> Iterator[list[str]]:
    """The commands of a page's shell blocks, as words; those of other programs are left out."""
    for block in _BLOCK.findall((ROOT / page).read_text()):
        for line in block.splitlines():
            words = shlex.split(line.strip(), comments=True)
            if words and Path(words[0]).name in ("make", "crossfade", "python"):
                yield [Path(words[0]).name, *words[1:]]


ALL = [(page, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize(
    ("page", "words"), ALL, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_a_command_exists(page: str, words: list[str]) -> None:
    program, *rest = words
    match program:
        case "make":
            assert rest[0] in _TARGET.findall((ROOT / "Makefile").read_text())
        case "crossfade":
            delegated = parse(rest)
            if delegated.command in DELEGATED:
                parse_there(delegated.command, delegated.words)
        case "python":
            assert rest[:2] == ["-m", "proxy"]
            proxy_parser().parse_args(rest[2:])


def parse_there(command: str, words: list[str]) -> None:
    """As the module does that the command is delegated to."""
    module, _ = _OF_THEIR_OWN[command]
    parser = ArgumentParser()
    import_module(module).add_arguments(parser)
    parser.parse_args(words)


def test_the_pages_have_commands_of_every_sort() -> None:
    programs = {words[0] for _, words in ALL}
    assert programs == {"make", "crossfade", "python"}
    verbs = {words[1] for _, words in ALL if words[0] == "crossfade"}
    assert {"status", "backfill", "verify", "cutover", "rollback", "divergences", "replicas"} <= verbs


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    missing = [link for link in _LINK.findall((ROOT / page).read_text()) if not _exists(page, link)]
    assert missing == []


def test_the_runbook_explains_every_check_of_the_gate() -> None:
    checks = set(_CHECK.findall((ROOT / "proxy/cutover/checks.py").read_text()))
    explained = set(re.findall(r"^\| `([a-z_]+)` \|", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE))
    assert len(checks) > 8
    assert explained == checks


def _exists(page: str, link: str) -> bool:
    return ((ROOT / page).parent / link).exists()
