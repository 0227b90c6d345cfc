"""Puts the proxy together: the one place that knows every room.

`assemble` joins ports to the application and is what simulations use; `build` opens the real stores first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.core.collection import Collection
from proxy.core.flag import Flag
from proxy.core.ports import Clock, CollectionStore, Control, DivergenceLog, Fence, Signals
from proxy.core.stage import Stage, StoreName
from proxy.cutover.coordinator import Coordinator, Drain
from proxy.cutover.overview import MirrorHealth, Overview
from proxy.cutover.replica import Membership
from proxy.flow.breaker import Breaker
from proxy.flow.cleanup import Cleanup
from proxy.flow.mirror import Mirror
from proxy.flow.pipeline import Lane, Pipeline
from proxy.flow.reporting import Reporter
from proxy.flow.shadow import Shadow

Stores = Mapping[StoreName, CollectionStore]


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application is made of, all behind ports; `stores` and `fences` by collection name."""

    collections: Sequence[Collection]
    stores: Mapping[str, Stores]
    fences: Mapping[str, Fence]
    control: Control
    divergences: DivergenceLog
    clock: Clock
    signals: Signals
    replica_id: str
    address: str
    lease: float


class App:
    """One replica: everything that serves requests and moves flags, started and stopped together."""

    def __init__(self, parts: Parts, drain: Drain) -> None:
        self.parts = parts
        self.control = parts.control
        self.divergences = parts.divergences
        self.signals = parts.signals
        self.coordinator = Coordinator(
            parts.control,
            parts.divergences,
            parts.fences,
            drain,
            parts.signals,
            replica_id=parts.replica_id,
            lease=parts.lease,
        )
        self.membership = Membership(
            parts.control, parts.replica_id, parts.address, parts.lease, self.coordinator.resume_orphans
        )
        self.lanes: dict[str, Lane] = {}
        self.reporters: dict[str, Reporter] = {}
        self.pipeline = Pipeline(self.lanes, parts.clock, parts.signals)
        self.overview = Overview(
            {collection.name: collection for collection in parts.collections},
            parts.stores,
            self._health,
            parts.control,
            parts.divergences,
        )

    async def start(self) -> None:
        """Learn the flags (creating those of new collections), open the lanes, join the registry."""
        flags = [await self._flag_of(collection) for collection in self.parts.collections]
        self.membership.admit(flags)
        for collection in self.parts.collections:
            self._open_lane(collection)
        await self.membership.start()

    async def stop(self) -> None:
        """Finish what is in hand and leave the registry; running changes go to the other replicas."""
        await self.coordinator.stop()
        await asyncio.gather(*(lane.shadow.stop() for lane in self.lanes.values()))
        await asyncio.gather(*(lane.cleanup.stop() for lane in self.lanes.values()))
        await asyncio.gather(*(reporter.stop() for reporter in self.reporters.values()))
        await self.membership.stop()

    async def settle(self) -> None:
        """Wait until every shadow read offered so far has its verdict in the log."""
        for name, lane in self.lanes.items():
            await lane.shadow.settle()
            await self.reporters[name].settle()

    async def _flag_of(self, collection: Collection) -> Flag:
        new = Flag(collection.name, 1, Stage.MONGO_ONLY, await self.control.now())
        return await self.control.create(new)

    def _open_lane(self, collection: Collection) -> None:
        parts, name = self.parts, collection.name
        stores, door = parts.stores[name], self.membership.doors[name]
        breaker = Breaker(asyncio.get_running_loop().time)
        reporter = Reporter(collection, parts.divergences, parts.replica_id, parts.clock, parts.signals)
        shadow = Shadow(collection, stores, door, reporter, parts.clock, parts.signals)
        mirror = Mirror(name, stores, collection.settings, breaker, parts.signals)
        grace = collection.settings.tombstone_grace
        cleanup = Cleanup(name, stores[StoreName.MONGODB], grace, parts.signals)
        self.lanes[name] = Lane(collection, stores, door, mirror, shadow, cleanup)
        self.reporters[name] = reporter
        reporter.start()
        shadow.start()

    def _health(self, name: str) -> MirrorHealth:
        mirror = self.lanes[name].mirror
        return MirrorHealth(mirror.breaker.state.value, mirror.deferred, dict(self.reporters[name].outcomes))
