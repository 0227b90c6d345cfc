"""Puts the proxy together: the one place that knows every room.

`assemble` joins ports to the application and is what simulations use; `build` opens the real stores first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from proxy.clock import SystemClock
from proxy.config import ProxyConfig, load_collections
from proxy.console.desk import Desk
from proxy.core.collection import Collection
from proxy.core.crowd import Crowd
from proxy.core.errors import CrossfadeError, Unavailable
from proxy.core.flag import Flag
from proxy.core.ports import Clock, CollectionStore, Control, DivergenceLog, Feed, Fence, Signals
from proxy.core.reading import Pool
from proxy.core.stage import Stage, StoreName
from proxy.cutover.authority import Authority
from proxy.cutover.canary import send_canary
from proxy.cutover.coordinator import Coordinator
from proxy.cutover.overview import MirrorHealth, Overview
from proxy.cutover.replica import Membership
from proxy.cutover.steering import Steering
from proxy.flow.breaker import Breaker
from proxy.flow.cleanup import Cleanup
from proxy.flow.mirror import Mirror
from proxy.flow.pipeline import Lane, Pipeline
from proxy.flow.reporting import Reporter
from proxy.flow.shadow import Shadow
from proxy.gauges import Gauges, Subjects, start_at_zero
from proxy.reconcile.mender import Mender
from proxy.reconcile.reconciler import Reconciler
from proxy.reconcile.site import Site
from proxy.reconcile.together import together
from proxy.reconcile.workshop import Workshop
from proxy.stores.dynamo.finals import DynamoFinals
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from proxy.stores.mongo.control import MongoControl
from proxy.stores.mongo.divergences import MongoDivergences
from proxy.stores.mongo.store import MongoStores

DRAIN_LIMIT = 2.0
"""Seconds that one attempt to drain may take; the hold's own limit bounds the attempts."""

AT_ONCE = 8
"""Collections that are prepared at the same time."""

PREPARE_AGAIN = 5.0
"""Seconds between two attempts to prepare a mirror that does not answer."""

ATTEND = 15.0
"""Seconds that a replica which is asked to move a stage follows the feed, whoever has the lease."""


async def _nothing_to_close() -> None:
    """What parts in memory need at the end."""


def _no_pools() -> tuple[Pool, ...]:
    """What parts in memory are connected by."""
    return ()


_log = logging.getLogger("crossfade")

Stores = Mapping[StoreName, CollectionStore]


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application is made of, all behind ports; stores, fences and feeds by collection name."""

    collections: Sequence[Collection]
    stores: Mapping[str, Stores]
    fences: Mapping[str, Fence]
    feeds: Mapping[str, Mapping[StoreName, Feed]]
    control: Control
    divergences: DivergenceLog
    clock: Clock
    signals: Signals
    replica_id: str
    address: str
    lease: float
    jobs: str = "asked"
    close: Callable[[], Awaitable[None]] = _nothing_to_close
    pools: Callable[[], Iterable[Pool]] = _no_pools
    crowd: Crowd = field(default_factory=Crowd)


def sites_of(parts: Parts) -> dict[str, Site]:
    """What the documents of each collection are moved with."""
    return {
        one.name: Site(
            one,
            parts.stores[one.name],
            parts.feeds[one.name],
            parts.control,
            parts.divergences,
            parts.clock,
            parts.signals,
            parts.replica_id,
            parts.crowd.slows_job,
        )
        for one in parts.collections
    }


class App:
    """One replica: everything that serves requests and moves flags, started and stopped together."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.control = parts.control
        self.divergences = parts.divergences
        self.signals = parts.signals
        self.coordinator = Coordinator(
            parts.control,
            parts.divergences,
            parts.fences,
            self._drain,
            self._make_ready,
            parts.signals,
            replica_id=parts.replica_id,
            lease=parts.lease,
        )
        self.membership = Membership(
            parts.control,
            parts.replica_id,
            parts.address,
            parts.lease,
            self.coordinator.look_after,
            self._outcomes,
        )
        self.lanes: dict[str, Lane] = {}
        self.reporters: dict[str, Reporter] = {}
        self.reconcilers: dict[str, Reconciler] = {}
        self.sites = sites_of(parts)
        self.workshop = Workshop(
            parts.control, self.sites, self.membership.doors, is_idle=parts.jobs == "none"
        )
        self.mender = Mender(self.sites, self.membership.doors, parts.divergences)
        self._tasks: list[asyncio.Task[None]] = []
        self._unprepared: list[CollectionStore] = []
        self._flags: dict[str, Flag] = {}
        self.pipeline = Pipeline(self.lanes, parts.clock, parts.signals)
        self.overview = Overview(
            {collection.name: collection for collection in parts.collections},
            parts.stores,
            self._health,
            parts.control,
            parts.divergences,
        )

    async def prepare(self) -> list[str]:
        """Create what is missing in the control store and in both stores; says what was done, a line each.

        A mirror that does not answer is prepared later, by `start`: its absence must not keep us off.
        """
        async with together() as group:
            group.create_task(self.control.prepare())
            group.create_task(self._prepare_log())
        self._flags = {flag.collection: flag for flag in await self.control.flags()}
        slots = asyncio.Semaphore(AT_ONCE)

        async def prepare(name: str, stores: Stores) -> tuple[str, ...]:
            stage = self._flags[name].stage if name in self._flags else Stage.MONGO_ONLY
            async with slots:
                return await self._prepare_both(stage, stores)

        async with together() as group:
            tasks = [group.create_task(prepare(*each)) for each in self.parts.stores.items()]
        return [line for task in tasks for line in task.result()]

    async def _prepare_log(self) -> None:
        """Nobody needs the log to be served, and where all is DYNAMO_ONLY its store may be gone."""
        try:
            await self.divergences.prepare()
        except CrossfadeError as error:
            _log.warning("the log of divergences is not prepared: %s", error)

    async def _prepare_both(self, stage: Stage, stores: Stores) -> tuple[str, ...]:
        primary, other = stores[stage.primary], stores[stage.primary.other]
        if stage is Stage.DYNAMO_ONLY:
            return await primary.prepare()
        mirror = asyncio.create_task(self._prepare_other(other))
        try:
            return await primary.prepare() + await mirror
        finally:  # where the primary refuses, its error counts; nothing goes on behind it
            mirror.cancel()
            await asyncio.gather(mirror, return_exceptions=True)

    async def _prepare_other(self, store: CollectionStore) -> tuple[str, ...]:
        try:
            return await store.prepare()
        except Unavailable as error:
            _log.warning("%s is prepared when it answers: %s", store.store.value, error)
            self._unprepared.append(store)
            return ()

    async def _prepare_late(self) -> None:
        while self._unprepared:
            await asyncio.sleep(PREPARE_AGAIN)
            waiting, self._unprepared = self._unprepared, []
            for store in waiting:
                await self._prepare_other(store)

    async def start(self) -> None:
        """Create the flags of new collections, open the lanes, join the registry.

        That reads all flags again before the lease counts, so those that `prepare` has seen will do here.
        """
        new = [one for one in self.parts.collections if one.name not in self._flags]
        flags = await asyncio.gather(*map(self._create_flag, new))
        self._flags |= {flag.collection: flag for flag in flags}
        self.membership.admit(self._flags[one.name] for one in self.parts.collections)
        for collection in self.parts.collections:
            self._open_lane(collection)
        await self.membership.start()
        self._tasks.append(asyncio.create_task(self._prepare_late(), name="prepare.late"))
        for name, reconciler in self.reconcilers.items():
            self._tasks.append(asyncio.create_task(reconciler.run(), name=f"reconciler.{name}"))
        if self.signals.is_heard:
            self._gauge()
        if self.parts.jobs == "all":
            self._tasks.append(asyncio.create_task(self.workshop.join_all(), name="workshop.join"))

    async def stop(self) -> None:
        """Finish what is in hand and leave the registry; running changes go to the other replicas."""
        await self.coordinator.stop()
        await self.workshop.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(lane.shadow.stop() for lane in self.lanes.values()))
        await asyncio.gather(*(lane.mirror.stop() for lane in self.lanes.values()))
        await asyncio.gather(*(lane.cleanup.stop() for lane in self.lanes.values()))
        await asyncio.gather(*(reporter.stop() for reporter in self.reporters.values()))
        await self.membership.stop()
        await self.parts.close()

    def _gauge(self) -> None:
        parts, doors = self.parts, self.membership.doors
        gauges = Gauges(
            Subjects(
                doors,
                self.lanes,
                self.reporters,
                self.reconcilers,
                self.control,
                self.divergences,
                parts.pools,
            )
        )
        self.signals.watch(gauges.read)
        start_at_zero(self.signals, doors)
        self._tasks.append(asyncio.create_task(gauges.run(), name="gauges"))

    def desk(self) -> Desk:
        """What the console needs of this replica."""
        return Desk(
            overview=self.overview,
            steering=Steering(self.overview, self.coordinator),
            divergences=self.divergences,
            workshop=self.workshop,
            mender=self.mender,
            outcomes=lambda: {name: one.outcomes for name, one in self.reporters.items()},
            step_of=self.coordinator.step_of,
            clock=self.parts.clock,
            replica_id=self.parts.replica_id,
        )

    async def settle(self) -> None:
        """Wait until every shadow read offered so far has its verdict in the log."""
        for name, lane in self.lanes.items():
            await lane.shadow.settle()
            await self.reporters[name].settle()

    async def _create_flag(self, collection: Collection) -> Flag:
        return await self.control.create(Flag(collection.name, 1, Stage.MONGO_ONLY, self.parts.clock.now()))

    def _open_lane(self, collection: Collection) -> None:
        parts, name = self.parts, collection.name
        stores, door = parts.stores[name], self.membership.doors[name]
        breaker, confirmed = Breaker(asyncio.get_running_loop().time), self.sites[name].confirmed
        reporter = Reporter(collection, parts.divergences, parts.replica_id, parts.clock, parts.signals)
        shadow = Shadow(
            collection,
            stores,
            door,
            reporter,
            parts.clock,
            parts.signals,
            gives_way=parts.crowd.sheds_shadow_read,
        )
        mirror = Mirror(name, stores, collection.settings, breaker, parts.signals, parts.clock, confirmed)
        cleanup = Cleanup(name, stores[StoreName.MONGODB], collection.settings, parts.signals)
        self.lanes[name] = Lane(collection, stores, door, mirror, shadow, cleanup)
        self.reporters[name] = reporter
        self.reconcilers[name] = Reconciler(self.sites[name], door, len(parts.collections))
        door.on_change = self.reconcilers[name].wake
        reporter.start()
        shadow.start()

    async def _drain(self, flag: Flag) -> bool:
        known = flag.change.started_at if flag.change and flag.change.is_overridden else 0
        return await self.reconcilers[flag.collection].drain(DRAIN_LIMIT, gaps_known_at=known)

    async def _make_ready(self, flag: Flag) -> str:
        """Have our reconciler follow along, so that the drain is quick, and send the canary."""
        name = flag.collection
        stores = self.parts.stores[name]
        both = (stores[StoreName.DYNAMODB], stores[StoreName.MONGODB])
        canary = send_canary(self.sites[name].collection, both, flag.epoch, self.parts.clock)
        complaint, _ = await asyncio.gather(canary, self.reconcilers[name].make_ready(ATTEND))
        return complaint

    def _outcomes(self, name: str) -> Mapping[str, int]:
        return self.reporters[name].outcomes if name in self.reporters else {}

    def _health(self, name: str) -> MirrorHealth:
        mirror = self.lanes[name].mirror
        return MirrorHealth(
            breaker=mirror.breaker.state.value,
            deferred=mirror.deferred,
            shadow_outcomes=dict(self.reporters[name].outcomes),
            applied=mirror.applied,
            last_error=mirror.last_error,
            last_error_at=mirror.last_error_at,
        )


def _bill(collections: Sequence[Collection], signals: Signals) -> Callable[[str, str, float], None]:
    """Counts what DynamoDB bills for each collection."""
    names = {collection.table: collection.name for collection in collections}

    def note(table: str, access: str, units: float) -> None:
        signals.count("crossfade.dynamodb.capacity", units, collection=names.get(table, ""), access=access)

    return note


async def build(config: ProxyConfig, signals: Signals) -> App:
    """The application on the real stores; connects when it is first used."""
    return App(open_parts(config, signals))


def open_parts(
    config: ProxyConfig, signals: Signals, collections: Sequence[Collection] | None = None
) -> Parts:
    """The real stores of all collections, behind their ports: those of the file, if no others are given."""
    collections, clock = collections or load_collections(config.collections_file), SystemClock()
    mongo = MongoStores.open(config.mongodb_uri, is_gauged=signals.is_heard)
    dynamo = DynamoStores(
        DynamoSettings(region=config.dynamodb_region, endpoint=config.dynamodb_endpoint or None),
        spent=_bill(collections, signals) if signals.is_heard else None,
    )
    mongo_stores = {one.name: mongo.collection(one, dynamo.limits(one)) for one in collections}

    async def close() -> None:
        await dynamo.close()
        await mongo.close()

    return Parts(
        collections=collections,
        stores={
            one.name: {
                StoreName.MONGODB: mongo_stores[one.name],
                StoreName.DYNAMODB: dynamo.collection(one),
            }
            for one in collections
        },
        fences={name: store.fence for name, store in mongo_stores.items()},
        feeds={
            one.name: {
                StoreName.MONGODB: mongo.feed(one),
                StoreName.DYNAMODB: dynamo.feed(one, clock),
            }
            for one in collections
        },
        control=Authority(
            MongoControl(mongo.client, config.control_database),
            DynamoFinals(dynamo.transport, f"{config.control_database}_flags"),
        ),
        divergences=MongoDivergences(mongo.client, config.control_database),
        clock=clock,
        signals=signals,
        replica_id=config.replica_id,
        address=config.listen,
        lease=config.lease_seconds,
        jobs=config.jobs,
        close=close,
        pools=lambda: (*mongo.pools(), dynamo.transport.pool),
        crowd=Crowd(config.max_calls, signals),
    )
