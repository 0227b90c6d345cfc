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
from proxy.embedded.stores import Store, Stores
from tests.faults.looks import written
from tests.faults.site import JOBS, TASKS, Site, open_site
from tests.faults.traffic import Traffic, traffic_on
from tests.faults.verdict import Evidence, Verdict, judge

Drama = Callable[[Site, Traffic, Evidence], Awaitable[None]]

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
    """Where scenarios are played: a site is kept for the next one where that asks for the same."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._site: Site | None = None
        self._wanted: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
        self._stack = AsyncExitStack()

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
            await self.close()
        return replace(verdict, took=time.monotonic() - began)

    async def close(self) -> None:
        self._site = None
        await self._stack.aclose()

    async def _site_for(self, scenario: Scenario) -> Site:
        wanted = (scenario.options, scenario.mongods)
        is_spent = "armings" in scenario.options  # whoever was armed there is dead, or was revived unarmed
        if self._site is None or is_spent or wanted != self._wanted:
            await self.close()
            self._site = await self._open(scenario)
            self._wanted = wanted
        return self._site

    async def _open(self, scenario: Scenario) -> Site:
        stores, mongods = self._stores, None
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
