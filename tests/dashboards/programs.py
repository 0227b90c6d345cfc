"""Prometheus and its promtool on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy" / "alerts.yaml"
MISSING = "no Prometheus on this machine (scripts/prometheus sees to one)"


def find(name: str) -> str | None:
    """The program of this name: ours, or one that is installed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which(name, path=path)


needs_prometheus = pytest.mark.skipif(not (find("prometheus") and find("promtool")), reason=MISSING)


def promtool(*arguments: str | Path) -> str:
    """What promtool said; AssertionError with its words where it objects."""
    program = find("promtool")
    assert program, MISSING
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
