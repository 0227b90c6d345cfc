"""Whatever can go wrong with replicas and their connections, at random and at the worst of moments.

The worst moments are the faultpoints of the real code: a trap that is set on one strikes the replica that
reaches it first, right there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from proxy import faultpoint
from tests.simulation import replica as replicas
from tests.simulation.replica import SimulatedReplica

if TYPE_CHECKING:
    from tests.simulation.world import World

STEPS = ("cutover.hold", "cutover.fence", "cutover.drain", "cutover.publish", "cutover.abort")
WRITES = ("pipeline.between_stores", "mirror.before_write")
RECONCILING = (
    "reconcile.between_reads",
    "reconcile.before_apply",
    "reconcile.before_restamp",
    "reconcile.before_purge",
    "feed.after_apply",
    "feed.before_checkpoint",
)
BEFORE_PUT = "simulation.before_put"
"""A replica has passed the door, and what it writes is not yet on its way to the store."""
JOBS = ("backfill.after_copy", "backfill.before_checkpoint", "verify.after_chunk")
MOMENTS = (*STEPS, *WRITES, *RECONCILING, *JOBS, BEFORE_PUT)

Trouble = Callable[[SimulatedReplica], Awaitable[None]]


class Nemesis:
    """The troubles of one world; `struck` counts traps that went off, by moment."""

    def __init__(self, world: World, rng: Random) -> None:
        self.struck: Counter[str] = Counter()
        self.crashes = 0
        self._world = world
        self._rng = rng
        self._traps: dict[str, Trouble] = {}
        self._victims: list[SimulatedReplica] = []
        self._running: set[asyncio.Task[None]] = set()

    def arm(self) -> None:
        for moment in MOMENTS:
            faultpoint.arm(moment, partial(self._reached, moment))

    def disarm(self) -> None:
        for moment in MOMENTS:
            faultpoint.disarm(moment)

    async def _reached(self, moment: str) -> None:
        replica = replicas.current.get()
        if replica is None or moment not in self._traps:
            return
        self.struck[moment] += 1
        self._world.trace(f"TRAP at {moment}")
        self._cause(self._traps.pop(moment), replica)
        await asyncio.sleep(0)
        await replica.process.go_on()

    async def roam(self, end: float) -> None:
        """One trouble after another, anywhere."""
        loop = asyncio.get_running_loop()
        while loop.time() < end:
            await asyncio.sleep(self._rng.expovariate(1 / 5))
            serving = self._world.serving()
            if serving:
                act = self._rng.choice([self._crash, self._freeze, self._cut, self._lose, self._isolate])
                self._cause(act, self._rng.choice(serving))

    def ambush(self, coordinator: SimulatedReplica) -> None:
        """Trouble while the primary changes, or just after."""
        self._traps.clear()
        self._victims = self._others(coordinator)
        plans = [
            self._strike,
            self._stop,
            self._cut_off,
            self._late_news,
            self._return,
            self._deaf,
            self._newcomer,
        ]
        for plan in self._rng.sample(plans, self._rng.choice([0, 1, 1, 2, 2])):
            plan()

    def relent(self) -> None:
        """No trap goes off any more, and nothing stays broken."""
        self._traps.clear()
        for replica in self._world.replicas:
            replica.process.thaw()
            for link in replica.links.values():
                link.calm()

    def _strike(self) -> None:
        """Kill, freeze or cut off whoever reaches some moment first."""
        moment = self._rng.choice(self._rng.choice([STEPS, STEPS, WRITES, WRITES, RECONCILING, JOBS]))
        self._traps[moment] = self._rng.choice([self._crash, self._freeze, self._freeze, self._isolate])

    def _cut_off(self) -> None:
        """One replica is on its own when the hold begins."""
        self._traps["cutover.hold"] = self._on_another(self._isolate)

    def _late_news(self) -> None:
        """One replica hears of the change late, while the others cannot reach one of the stores."""
        store = self._rng.choice(["mongo", "dynamo"])

        async def divide(reacher: SimulatedReplica) -> None:
            late = self._rng.choice(self._others(reacher) or [reacher])
            cuts = [self._cut(one, store) for one in self._others(late)]
            await asyncio.gather(self._slow(late), *cuts)

        self._traps["cutover.publish"] = divide

    def _newcomer(self) -> None:
        """A replica starts while the primary changes."""
        self._traps[self._rng.choice(STEPS[:4])] = lambda _: self._world.boot()

    def _stop(self) -> None:
        """A replica stands still until after the flip, with a write in its hands."""
        if self._rng.random() < 0.7:
            self._traps[BEFORE_PUT] = self._nap
        else:
            self._traps["cutover.hold"] = self._on_another(self._nap)

    def _return(self) -> None:
        """A replica loses the control store for the flip, and finds it again slowly, while the others cannot
        reach one of the stores."""
        store = self._rng.choice(["mongo", "dynamo"])

        async def lose(one: SimulatedReplica) -> None:
            one.links["control"].is_cut = True
            await asyncio.sleep(4.0)
            one.links["control"].is_cut = False

        def find(one: SimulatedReplica) -> Trouble:
            async def act(_: SimulatedReplica) -> None:
                one.links["control"].is_cut = False
                cuts = [self._cut(other, store) for other in self._others(one)]
                await asyncio.gather(self._slow(one), *cuts)

            return act

        if self._victims:
            victim = self._rng.choice(self._victims)
            self._cause(lose, victim)
            self._traps["cutover.publish"] = find(victim)

    def _deaf(self) -> None:
        """One replica hears of the hold late, and is slow to reach one of the stores."""

        async def be_slow(one: SimulatedReplica) -> None:
            one.links[self._rng.choice(["mongo", "dynamo"])].slowness = self._rng.uniform(0.02, 0.1)
            await self._slow(one)
            for link in one.links.values():
                link.heal()

        if self._victims:
            self._cause(be_slow, self._rng.choice(self._victims))

    def _on_another(self, trouble: Trouble) -> Trouble:
        async def strike(reacher: SimulatedReplica) -> None:
            if others := self._others(reacher):
                await trouble(self._rng.choice(others))

        return strike

    def _others(self, but: SimulatedReplica) -> list[SimulatedReplica]:
        return [one for one in self._world.serving() if one is not but]

    def _cause(self, trouble: Trouble, replica: SimulatedReplica) -> None:
        async def happen() -> None:
            self._world.trace(f"TROUBLE {getattr(trouble, '__name__', trouble)} on {replica.name}")
            await trouble(replica)

        task = asyncio.create_task(happen(), context=self._world.context.copy())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _crash(self, replica: SimulatedReplica) -> None:
        if not replica.is_serving:
            return
        replica.crash()
        self.crashes += 1
        await asyncio.sleep(self._rng.uniform(0.05, 2.0))
        await self._world.boot()

    async def _freeze(self, replica: SimulatedReplica) -> None:
        replica.process.freeze()
        await asyncio.sleep(self._rng.choice([0.2, 1.2, 2.5]) * self._rng.uniform(0.5, 1.5))
        replica.process.thaw()

    async def _nap(self, replica: SimulatedReplica) -> None:
        """As long as a flip needs to go on without it, and shorter than its clients' patience."""
        replica.process.freeze()
        await asyncio.sleep(self._rng.uniform(0.9, 2.2))
        replica.process.thaw()

    async def _cut(self, replica: SimulatedReplica, way: str = "") -> None:
        link = replica.links[way or self._rng.choice(["mongo", "dynamo", "control"])]
        link.is_cut = True
        await asyncio.sleep(self._rng.uniform(0.1, 3.0))
        link.heal()

    async def _isolate(self, replica: SimulatedReplica) -> None:
        """Only one store is left to it, and its clients."""
        left = self._rng.choice(["mongo", "dynamo"])
        lost = [way for way in ("mongo", "dynamo", "control") if way != left]
        for way in lost:
            replica.links[way].is_cut = True
        await asyncio.sleep(self._rng.uniform(0.8, 4.0))
        for way in lost:
            replica.links[way].heal()

    async def _lose(self, replica: SimulatedReplica) -> None:
        link = replica.links[self._rng.choice(["mongo", "dynamo"])]
        link.loss = 0.4
        await asyncio.sleep(self._rng.uniform(0.5, 3.0))
        link.heal()

    async def _slow(self, replica: SimulatedReplica) -> None:
        """Slow enough to hear of everything late, and quick enough to keep its lease."""
        replica.links["control"].slowness = self._rng.uniform(0.05, 0.15)
        await asyncio.sleep(self._rng.uniform(0.5, 2.0))
        replica.links["control"].heal()
