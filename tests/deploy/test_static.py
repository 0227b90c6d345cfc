"""What needs no engine: hadolint on the Dockerfile, and Docker Compose's own reading of its file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards.programs import needs_prometheus, promtool

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def program(name: str) -> str:
    """A program of the development packages. They have none for machines other than Linux on x86_64."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"no {name} for this machine")
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, cwd=ROOT)


def test_hadolint_finds_nothing() -> None:
    done = run(program("hadolint"), "--failure-threshold", "style", DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    careless = tmp_path / "Dockerfile"
    careless.write_text(DOCKERFILE.read_text().replace("slim-bookworm", "latest").replace("3.11.11-", ""))
    assert "DL3007" in run(program("hadolint"), careless).stdout


def test_compose_reads_the_file_as_it_is_meant() -> None:
    done = run(program("docker-compose"), "--file", "docker-compose.yml", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no warnings"
    resolved: dict[str, Any] = json.loads(done.stdout)["services"]
    written = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert resolved.keys() == written.keys()
    for name in ("proxy-1", "proxy-2"):
        proxy = resolved[name]
        assert proxy["read_only"] and proxy["cap_drop"] == ["ALL"]
        assert proxy["environment"]["CROSSFADE_PAGE_TOKEN_KEY"]
    for service in resolved.values():
        for mount in service.get("volumes", []):
            assert mount["type"] == "volume" or Path(mount["source"]).exists(), mount


@needs_prometheus
def test_prometheus_takes_the_whole_configuration_where_it_is_mounted(tmp_path: Path) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for mount in compose["services"]["prometheus"]["volumes"]:
        source, inside, _ = mount.split(":")
        target = tmp_path / inside.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(
            (ROOT / source).read_text().replace("/etc/prometheus", str(tmp_path / "etc/prometheus"))
        )
    assert "SUCCESS" in promtool("check", "config", tmp_path / "etc/prometheus/prometheus.yaml")
