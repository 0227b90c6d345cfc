"""A short life of two real proxies on real stores, watched by a real Prometheus: what each panel shows of it.

The example application works; all collections are mirrored, filled and verified; two change their primary.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from crossfade import AsyncMigrationClient, JobKind, Stage
from examples.demo.data import ExampleData, example_data, load
from examples.demo.journey import Journey
from examples.demo.stack import Stack, open_stack
from examples.demo.traffic import Traffic, run_traffic
from tests.dashboards.expressions import Expression, of_annotations, of_dashboards
from tests.dashboards.server import Prometheus, running
from tests.fixtures.waiting import until

DOCUMENTS = 300
CUT_OVER = ("webtasks", "cron_jobs")
WINDOW = 10
"""Seconds that rates are taken over."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one expression: how many series it had, how many values, and the largest."""

    place: str
    series: int
    values: int
    largest: float | None
    complaint: str = ""

    @property
    def is_good(self) -> bool:
        return not self.complaint and self.values > 0


@dataclass(frozen=True, slots=True)
class Findings:
    """All panels, and the alerts whose evaluation went wrong with what Prometheus says of them."""

    panels: list[Outcome]
    sick_alerts: dict[str, str]
    pages: set[str]

    @property
    def is_good(self) -> bool:
        return not self.sick_alerts and not self.pages and all(one.is_good for one in self.panels)


async def examine(directory: Path, tell: Tell) -> Findings:
    """Live, and look at everything."""
    began = time.time()
    async with _watched(directory, tell) as (stack, data, prometheus):
        await _live(stack, data, tell)
        await until(lambda: _has_seen_the_end(prometheus, began), 20)
        now = time.time()
        asked = [*of_dashboards(), *of_annotations()]
        panels = [await _ask(prometheus, one, now - began, now) for one in asked]
        rules = await prometheus.rules()
    return Findings(
        panels,
        {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"},
        {
            rule["name"]
            for rule in rules
            if rule["state"] == "firing" and rule["labels"]["severity"] == "page"
        },
    )


@asynccontextmanager
async def _watched(directory: Path, tell: Tell) -> AsyncIterator[tuple[Stack, ExampleData, Prometheus]]:
    async with AsyncExitStack() as cleanup:
        tell("starting MongoDB, DynamoDB, two proxies and Prometheus")
        stack = await cleanup.enter_async_context(open_stack())
        stack.environment = {**stack.environment, "CROSSFADE_PROMETHEUS_LISTEN": "127.0.0.1:0"}
        data = example_data(DOCUMENTS, time.time_ns() // 1_000_000)
        await load(stack.stores.mongodb.address, stack.collections, data)
        for _ in range(2):
            await stack.start_proxy()
        targets = [_metrics_address(proxy.child.output()) for proxy in stack.proxies]
        prometheus = await cleanup.enter_async_context(running(directory, targets))
        await until(lambda: _is_scraping(prometheus, len(targets)), 30)
        yield stack, data, prometheus


def _metrics_address(log: str) -> str:
    lines = (json.loads(line) for line in log.splitlines() if '"metrics": ' in line)
    url: str = next(lines)["metrics"]
    return url.removeprefix("http://").removesuffix("/metrics")


async def _is_scraping(prometheus: Prometheus, targets: int) -> bool:
    return await prometheus.targets_up() == targets


async def _live(stack: Stack, data: ExampleData, tell: Tell) -> None:
    names = [collection.name for collection in stack.collections]
    async with (
        AsyncMigrationClient(stack.addresses, timeout=30) as operator,
        run_traffic(stack.addresses, data, Traffic()),
    ):
        everything = Journey(operator, names, tell, dwell=1)
        await everything.move_all(Stage.MONGO_PRIMARY, "writes are mirrored")
        await everything.run_all(JobKind.BACKFILL, "what was there before is copied")
        await everything.run_all(JobKind.VERIFY, "both stores are compared")
        for name in CUT_OVER:
            await _cut_over(operator, name)
        await asyncio.sleep(WINDOW / 2)  # a rate over the new stage


async def _cut_over(operator: AsyncMigrationClient, name: str) -> None:
    """Past the gate: an overloaded machine's lag keeps it shut for longer than a look at dashboards lasts."""
    for _ in range(3):
        moved = await operator.move_stage(
            name, Stage.DYNAMO_PRIMARY, reason="to be seen on the dashboards", override=True
        )
        if moved.collection.stage == Stage.DYNAMO_PRIMARY.value:
            return
    raise AssertionError(f"{name} did not move in three tries")


async def _has_seen_the_end(prometheus: Prometheus, began: float) -> bool:
    """Whether the last scrapes know of the changes of the primary."""
    now = time.time()
    expression = 'count(crossfade_collection_stage{crossfade_stage="DYNAMO_PRIMARY"})'
    series = await prometheus.range_of(expression, now - began, now)
    return any(values and values[-1] == 2 * len(CUT_OVER) for values in series)


async def _ask(prometheus: Prometheus, one: Expression, seconds: float, now: float) -> Outcome:
    try:
        series = await prometheus.range_of(one.filled(WINDOW), seconds, now)
    except AssertionError as refused:
        return Outcome(one.place, 0, 0, None, str(refused))
    values = [value for each in series for value in each]
    return Outcome(one.place, len(series), len(values), max(values, default=None))
