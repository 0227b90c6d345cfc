"""The operator of a simulated world: moves the stage to and fro, runs the jobs that a move asks for."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from proxy.core.errors import CrossfadeError
from proxy.core.flag import Flag, Job
from proxy.core.stage import Stage
from proxy.reconcile.repair import repair_open
from tests.simulation.documents import COLLECTION

if TYPE_CHECKING:
    from tests.simulation.nemesis import Nemesis
    from tests.simulation.world import World

NAME = COLLECTION.name
SPACING = (5.7, 6.5)
"""Seconds between two moves: more than a lease and the longest operation."""
ONWARD = {
    Stage.MONGO_ONLY: (Stage.MONGO_PRIMARY,),
    Stage.MONGO_PRIMARY: (Stage.DYNAMO_PRIMARY,) * 6 + (Stage.MONGO_ONLY,),
    Stage.DYNAMO_PRIMARY: (Stage.MONGO_PRIMARY,) * 8 + (Stage.DYNAMO_ONLY,),
    Stage.DYNAMO_ONLY: (),
}


class Operator:
    """Careful: promotes nothing without a backfill, nor over a lost feed; all other checks are overridden."""

    def __init__(self, world: World, nemesis: Nemesis, rng: Random) -> None:
        self.flips = 0
        self._world = world
        self._nemesis = nemesis
        self._rng = rng

    async def work(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._rng.uniform(0.3, 1.0))
        while loop.time() < end - 3.0:
            flag = self._world.flag()
            if not ONWARD[flag.stage]:
                return
            await self._move(flag, self._rng.choice(ONWARD[flag.stage]))
            published = self._world.flag().published_at / 1000
            await asyncio.sleep(max(0.2, published + self._rng.uniform(*SPACING) - loop.time()))

    async def finish(self) -> None:
        """What an operator does in the end: see that every job that is due has run."""
        while self._world.flag().change is not None or not await self._is_prepared(self._world.flag()):
            await asyncio.sleep(0.2)

    async def _move(self, flag: Flag, target: Stage) -> None:
        if target is Stage.DYNAMO_PRIMARY and not await self._is_prepared(flag):
            return
        serving = self._world.serving()
        if not serving:
            return
        replica = self._rng.choice(serving)
        self._nemesis.ambush(replica)
        move = replica.app.coordinator.move(
            NAME, target, actor="operator", reason="simulation", dry_run=False, override=True
        )
        self._world.expects_change = True
        task = replica.run(move)
        await asyncio.wait((task,), timeout=7.0)
        self._world.expects_change = False
        if task.done() and not task.cancelled() and task.exception() is None:
            self.flips += task.result().executed

    async def _is_prepared(self, flag: Flag) -> bool:
        """Whether the mirror is known to be whole; if not, what is missing is begun, or done."""
        if flag.stage.mirror is None:
            return True
        if missing := await self._missing_job(flag):
            return await self._run_job(missing)
        feed = await self._world.control.job(NAME, "feed")
        if feed is not None and feed.state == "failed":
            await asyncio.sleep(1.0)  # the reconciler looks for the verify when it saves
            return False
        if flag.mirrored_since > 1 and await self._world.divergences.counts(NAME):
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
            await asyncio.wait((replica.run(repair_open(site, door)),), timeout=10.0)

    async def _run_job(self, kind: str) -> bool:
        """Start a job and wait a little; True once it has finished."""
        serving = self._world.serving()
        if not serving:
            return False
        replica = self._rng.choice(serving)
        try:
            await asyncio.wait_for(replica.run(replica.app.workshop.start_job(NAME, kind)), 1.0)
        except (CrossfadeError, TimeoutError):
            return False
        for _ in range(10):
            await asyncio.sleep(0.1)
            job = await self._world.control.job(NAME, kind)
            if job is not None and job.state == "finished":
                return False  # look again at all of it
        return False


def _is_done(job: Job | None, epoch: int, begun_after: int = 0) -> bool:
    return job is not None and job.state == "finished" and job.epoch >= epoch and job.started_at > begun_after
