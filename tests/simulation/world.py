"""The simulated world: replicas of the real application on shared memory stores, clients, and a nemesis.

One seed decides everything: who calls what and when, every delay, every lost reply, every crash. The verdict
is that of the histories, of what the stores hold in the end, and of what no flag and no document may ever do.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from proxy.core.flag import Flag
from proxy.core.stage import Stage, StoreName
from proxy.core.version import Record
from proxy.reconcile.checkpoint import Health, Place, feed_job
from proxy.stores.memory.control import MemoryDivergences
from tests.simulation.bypass import BypassWriter
from tests.simulation.chronicle import Chronicle
from tests.simulation.clients import Caller, ListClient, Reader, RegisterClient, Watcher, Worker
from tests.simulation.documents import COLLECTION, FOREIGN, JOBS, LISTS, OLD, REGISTERS, SHARED, key, legacy
from tests.simulation.history import Fate, History
from tests.simulation.judgement import Remains, judge, unequal_documents
from tests.simulation.nemesis import Nemesis
from tests.simulation.operating import Operator
from tests.simulation.promises import Complaint, Promise
from tests.simulation.recipes import Recipe
from tests.simulation.replica import SimulatedReplica
from tests.simulation.reservations import NOBODY
from tests.simulation.shared import Shared, SharedControl, SharedTable, virtual_now
from tests.simulation.tracing import Trace

NAME = COLLECTION.name
CALM = 60.0
"""Virtual seconds without faults or traffic, in which everything must converge."""
CROWDED, BUSY = 0.6, 1.0
"""Virtual seconds after a change of the flag in which clients hardly pause, or pause little."""
ATTENTION = 0.1
"""Virtual seconds after which a client that pauses looks up."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one seed came to; no complaint means that all was well."""

    seed: int
    complaints: tuple[Complaint, ...]
    calls: int = 0
    unknown: int = 0
    flips: int = 0
    crashes: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    history: str = field(repr=False, default="")


class World:
    """Everything that one seed makes."""

    def __init__(self, seed: int, recipe: Recipe, trace: Trace) -> None:
        self.seed = seed
        self.trace = trace
        self.rng = Random(seed)
        self.recipe = recipe
        self.history = History()
        self.chronicle = Chronicle(frozenset(map(key, (*SHARED, *FOREIGN))))
        self.tables = {name: SharedTable(name.value, self.chronicle, trace) for name in StoreName}
        self.mongo = self.tables[StoreName.MONGODB]
        self.control = SharedControl(self.tables, self.chronicle, trace)
        self.divergences = MemoryDivergences(virtual_now)
        self.replicas: list[SimulatedReplica] = []
        self.nemesis = Nemesis(self, self._dice(), self.recipe)
        self.operator = Operator(self, self.nemesis, self._dice(), self.recipe.route)
        self.bypass = BypassWriter(self._dice(), self.mongo)
        self.expects_change = False
        self.favourite: SimulatedReplica | None = None
        self._names = itertools.count(1)

    def _dice(self) -> Random:
        return Random(self.rng.random())

    async def run(self) -> Verdict:
        self.nemesis.arm()
        try:
            await self._live()
            return self._judge()
        finally:
            self.nemesis.disarm()
            for replica in self.replicas:
                replica.let_end()

    def _judge(self) -> Verdict:
        for slip in (slip for replica in self.serving() for slip in replica.broken_tasks()):
            self.chronicle.complain(Promise.SOUND, slip)
        remains = Remains(self.history, self.flag(), self.tables, self.bypass.left)
        calls = self.history.calls
        return Verdict(
            self.seed,
            (*judge(remains), *self.chronicle.complaints),
            calls=len(calls),
            unknown=sum(call.fate is Fate.UNKNOWN for call in calls),
            flips=self.operator.flips,
            crashes=self.nemesis.crashes,
            moments=self.nemesis.struck,
            history=str(self.history),
        )

    async def _live(self) -> None:
        await self._found()
        for _ in range(self.recipe.replicas):
            await self.boot()
        end = asyncio.get_running_loop().time() + self.recipe.length
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
        stage = self.rng.choice(self.recipe.start)
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
        """Every client has a number of its own."""
        recipe, numbers = self.recipe, itertools.count(1)
        registers, lists = REGISTERS[: recipe.registers], LISTS[: recipe.lists]

        def several(amount: int, make: Callable[[int, Random], Caller]) -> list[Caller]:
            return [make(number, self._dice()) for number in itertools.islice(numbers, amount)]

        return [
            *several(
                recipe.register_clients, lambda n, rng: RegisterClient(n, rng, self, registers, recipe.verbs)
            ),
            *several(recipe.list_clients, lambda n, rng: ListClient(n, rng, self, lists)),
            *several(recipe.mixed_clients, lambda n, rng: RegisterClient(n, rng, self, SHARED)),
            *several(recipe.watchers, lambda n, rng: Watcher(n, rng, self, lists)),
            *several(recipe.workers, lambda n, rng: Worker(n, rng, self)),
        ]

    async def boot(self, slowness: float = 0.0) -> None:
        """Start a replica; it takes its place in the routing once it has started. `slowness` is that of its
        way to the control store until then."""
        shared = Shared(COLLECTION, self.tables, self.control, self.divergences, self.chronicle)
        while True:
            name = f"r{next(self._names)}"
            replica = SimulatedReplica(name, self._dice(), shared, self.recipe)
            replica.links["control"].slowness = slowness
            self.replicas.append(replica)
            if await replica.start():
                break
            await asyncio.sleep(0.1)
        replica.links["control"].slowness = 0.0
        self.trace(f"{replica.name} serves")

    def acknowledged(self, record: Record) -> None:
        """A client was told that this is stored."""
        self.chronicle.acknowledged(record, self.tables[self.flag().stage.primary].records)

    def flag(self) -> Flag:
        return self.control.peek(NAME)

    def serving(self) -> list[SimulatedReplica]:
        return [replica for replica in self.replicas if replica.is_serving]

    def route(self) -> SimulatedReplica | None:
        """Any that serves; some prefer the favourite, if there is one, when it matters, and one that does not
        answer is avoided a little."""
        serving = self.serving()
        if not serving:
            return None
        if self.favourite in serving and self.is_crowded() and self.rng.random() < 0.4:
            chosen = self.favourite
        else:
            chosen = self.rng.choice(serving)
        return self.rng.choice(serving) if chosen.process.is_stopped else chosen

    async def think(self, rng: Random) -> None:
        """Clients crowd around the moments that matter, and come at once when one begins."""
        patience = rng.expovariate(1.0)
        while patience > 0.0:
            pause = self._pause()
            await asyncio.sleep(min(patience * pause, ATTENTION))
            patience -= ATTENTION / pause

    def is_crowded(self) -> bool:
        """Whether the primary is changing, or has just changed."""
        since = asyncio.get_running_loop().time() - self.control.changed_at
        return self.expects_change or self.flag().change is not None or since < CROWDED

    def _pause(self) -> float:
        if self.is_crowded():
            return 0.02
        is_busy = asyncio.get_running_loop().time() - self.control.changed_at < BUSY
        return 0.1 if is_busy else self.recipe.pause

    async def _write_past_the_proxy(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        while self.recipe.bypasses and loop.time() < end:
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
            await self.operator.finish()  # a lost feed may be noticed late
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
            for name in (*REGISTERS[: self.recipe.registers], *LISTS[: self.recipe.lists]):
                await reader.read(name)
