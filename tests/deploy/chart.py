"""The chart as Helm renders it, and Kubernetes' own schemas to hold it against."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "crossfade"
VERSIONS = ("1.27", "1.31", "1.37")
"""Of Kubernetes: the oldest that the chart allows, one in between, and the newest whose schemas are here."""

Resource = dict[str, Any]


def find_helm() -> str | None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which("helm", path=path)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = find_helm()
    assert program
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)


def render(values: Path, *settings: str) -> list[Resource]:
    """Every resource of the chart under some values. AssertionError with Helm's words where it refuses."""
    done = helm("template", "release", str(CHART), "--values", str(values), *_set(settings))
    assert done.returncode == 0, done.stderr
    return [resource for resource in yaml.safe_load_all(done.stdout) if resource]


def refusal(values: Path, *settings: str) -> str:
    """What Helm says when it must not render."""
    done = helm("template", "release", str(CHART), "--values", str(values), *_set(settings))
    assert done.returncode != 0, done.stdout
    return done.stderr


def mistakes(resource: Resource, version: str) -> str:
    """What the schema of that version has against a resource: unknown fields too; empty if nothing."""
    try:
        kubernetes_validate.validate(resource, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{resource['kind']} under {version}: {error.message}"
    return ""


def only(resources: list[Resource], kind: str) -> Resource:
    [one] = [resource for resource in resources if resource["kind"] == kind]
    return one


def _set(settings: tuple[str, ...]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]
