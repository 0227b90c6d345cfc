"""The operator of a simulated world: moves the stage to and fro, runs the jobs that a move asks for."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from proxy.core.flag import Flag, Job
from proxy.core.stage import Stage
from proxy.reconcile.repair import repair_open
from tests.simulation.documents import COLLECTION

if TYPE_CHECKING:
    from tests.simulation.nemesis import Nemesis
    from tests.simulation.replica import SimulatedReplica
    from tests.simulation.world import World

NAME = COLLECTION.name
SPACING = (5.7, 6.5)
"""Seconds between two moves: more than a lease and the longest operation."""
WIND_DOWN = 3.0
"""Seconds before the end in which no move is begun."""
CROWDING = 0.15
"""Seconds before a move in which clients begin to crowd."""
PATIENCE = 7.0
"""Seconds that the operator waits for a move to end."""
ONWARD = {
    Stage.MONGO_ONLY: (Stage.MONGO_PRIMARY,),
    Stage.MONGO_PRIMARY: (Stage.DYNAMO_PRIMARY,) * 6 + (Stage.MONGO_ONLY,),
    Stage.DYNAMO_PRIMARY: (Stage.MONGO_PRIMARY,) * 8 + (Stage.DYNAMO_ONLY,),
    Stage.DYNAMO_ONLY: (),
}


class Operator:
    """Careful: promotes nothing without a backfill, nor over a lost feed; all other checks are overridden."""

    def __init__(self, world: World, nemesis: Nemesis, rng: Random, route: tuple[Stage, ...] | None) -> None:
        self.flips = 0
        self._had_gap = False
        self._world = world
        self._nemesis = nemesis
        self._rng = rng
        self._route = None if route is None else list(route)

    async def work(self, end: float) -> None:
        """Move after move, until shortly before the end."""
        loop = asyncio.get_running_loop()
        while (target := self._next(self._world.flag().stage)) is not None:
            pause = self._pause(self._world.flag(), target)
            if loop.time() + pause > end - WIND_DOWN:
                return
            await asyncio.sleep(pause)
            await self._move(self._world.flag(), target)

    def _next(self, stage: Stage) -> Stage | None:
        """The next stage of the route, or any neighbour."""
        if self._route is None:
            return self._rng.choice(ONWARD[stage]) if ONWARD[stage] else None
        while self._route and self._route[0] is stage:
            self._route.pop(0)
        return self._route[0] if self._route else None

    def _pause(self, flag: Flag, target: Stage) -> float:
        """Two changes of the primary are spaced."""
        pause = self._rng.uniform(0.3, 0.9)
        if not flag.stage.changes_primary_to(target):
            return pause / 2
        spaced = flag.published_at / 1000 + self._rng.uniform(*SPACING)
        return max(pause, spaced - asyncio.get_running_loop().time())

    async def finish(self) -> None:
        """What an operator does in the end: see that every job that is due has run."""
        while not await self._is_finished():
            await asyncio.sleep(0.2)

    async def _is_finished(self) -> bool:
        flag = self._world.flag()
        return flag.change is None and await self._is_prepared(flag)

    async def _move(self, flag: Flag, target: Stage) -> None:
        """Have a replica move the stage, or abort it; clients have heard of it and crowd."""
        if target is Stage.DYNAMO_PRIMARY and not await self._is_prepared(flag):
            return
        self._world.expects_change = True
        await asyncio.sleep(CROWDING)
        if coordinator := self._choose():
            if flag.stage.changes_primary_to(target) or self._rng.random() < 0.3:
                self._nemesis.ambush(coordinator)
            move = coordinator.app.coordinator.move(
                NAME, target, actor="operator", reason="simulation", dry_run=False, override=True
            )
            task = coordinator.run(move)
            await coordinator.wait_for(task, PATIENCE)
            if task.done() and not task.cancelled() and task.exception() is None:
                self.flips += task.result().executed
        self._world.expects_change = False

    def _choose(self) -> SimulatedReplica | None:
        """One that serves, and mostly one that does not stand still."""
        serving = self._world.serving()
        awake = [one for one in serving if not one.process.is_stopped]
        those = awake if self._rng.random() < 0.9 else serving
        return self._rng.choice(those) if those else None

    async def _is_prepared(self, flag: Flag) -> bool:
        """Whether the mirror is known to be whole; if not, what is missing is begun, or done."""
        if flag.stage.mirror is None:
            return True
        if missing := await self._missing_job(flag):
            return await self._run_job(missing)
        feed = await self._world.control.job(NAME, "feed")
        if feed is not None and feed.state == "failed":
            self._had_gap = True
            await asyncio.sleep(1.0)  # the reconciler looks for the verify when it saves
            return False
        self._had_gap |= flag.mirrored_since > 1
        if self._had_gap and await self._world.divergences.counts(NAME):  # else nothing may need it
            await self._repair()
            return False
        return True

    async def _missing_job(self, flag: Flag) -> str:
        """A mirror that began empty needs a backfill and a verify, one whose feed was lost a verify."""
        control = self._world.control
        feed = await control.job(NAME, "feed")
        verify = await control.job(NAME, "verify")
        if feed is not None and feed.state == "failed" and not _is_done(verify, 0, feed.started_at):
            return "verify"
        if flag.mirrored_since > 1:
            if not _is_done(await control.job(NAME, "backfill"), flag.mirrored_since):
                return "backfill"
            if not _is_done(verify, flag.mirrored_since):
                return "verify"
        return ""

    async def _repair(self) -> None:
        for replica in self._world.serving()[:1]:
            site, door = replica.app.sites[NAME], replica.app.membership.doors[NAME]
            await replica.wait_for(replica.run(repair_open(site, door)), 10.0)

    async def _run_job(self, kind: str) -> bool:
        """Start a job and wait a little; True once it has finished."""
        serving = self._world.serving()
        if not serving:
            return False
        replica = self._rng.choice(serving)
        await replica.wait_for(replica.run(replica.app.workshop.start_job(NAME, kind)), 1.0)
        for _ in range(10):
            await asyncio.sleep(0.1)
            job = await self._world.control.job(NAME, kind)
            if job is not None and job.state == "finished":
                return False  # look again at all of it
        return False


def _is_done(job: Job | None, epoch: int, begun_after: int = 0) -> bool:
    return job is not None and job.state == "finished" and job.epoch >= epoch and job.started_at > begun_after
