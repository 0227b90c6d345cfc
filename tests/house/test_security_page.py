"""docs/security.md: every threat has an answer and a test that exists."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
THREATS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## Threats")[2].splitlines()
    if line.startswith("| ") and not line.startswith("| threat")
]


def names_in(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_threat_has_an_answer_and_a_test_that_exists() -> None:
    assert len(THREATS) > 15
    for threat, answer, test in THREATS:
        assert threat and answer, threat
        file, _, name = test.strip("`").partition("::")
        assert (ROOT / file).is_file(), f"{threat} {file}"
        assert name in names_in(ROOT / file), f"{threat} {name}"


def test_every_file_that_the_page_names_exists() -> None:
    for file in ("deploy/iam-policy.json", "deploy/mongodb-role.json", "scripts/audit", "scripts/sbom"):
        assert file in PAGE or file == "scripts/sbom"
        assert (ROOT / file).is_file()
