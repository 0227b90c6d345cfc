"""Every moment that the code marks is in the list, and the list is in the documentation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from proxy.faultpoint import MOMENTS

ROOT = Path(__file__).parents[2]


def test_the_code_marks_the_moments_that_are_listed_and_no_others() -> None:
    patterns = [pattern for path in sorted((ROOT / "proxy").rglob("*.py")) for pattern in marks_of(path)]
    assert len(patterns) > 10
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in MOMENTS), f"{pattern} is not in MOMENTS"
    for name in MOMENTS:
        assert any(re.fullmatch(pattern, name) for pattern in patterns), f"nothing marks {name}"


def test_the_documentation_lists_every_moment_with_its_meaning() -> None:
    text = (ROOT / "docs" / "faultpoints.md").read_text()
    listed = dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$", text, re.MULTILINE))
    assert listed == MOMENTS


def marks_of(path: Path) -> Iterator[str]:
    """A pattern for each call of `faultpoint`: its name, where the parts of an f-string may be any word."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "faultpoint":
            yield pattern_of(node.args[0])


def pattern_of(name: ast.expr) -> str:
    if isinstance(name, ast.JoinedStr):
        return "".join(pattern_of(part) for part in name.values)
    return re.escape(str(name.value)) if isinstance(name, ast.Constant) else r"[a-z_]+"
