"""A real Prometheus for one run: with the rules and the configuration of deploy/, and targets of its own."""

from __future__ import annotations

import asyncio
import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from proxy.embedded.child import Child, spawn
from proxy.embedded.missing import PortTaken
from proxy.embedded.ports import run_on_port
from tests.dashboards.programs import ALERTS, MISSING, ROOT, find

SCRAPE = 1
"""Seconds between two scrapes, so that a short run is enough."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs."""

    url: str
    child: Child

    async def range_of(self, expression: str, seconds: float, until: float) -> list[list[float]]:
        """The values of each series of an expression in the last `seconds`, NaN left out.

        AssertionError with Prometheus's words where it refuses the expression.
        """
        asked = {"query": expression, "start": until - seconds, "end": until, "step": SCRAPE}
        data = await self._get("/api/v1/query_range", asked)
        return [_numbers(series["values"]) for series in data["result"]]

    async def targets_up(self) -> int:
        data = await self._get("/api/v1/query", {"query": 'sum(up{job="crossfade"}) or vector(0)'})
        return int(data["result"][0]["value"][1])

    async def rules(self) -> list[dict[str, Any]]:
        """The alerts as they are evaluated: name, health, lastError, state."""
        data = await self._get("/api/v1/rules", {})
        return [rule for group in data["groups"] for rule in group["rules"]]

    async def _get(self, path: str, arguments: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.url}{path}?{urllib.parse.urlencode(arguments)}"
        answer = await asyncio.to_thread(_fetch, url)
        assert answer["status"] == "success", answer
        data: dict[str, Any] = answer["data"]
        return data


@asynccontextmanager
async def running(directory: Path, targets: Sequence[str]) -> AsyncIterator[Prometheus]:
    """Scrape `targets` (host:port) for as long as the block runs."""
    file = directory / "prometheus.yaml"
    file.write_text(yaml.safe_dump(_configuration(targets)))
    prometheus = await run_on_port(None, partial(_start, directory, file))
    try:
        yield prometheus
    finally:
        await prometheus.child.stop()


def _configuration(targets: Sequence[str]) -> dict[str, Any]:
    """That of deploy/, with other targets, and quicker."""
    given: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "prometheus.yaml").read_text())
    given["global"] = {"scrape_interval": f"{SCRAPE}s", "evaluation_interval": f"{SCRAPE}s"}
    given["rule_files"] = [str(ALERTS)]
    [job] = given["scrape_configs"]
    job["static_configs"] = [{"targets": list(targets)}]
    return given


async def _start(directory: Path, file: Path, port: int) -> Prometheus:
    program = find("prometheus")
    assert program, MISSING
    url = f"http://127.0.0.1:{port}"
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    child = spawn("prometheus", command, directory / "prometheus.log", directory)
    if await child.wait_until(partial(asyncio.to_thread, _is_ready, url), 60):
        return Prometheus(url, child)
    if "address already in use" in child.output():
        raise PortTaken("Prometheus", port)
    raise child.died_early()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2):
            return True
    except OSError:
        return False


def _fetch(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as refused:
        answer = json.load(refused)
    return answer


def _numbers(values: list[tuple[float, str]]) -> list[float]:
    return [number for _, text in values if math.isfinite(number := float(text))]
