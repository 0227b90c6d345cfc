"""The simulated world: replicas of the real application on shared memory stores, clients, and a nemesis.

One seed decides everything: who calls what and when, every delay, every lost reply, every crash. The verdict
is that of the histories (linearizable per key), of the stores (equal in the end) and of the epochs (never
falling).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from proxy.core.errors import CrossfadeError
from proxy.core.flag import Flag
from proxy.core.keys import Key
from proxy.core.silence import SilentSignals
from proxy.core.stage import Stage, StoreName
from proxy.core.version import Record
from proxy.flow.pipeline import Pipeline
from proxy.stores.memory.control import MemoryControl, MemoryDivergences
from proxy.stores.memory.feed import MemoryFeed
from proxy.stores.memory.store import MemoryFence, MemoryStore, MemoryTable
from proxy.wiring import App, Parts
from tests.simulation.clients import COLLECTION, Client, key
from tests.simulation.history import History, is_linearizable
from tests.simulation.links import Link, LinkedControl, LinkedFeed

NAMES = ["a", "b", "c"]
LEASE = 0.6
TROUBLE = 40.0
"""Virtual seconds of traffic under faults; the stage moves about every seven."""
CALM = 15.0
"""Virtual seconds without faults or traffic, in which everything must converge."""


class SimulatedClock:
    """Virtual wall time, seeded dice; every replica's clock is off by a constant."""

    def __init__(self, rng: Random, skew: float) -> None:
        self._rng = rng
        self._skew = skew

    def now(self) -> int:
        return int((asyncio.get_running_loop().time() + self._skew) * 1000)

    def random(self) -> float:
        return self._rng.random()

    def new_op(self) -> bytes:
        return self._rng.randbytes(16)


class WatchedTable(MemoryTable):
    """Notices when the epoch of a document falls."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__()
        self._complaints = complaints

    def put(self, key: Key, record: Record | None) -> None:
        known = self.records.get(key)
        if known and record and record.version.epoch < known.version.epoch:
            self._complaints.append(f"the epoch of {key.values} fell: {known.version} to {record.version}")
        super().put(key, record)


@dataclass
class SimulatedReplica:
    """One life of one proxy process."""

    app: App
    links: dict[str, Link]
    tasks: asyncio.TaskGroup | None = None
    is_serving: bool = False

    def crash(self) -> None:
        self.is_serving = False
        for link in self.links.values():
            link.is_dead = True

    def each_link(self, act: Callable[[Link], None]) -> None:
        for link in self.links.values():
            act(link)


@dataclass
class Verdict:
    """What one seed came to; no complaints means that every promise was kept."""

    seed: int
    complaints: list[str]
    calls: int
    flips: int
    crashes: int
    history: History = field(repr=False, default_factory=History)


class World:
    """Everything that one seed makes."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.seed = seed
        self.complaints: list[str] = []
        self.history = History()
        self.tables = {name: WatchedTable(self.complaints) for name in StoreName}
        self.control = MemoryControl(lambda: int(asyncio.get_running_loop().time() * 1000))
        self.divergences = MemoryDivergences()
        self.replicas: list[SimulatedReplica] = []
        self.lives = 0
        self.flips = 0
        self.crashes = 0
        self.is_calm = False

    async def run(self) -> Verdict:
        loop = asyncio.get_running_loop()
        await self.control.create(
            Flag(COLLECTION.name, 1, Stage.MONGO_PRIMARY, self.control_now(), mirrored_since=1)
        )
        for _ in range(3):
            await self.boot()
        end = loop.time() + TROUBLE
        clients = [
            Client(f"c{number}", Random(self.rng.random()), self.history, self.route) for number in range(4)
        ]
        await asyncio.gather(
            *(client.work(NAMES, end) for client in clients), self.trouble(end), self.operate(end)
        )
        await self.calm_down()
        self.judge()
        return Verdict(
            self.seed, self.complaints, len(self.history.calls), self.flips, self.crashes, self.history
        )

    def control_now(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)

    async def boot(self) -> None:
        """Start a replica; it takes its place in the routing once it has started."""
        self.lives += 1
        loss = self.rng.choice([0.0, 0.01, 0.05])
        links = {name: Link(Random(self.rng.random()), loss) for name in ("mongo", "dynamo", "control")}
        replica = SimulatedReplica(self._application(f"r{self.lives}", links), links)
        replica.each_link(lambda link: setattr(link, "is_calm", self.is_calm))
        self.replicas.append(replica)
        while not replica.is_serving:
            try:
                await replica.app.start()
                replica.is_serving = True
            except CrossfadeError:
                await asyncio.sleep(0.1)

    def route(self) -> Pipeline | None:
        serving = [replica for replica in self.replicas if replica.is_serving]
        return self.rng.choice(serving).app.pipeline if serving else None

    async def operate(self, end: float) -> None:
        """Flip the primary to and fro, as fast as the spacing allows, for reasons of our own."""
        loop = asyncio.get_running_loop()
        while loop.time() < end - 8:
            await asyncio.sleep(self.rng.uniform(6.0, 8.0))
            flag = await self.control.flag(COLLECTION.name)
            target = Stage.DYNAMO_PRIMARY if flag.stage is Stage.MONGO_PRIMARY else Stage.MONGO_PRIMARY
            serving = [replica for replica in self.replicas if replica.is_serving]
            if not serving:
                continue
            ambush = asyncio.create_task(self._ambush(serving))
            try:
                async with asyncio.timeout(8):
                    coordinator = self.rng.choice(serving).app.coordinator
                    report = await coordinator.move(
                        COLLECTION.name, target, actor="sim", reason="sim", dry_run=False, override=True
                    )
                    self.flips += report.executed
            except (CrossfadeError, TimeoutError):
                continue
            finally:
                await ambush

    async def _ambush(self, serving: list[SimulatedReplica]) -> None:
        """Trouble at the worst moment: while the primary changes, and just after."""
        await asyncio.sleep(self.rng.expovariate(1 / 0.01))
        victims = [self.rng.choice(serving) for _ in range(self.rng.randint(0, 2))]
        acts = [self.rng.choice([self._freeze, self._cut_off, self._lose_much]) for _ in victims]
        await asyncio.gather(*(act(victim) for act, victim in zip(acts, victims, strict=True)))

    async def _lose_much(self, replica: SimulatedReplica) -> None:
        link = replica.links[self.rng.choice(["mongo", "dynamo"])]
        before, link.loss = link.loss, 0.4
        await asyncio.sleep(self.rng.uniform(0.5, 4.0))
        link.loss = before

    async def trouble(self, end: float) -> None:
        """Crash, freeze and cut off replicas, one trouble at a time."""
        loop = asyncio.get_running_loop()
        while loop.time() < end:
            await asyncio.sleep(self.rng.expovariate(1 / 4))
            replica = self.rng.choice([one for one in self.replicas if one.is_serving] or self.replicas)
            act = self.rng.choice([self._crash, self._freeze, self._cut_off])
            await act(replica)

    async def _crash(self, replica: SimulatedReplica) -> None:
        if not replica.is_serving:
            return
        replica.crash()
        self.crashes += 1
        await asyncio.sleep(self.rng.uniform(0.1, 2.0))
        await self.boot()

    async def _freeze(self, replica: SimulatedReplica) -> None:
        replica.each_link(Link.freeze)
        await asyncio.sleep(self.rng.uniform(0.1, 3.0))
        replica.each_link(Link.thaw)

    async def _cut_off(self, replica: SimulatedReplica) -> None:
        link = replica.links[self.rng.choice(sorted(replica.links))]
        link.is_cut = True
        await asyncio.sleep(self.rng.uniform(0.1, 4.0))
        link.is_cut = False

    async def calm_down(self) -> None:
        self.is_calm = True
        for replica in self.replicas:
            replica.each_link(lambda link: setattr(link, "is_calm", True))
            replica.each_link(Link.thaw)
        await asyncio.sleep(CALM)

    def judge(self) -> None:
        """Every promise, checked on what is left."""
        mongo, dynamo = (self.tables[name].records for name in (StoreName.MONGODB, StoreName.DYNAMODB))
        for name in NAMES:
            ours, theirs = (_value(table.get(key(name))) for table in (mongo, dynamo))
            if ours != theirs:
                self.complaints.append(f"{name} ended as {ours} in MongoDB and {theirs} in DynamoDB")
            if not is_linearizable(self.history.of(name), None, ours):
                self.complaints.append(f"the calls on {name} cannot be explained by one register")
        if self.flags_change():
            self.complaints.append("a change of stage never ended")

    def flags_change(self) -> bool:
        return self.control._flags[COLLECTION.name].change is not None

    def _application(self, replica_id: str, links: dict[str, Link]) -> App:
        clock = SimulatedClock(Random(self.rng.random()), self.rng.uniform(-0.2, 0.2))
        ways = {StoreName.MONGODB: links["mongo"], StoreName.DYNAMODB: links["dynamo"]}
        stores = {
            name: MemoryStore(COLLECTION, name, self.tables[name], pause=link.pause)
            for name, link in ways.items()
        }
        fence = MemoryFence(self.tables[StoreName.MONGODB], links["mongo"].pause)
        feeds = {name: LinkedFeed(MemoryFeed(self.tables[name], clock), link) for name, link in ways.items()}
        parts = Parts(
            collections=(COLLECTION,),
            stores={COLLECTION.name: stores},
            fences={COLLECTION.name: fence},
            feeds={COLLECTION.name: feeds},
            control=LinkedControl(self.control, links["control"]),
            divergences=self.divergences,
            clock=clock,
            signals=SilentSignals(),
            replica_id=replica_id,
            address=replica_id,
            lease=LEASE,
        )
        return App(parts)


def _value(record: Record | None) -> int | None:
    return record.document.fields["n"] if record and record.document else None
