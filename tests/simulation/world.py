"""The simulated world: replicas of the real application on shared memory stores, clients, and a nemesis.

One seed decides everything: who calls what and when, every delay, every lost reply, every crash. The verdict
is that of the histories, of what the stores hold in the end, and of what no flag and no document may ever do.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from proxy.core.flag import Flag
from proxy.core.stage import Stage, StoreName
from proxy.reconcile.checkpoint import Health, Place, feed_job
from proxy.stores.memory.control import MemoryDivergences
from tests.simulation.bypass import BypassWriter
from tests.simulation.clients import Caller, ListClient, Reader, RegisterClient, Watcher, Worker
from tests.simulation.documents import COLLECTION, JOBS, LISTS, OLD, REGISTERS, SHARED, legacy
from tests.simulation.history import Fate, History
from tests.simulation.judgement import Remains, judge, unequal_documents
from tests.simulation.nemesis import Nemesis
from tests.simulation.operating import Operator
from tests.simulation.replica import SimulatedReplica
from tests.simulation.reservations import NOBODY
from tests.simulation.shared import SharedControl, SharedTable, virtual_now
from tests.simulation.tracing import Trace

NAME = COLLECTION.name
TROUBLE = 21.0
"""Virtual seconds of traffic under faults."""
CALM = 60.0
"""Virtual seconds without faults or traffic, in which everything must converge."""
CROWDED, BUSY = 0.6, 1.0
"""Virtual seconds after a change of the flag in which clients hardly pause, and then pause little."""


@dataclass
class Verdict:
    """What one seed came to. `broken` are promises broken where a client or an operator could see it, `slips`
    rules that the code broke within; none of either means that all was well."""

    seed: int
    broken: list[str]
    slips: list[str]
    calls: int = 0
    unknown: int = 0
    flips: int = 0
    crashes: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    history: str = field(repr=False, default="")


class World:
    """Everything that one seed makes."""

    def __init__(self, seed: int, trace: Trace) -> None:
        self.seed = seed
        self.trace = trace
        self.rng = Random(seed)
        self.slips: list[str] = []
        self.history = History()
        self.tables = {name: SharedTable(name.value, self.slips, trace) for name in StoreName}
        self.mongo = self.tables[StoreName.MONGODB]
        self.control = SharedControl(self.mongo, self.slips, trace)
        self.divergences = MemoryDivergences()
        self.context = contextvars.copy_context()
        self.replicas: list[SimulatedReplica] = []
        self.nemesis = Nemesis(self, self._dice())
        self.operator = Operator(self, self.nemesis, self._dice())
        self.bypass = BypassWriter(self._dice(), self.mongo)
        self.expects_change = False
        self._names = itertools.count(1)

    def _dice(self) -> Random:
        return Random(self.rng.random())

    async def run(self) -> Verdict:
        self.nemesis.arm()
        try:
            await self._live()
        finally:
            self.nemesis.disarm()
        calls = self.history.calls
        return Verdict(
            self.seed,
            list(judge(self._remains())),
            self.slips,
            calls=len(calls),
            unknown=sum(call.fate is Fate.UNKNOWN for call in calls),
            flips=self.operator.flips,
            crashes=self.nemesis.crashes,
            moments=self.nemesis.struck,
            history=str(self.history),
        )

    def _remains(self) -> Remains:
        self.slips += [slip for replica in self.serving() for slip in replica.broken_tasks()]
        return Remains(self.history, self.flag(), self.tables, self.bypass.left)

    async def _live(self) -> None:
        await self._found()
        for _ in range(3):
            await self.boot()
        end = asyncio.get_running_loop().time() + TROUBLE
        clients = self._clients()
        await asyncio.gather(
            *(client.work(end) for client in clients),
            self._write_past_the_proxy(end),
            self.nemesis.roam(end),
            self.operator.work(end),
        )
        await self._calm_down()
        await self._read_everything()

    async def _found(self) -> None:
        """The collection as the seed finds it."""
        stage = self.rng.choice([Stage.MONGO_ONLY, *[Stage.MONGO_PRIMARY] * 2, Stage.DYNAMO_PRIMARY])
        flag = Flag(NAME, 1, stage, virtual_now() - 60_000, mirrored_since=1 if stage.mirror else 0)
        await self.control.create(flag)
        old = [legacy(name, n=1) for name in OLD]
        queue = [legacy(name, owner=NOBODY, next_available_at=10) for name in JOBS]
        for table in self.tables.values() if stage.mirror else (self.mongo,):
            table.records |= {record.key: record for record in (*old, *queue)}
        if stage is Stage.DYNAMO_PRIMARY:
            self.mongo.fence = 1
        place = Place(stage.primary, "0", "0")  # somebody has followed the feed so far
        await self.control.save_job(feed_job(NAME, 1, place, Health(virtual_now()), {}, virtual_now()))

    def _clients(self) -> list[Caller]:
        registers = [RegisterClient(number, self._dice(), self, REGISTERS) for number in (1, 2, 3)]
        lists = [ListClient(number, self._dice(), self) for number in (4, 5, 6)]
        mixed = RegisterClient(7, self._dice(), self, SHARED)
        watchers = [Watcher(number, self._dice(), self) for number in (10, 11)]
        return [
            *registers,
            *lists,
            *watchers,
            mixed,
            *(Worker(number, self._dice(), self) for number in (8, 9)),
        ]

    async def boot(self) -> None:
        """Start a replica; it takes its place in the routing once it has started."""
        replica = SimulatedReplica(
            f"r{next(self._names)}", self._dice(), COLLECTION, self.tables, self.control, self.divergences
        )
        self.replicas.append(replica)
        await replica.start()
        self.trace(f"{replica.name} serves")

    def flag(self) -> Flag:
        return self.control.peek(NAME)

    def serving(self) -> list[SimulatedReplica]:
        return [replica for replica in self.replicas if replica.is_serving]

    def route(self) -> SimulatedReplica | None:
        serving = self.serving()
        return self.rng.choice(serving) if serving else None

    async def think(self, rng: Random) -> None:
        """Clients crowd around the moments that matter."""
        await asyncio.sleep(rng.expovariate(1 / self._pause()))

    def is_crowded(self) -> bool:
        """Whether the primary is changing, or has just changed."""
        since = asyncio.get_running_loop().time() - self.control.changed_at
        return self.expects_change or self.flag().change is not None or since < CROWDED

    def _pause(self) -> float:
        if self.is_crowded():
            return 0.02
        return 0.1 if asyncio.get_running_loop().time() - self.control.changed_at < BUSY else 0.9

    async def _write_past_the_proxy(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < end:
            await self.think(self.rng)
            self.bypass.act(self.flag())

    async def _calm_down(self) -> None:
        """Until nothing is under way any more and the stores have had time to become equal."""
        loop = asyncio.get_running_loop()
        self.nemesis.relent()
        deadline = loop.time() + CALM
        await self.operator.finish()
        while loop.time() < deadline and not self._is_quiet():
            await asyncio.sleep(0.5)
        await asyncio.sleep(1.5)

    def _is_quiet(self) -> bool:
        idle = all(replica.is_idle for replica in self.serving())
        return idle and self.flag().change is None and self.are_equal()

    def are_equal(self) -> bool:
        return not any(unequal_documents(self.flag(), self.tables))

    async def _read_everything(self) -> None:
        """Every replica's last word on every register and list."""
        for replica in self.serving():
            reader = Reader(1000, self._dice(), self, replica)
            for name in (*REGISTERS, *LISTS):
                await reader.read(name)
