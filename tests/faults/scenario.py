"""A scenario: one fault under traffic, and the verdict; and the theatre, which keeps a site while it can."""

from __future__ import annotations

import re
import shutil
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crossfade import Stage
from examples.demo.stack import ROOT
from proxy.embedded.addresses import Origin
from proxy.embedded.mongod import ReplicaSet
from proxy.embedded.stores import Store, Stores, open_stores
from tests.faults.looks import written
from tests.faults.site import JOBS, TASKS, Site, open_site
from tests.faults.traffic import Traffic, traffic_on
from tests.faults.verdict import Evidence, Verdict, judge

Drama = Callable[[Site, Traffic, Evidence], Awaitable[None]]

LIFE = 120.0
"""Seconds for which stores serve: DynamoDB Local keeps the stream records of all tables that it ever had, and
every write to a table with a stream is slower for each of them."""

LOGS = ROOT / "build" / "faults"
"""Where the proxies' logs of scenarios that went wrong are kept."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault by its name. `starts` is the stage in which traffic begins; `options` are `open_site`'s.

    `mongods` are a replica set's own options; without any, the mongod of all scenarios serves.
    """

    name: str
    drama: Drama
    starts: Stage = Stage.MONGO_PRIMARY
    is_quick: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    mongods: Mapping[str, Any] = field(default_factory=dict)


async def play(scenario: Scenario, site: Site) -> Verdict:
    """Let the drama happen under traffic, and judge what is left."""
    evidence = Evidence()
    await site.bring(scenario.starts, TASKS, JOBS)
    async with traffic_on(site) as traffic:
        await written(traffic, 50)
        await scenario.drama(site, traffic, evidence)
        await written(traffic, 50)
        await traffic.stop()
        return await judge(scenario.name, site, traffic, evidence)


class Theatre:
    """Where scenarios are played: a site is kept for the next one where that asks for the same.

    Without given stores it has its own, and others once they have served for LIFE.
    """

    def __init__(self, stores: Stores | None = None) -> None:
        self._given = stores
        self._own: Stores | None = None
        self._opened_at = 0.0
        self._site: Site | None = None
        self._wanted: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
        self._stack = AsyncExitStack()  # of the site
        self._ground = AsyncExitStack()  # of stores of our own

    async def play(self, scenario: Scenario) -> Verdict:
        """The verdict; a scenario that ends early has one too. One that went wrong leaves no site behind."""
        began = time.monotonic()
        try:
            verdict = await play(scenario, await self._site_for(scenario))
        except Exception as error:  # the others are worth seeing all the same
            verdict = Verdict(scenario.name, 0, 0, 0, 0.0, (f"it ended early: {_place_of(error)}",), ())
        if verdict.faults:
            kept = self._keep_logs(scenario, verdict)
            verdict = replace(verdict, notes=(*verdict.notes, *kept))
            await self._leave()
        return replace(verdict, took=time.monotonic() - began)

    async def close(self) -> None:
        await self._leave()
        self._own = None
        await self._ground.aclose()

    async def _leave(self) -> None:
        self._site = None
        await self._stack.aclose()

    async def _site_for(self, scenario: Scenario) -> Site:
        wanted = (scenario.options, scenario.mongods)
        is_spent = "armings" in scenario.options  # whoever was armed there is dead, or was revived unarmed
        is_old = self._own is not None and time.monotonic() - self._opened_at > LIFE
        if self._site is None or is_spent or is_old or wanted != self._wanted:
            await (self.close() if is_old else self._leave())
            self._site = await self._open(scenario)
            self._wanted = wanted
        return self._site

    async def _stores(self) -> Stores:
        if self._given is not None:
            return self._given
        if self._own is None:
            self._own = await self._ground.enter_async_context(open_stores())
            self._opened_at = time.monotonic()
        return self._own

    async def _open(self, scenario: Scenario) -> Site:
        stores, mongods = await self._stores(), None
        if scenario.mongods:
            mongods = await self._stack.enter_async_context(ReplicaSet(**scenario.mongods))
            stores = Stores(Store(mongods.uri, Origin.EMBEDDED), stores.dynamodb)
        return await self._stack.enter_async_context(open_site(stores, mongods=mongods, **scenario.options))

    def _keep_logs(self, scenario: Scenario, verdict: Verdict) -> tuple[str, ...]:
        if self._site is None:
            return ()
        target = LOGS / re.sub(r"\W+", "-", scenario.name)
        target.mkdir(parents=True, exist_ok=True)
        for log in self._site.stack.directory.glob("*.log"):
            shutil.copy(log, target)
        for key, history in verdict.histories.items():
            (target / f"{key}.history").write_text(history)
        return (f"logs in {target.relative_to(ROOT)}",)


def _place_of(error: Exception) -> str:
    """The error, and how the scenario came to it."""
    here = Path(__file__).parent
    frames = [one for one in traceback.extract_tb(error.__traceback__) if Path(one.filename).parent == here]
    return f"{error!r} in {', '.join(f'{one.name}:{one.lineno}' for one in frames)}"
