"""Whatever can go wrong with replicas and their connections, at random and at the worst of moments.

The worst moments are the faultpoints of the real code: a trap that is set on one strikes the replica that
reaches it first, right there. `ambushes` says where traps are set.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from proxy import faultpoint
from proxy.core.stage import StoreName
from tests.simulation.ambushes import JOBS, PLANS, RECONCILING, STEPS, WRITES
from tests.simulation.kinds import Trouble
from tests.simulation.links import BEFORE_APPLY, BEFORE_WRITE
from tests.simulation.process import running
from tests.simulation.recipes import Recipe
from tests.simulation.replica import SimulatedReplica

if TYPE_CHECKING:
    from tests.simulation.world import World

MOMENTS = (*STEPS, *WRITES, *RECONCILING, *JOBS, BEFORE_WRITE, BEFORE_APPLY)

LONGEST_FUSE = 9.0
"""The logarithm of how many steps a replica takes at most before it is struck between two of them."""

Harm = Callable[[SimulatedReplica], Awaitable[None]]


class Nemesis:
    """The troubles of one world; `struck` counts traps that went off, by moment."""

    def __init__(self, world: World, rng: Random, recipe: Recipe) -> None:
        self.rng = rng
        self.struck: Counter[str] = Counter()
        self.crashes = 0
        self._world = world
        self._recipe = recipe
        self._traps: dict[str, tuple[Harm, SimulatedReplica | None]] = {}
        self._outside = contextvars.copy_context()
        self._happening: set[asyncio.Task[None]] = set()
        self._harms: dict[Trouble, Harm] = {
            Trouble.CRASH: self.between_two_steps(self.crash),
            Trouble.FREEZE: self.between_two_steps(self.freeze),
            Trouble.CUT: self.cut,
            Trouble.LOSE: self._lose,
            Trouble.ISOLATE: self.isolate,
            Trouble.OUTAGE: self._outage,
            Trouble.FORGET: self._forget,
        }

    def arm(self) -> None:
        for moment in MOMENTS:
            faultpoint.arm(moment, partial(self._reached, moment))

    def disarm(self) -> None:
        for moment in MOMENTS:
            faultpoint.disarm(moment)

    async def _reached(self, moment: str) -> None:
        replica = self._running() if moment in self._traps else None
        if replica is None:
            return
        harm, victim = self._traps[moment]
        if victim not in (None, replica):
            return
        del self._traps[moment]
        self.struck[moment] += 1
        self._world.trace(f"TRAP at {moment}")
        self.cause(harm, replica)
        await asyncio.sleep(0)  # the harm comes first

    def _running(self) -> SimulatedReplica | None:
        """The replica whose code is running."""
        process = running.get()
        return next((one for one in self._world.replicas if one.process is process), None)

    async def roam(self, end: float) -> None:
        """One trouble after another, anywhere."""
        loop, every = asyncio.get_running_loop(), self._recipe.trouble_every
        while every and loop.time() < end:
            await asyncio.sleep(self.rng.expovariate(1 / every))
            serving = self._world.serving()
            if serving:
                self.cause(self._harms[self.rng.choice(self._recipe.troubles)], self.rng.choice(serving))

    def ambush(self, coordinator: SimulatedReplica) -> None:
        """Trouble while the stage changes, or just after."""
        self._traps.clear()
        self._world.favourite = None
        plans = self._recipe.ambushes
        for plan in self.rng.sample(plans, min(len(plans), self.rng.choice(self._recipe.ambushed))):
            PLANS[plan](self, coordinator)

    def relent(self) -> None:
        """No trap goes off any more, and nothing stays broken."""
        self._traps.clear()
        for replica in self._world.replicas:
            replica.process.spare()
            replica.thaw()
            for link in replica.links.values():
                link.calm()

    def trap(self, moment: str, harm: Harm, victim: SimulatedReplica | None = None) -> None:
        """Harm whoever reaches the moment first, or the victim when it does."""
        self._traps[moment] = (harm, victim)

    def crowd_at(self, replica: SimulatedReplica) -> None:
        """Have clients prefer a replica while the stage changes."""
        self._world.favourite = replica

    def others(self, but: SimulatedReplica) -> list[SimulatedReplica]:
        return [one for one in self._world.serving() if one is not but]

    def roles(self) -> tuple[str, str]:
        """The links to the primary that is published and to the other store."""
        is_mongo = self._world.flag().stage.primary is StoreName.MONGODB
        return ("mongo", "dynamo") if is_mongo else ("dynamo", "mongo")

    async def newcomer(self, slowness: float = 0.0) -> None:
        """Start another replica."""
        await self._world.boot(slowness)

    def cause(self, harm: Harm, replica: SimulatedReplica) -> None:
        async def happen() -> None:
            self._world.trace(f"TROUBLE {getattr(harm, '__name__', harm)} on {replica.name}")
            await harm(replica)

        task = asyncio.create_task(happen(), context=self._outside.copy())
        self._happening.add(task)
        task.add_done_callback(self._happening.discard)

    def between_two_steps(self, harm: Harm) -> Harm:
        """A harm that strikes wherever a replica's code just is: between any two awaits of it."""

        async def strike(replica: SimulatedReplica) -> None:
            is_there = asyncio.Event()
            step = int(2 ** self.rng.uniform(0.0, LONGEST_FUSE))
            replica.process.freeze_before(step, is_there.set)
            with contextlib.suppress(TimeoutError):  # it may be standing still already
                await asyncio.wait_for(is_there.wait(), 1.0)
            replica.process.spare()
            await harm(replica)

        return strike

    async def crash(self, replica: SimulatedReplica) -> None:
        if not replica.is_serving:
            return
        replica.crash()
        self.crashes += 1
        self._world.trace(f"{replica.name} is dead")
        await asyncio.sleep(self.rng.uniform(0.05, 2.0))
        await self._world.boot()

    async def freeze(self, replica: SimulatedReplica) -> None:
        replica.process.freeze()
        await asyncio.sleep(self.rng.choice([0.2, 1.2, 2.5]) * self.rng.uniform(0.5, 1.5))
        replica.thaw()

    async def nap(self, replica: SimulatedReplica) -> None:
        """As long as a change needs to go on without it, and shorter than its clients' patience."""
        replica.process.freeze()
        await asyncio.sleep(self.rng.uniform(*self._recipe.nap))
        replica.thaw()

    async def cut(self, replica: SimulatedReplica, way: str = "") -> None:
        link = replica.links[way or self.rng.choice(["mongo", "dynamo", "control"])]
        link.is_cut = True
        await asyncio.sleep(self.rng.uniform(0.1, 3.0))
        link.heal()

    def cut_shortly(self, way: str) -> Harm:
        """Away for a little longer than a step of a change takes."""

        async def cut(replica: SimulatedReplica) -> None:
            replica.links[way].is_cut = True
            await asyncio.sleep(self.rng.uniform(0.1, 0.4))
            replica.links[way].heal()

        return cut

    async def isolate(self, replica: SimulatedReplica) -> None:
        """Only one store is left to it, and its clients."""
        left = self.rng.choice(["mongo", "dynamo"])
        lost = [way for way in ("mongo", "dynamo", "control") if way != left]
        for way in lost:
            replica.links[way].is_cut = True
        await asyncio.sleep(self.rng.uniform(0.8, 4.0))
        for way in lost:
            replica.links[way].heal()

    async def _lose(self, replica: SimulatedReplica) -> None:
        link = replica.links[self.rng.choice(["mongo", "dynamo"])]
        link.loss = 0.4
        await asyncio.sleep(self.rng.uniform(0.5, 3.0))
        link.heal()

    async def slow(self, replica: SimulatedReplica) -> None:
        """Slow enough to hear of everything late, and quick enough to keep its lease."""
        control, what = replica.links["control"], self.rng.choice(["news", "calls", "both"])
        if what != "calls":
            control.news_delay = self.rng.uniform(0.1, 0.5)
        if what != "news":
            control.slowness = self.rng.uniform(0.05, 0.12)
        await asyncio.sleep(self.rng.uniform(0.5, 2.5))
        control.heal()

    async def _outage(self, _: SimulatedReplica) -> None:
        """Nobody reaches the mirror; whoever follows the feed, or another, dies before it is back."""
        links = [one.links["dynamo"] for one in self._world.serving()]
        for link in links:
            link.is_cut = True
        await asyncio.sleep(self.rng.uniform(0.6, 2.0))
        serving = self._world.serving()
        those = [one for one in serving if one.follows_the_feed] or serving
        if those and self.rng.random() < 0.7:
            self.cause(self.crash, self.rng.choice(those))
            await asyncio.sleep(self.rng.uniform(0.0, 0.2))
        for link in links:
            link.heal()

    async def _forget(self, _: SimulatedReplica) -> None:
        """A feed loses its past, as an oplog does that rolls over: what was not read yet is missed."""
        self._world.tables[self.rng.choice(list(StoreName))].forget_events()
