"""What dashboards are told of the state of things: read off this replica, or fresh from the control store.

Nothing is gathered where nobody listens, and a control store that is silent costs a few gauges, not the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from proxy.core.comparison import Kind
from proxy.core.crowd import WORK
from proxy.core.errors import CrossfadeError
from proxy.core.flag import Job
from proxy.core.ports import Control, DivergenceLog, Signals
from proxy.core.reading import Pool, Reading, reading
from proxy.core.stage import Stage
from proxy.cutover.machine import Step
from proxy.cutover.replica import CollectionDoor
from proxy.flow.breaker import BreakerState
from proxy.flow.pipeline import Lane
from proxy.flow.reporting import Reporter
from proxy.reconcile.reconciler import Reconciler

_log = logging.getLogger("crossfade.gauges")

JOBS = ("backfill", "verify", "sample")

OWN_FRESH, SHARED_FRESH = 1.0, 5.0
"""Seconds between two looks at this replica, and at the control store."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """What the gauges are read off."""

    doors: Mapping[str, CollectionDoor]
    lanes: Mapping[str, Lane]
    reporters: Mapping[str, Reporter]
    reconcilers: Mapping[str, Reconciler]
    control: Control
    divergences: DivergenceLog
    pools: Callable[[], Iterable[Pool]]


def start_at_zero(signals: Signals, collections: Iterable[str]) -> None:
    """Have the counters that alarms look at there before they count: an increase from nothing is none."""
    for work in WORK:
        signals.count("crossfade.shed", 0, work=work)
    for name in collections:
        for outcome in ("applied", "deferred", "unconfirmed"):
            signals.count("crossfade.mirror.writes", 0, collection=name, outcome=outcome)
        for stage, outcome in product(Stage, ("published", "aborted")):
            signals.count("crossfade.cutover.moves", 0, collection=name, stage=stage.value, outcome=outcome)
        for step in Step:
            signals.count("crossfade.cutover.step", 0, collection=name, step=step.value)
        signals.count("crossfade.cutover.hold", 0, collection=name)
        signals.count("crossfade.reconcile.bypassed", 0, collection=name)
        signals.count("crossfade.feed.lost", 0, collection=name)
        signals.count("crossfade.fence.restored", 0, collection=name)


class Gauges:
    """The readings of one replica: `run` it as a task, and have somebody `read` them."""

    def __init__(self, subjects: Subjects) -> None:
        self._of = subjects
        self._own: tuple[Reading, ...] = ()
        self._shared: tuple[Reading, ...] = ()

    def read(self) -> Iterator[Reading]:
        """How things stood a moment ago; from any thread."""
        yield from self._own
        yield from self._shared

    async def run(self) -> None:
        """Keep what is read fresh, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(self.look, OWN_FRESH))
            group.create_task(self._keep(self.refresh, SHARED_FRESH))

    async def _keep(self, look: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            try:
                await look()
            except Exception:  # a fault of ours in one gauge must not end them all for good
                _log.exception("the gauges cannot be read")
            await asyncio.sleep(seconds)

    async def look(self) -> None:
        """Look at this replica once: on its own event loop, which what is looked at belongs to."""
        self._own = tuple(self._stand())

    def _stand(self) -> Iterator[Reading]:
        for name, door in self._of.doors.items():
            yield from _stage(name, door)
        for name, lane in self._of.lanes.items():
            yield from _breaker(name, lane.mirror.breaker.state)
            yield from _queues(name, lane, self._of.reporters[name])
        for name, reconciler in self._of.reconcilers.items():
            if self._of.doors[name].published.stage.mirror is not None:
                yield from _feed(name, reconciler)
        for pool in self._of.pools():
            yield from _pool(pool)

    async def refresh(self) -> None:
        """Look at the control store once; raises nothing."""
        try:
            self._shared = tuple([one async for one in self._look()])
        except CrossfadeError as error:
            self._shared = ()  # no answer is better than an old one
            _log.warning("the gauges of jobs, divergences and replicas are missing: %s", error)

    async def _look(self) -> AsyncIterator[Reading]:
        replicas = Counter("alive" if one.is_alive else "dead" for one in await self._of.control.replicas())
        for state in ("alive", "dead"):
            yield reading("crossfade.replicas", replicas[state], state=state)
        for name in self._of.doors:
            open_now = await self._of.divergences.counts(name)
            for kind in (kind.value for kind in Kind if kind.is_recorded):
                count = open_now.get(kind, 0)
                yield reading("crossfade.divergences.open", count, collection=name, kind=kind)
            for kind in JOBS:
                if job := await self._of.control.job(name, kind):
                    for one in _job(job):
                        yield one


def _stage(name: str, door: CollectionDoor) -> Iterator[Reading]:
    published = door.published
    stage, primary = published.stage.value, published.stage.primary.value
    yield reading("crossfade.collection.stage", 1, collection=name, stage=stage, primary=primary)
    yield reading("crossfade.collection.epoch", published.epoch, collection=name)
    yield reading("crossfade.collection.holding", int(door.flag.holds_writes), collection=name)


def _breaker(name: str, now: BreakerState) -> Iterator[Reading]:
    for state in BreakerState:
        yield reading("crossfade.breaker.state", int(state is now), collection=name, state=state.value)


def _queues(name: str, lane: Lane, reporter: Reporter) -> Iterator[Reading]:
    for queue, length in (
        ("shadow", lane.shadow.waiting),
        ("recheck", lane.shadow.rechecking),
        ("report", reporter.waiting),
        ("purge", lane.cleanup.waiting),
    ):
        yield reading("crossfade.queue.length", length, collection=name, queue=queue)


def _feed(name: str, reconciler: Reconciler) -> Iterator[Reading]:
    """Of a feed that another replica follows only that can be said; without a mirror none is followed, and
    a lease is taken by the way."""
    status = reconciler.status()
    yield reading("crossfade.feed.leading", int(status.is_leading), collection=name)
    if status.is_leading and status.lag:
        yield reading("crossfade.feed.lag", status.lag.seconds, collection=name)
        yield reading("crossfade.feed.waiting", status.lag.documents, collection=name)
        yield reading("crossfade.feed.quarantined", status.quarantined, collection=name)
        yield reading("crossfade.feed.gap", int(bool(status.message)), collection=name)


def _pool(pool: Pool) -> Iterator[Reading]:
    yield reading("db.client.connection.count", pool.used, pool=pool.store, state="used")
    if pool.idle is not None:
        yield reading("db.client.connection.count", pool.idle, pool=pool.store, state="idle")
    yield reading("db.client.connection.max", pool.limit, pool=pool.store)
    yield reading("db.client.connection.pending_requests", pool.pending, pool=pool.store)


def _job(job: Job) -> Iterator[Reading]:
    name, kind = job.collection, job.kind
    is_running = job.state == "running"
    yield reading("crossfade.job.state", 1, collection=name, job=kind, state=job.state)
    yield reading("crossfade.job.rate", job.rate if is_running else 0.0, collection=name, job=kind)
    yield reading("crossfade.job.progress", _share_done(job), collection=name, job=kind)
    for outcome, count in job.counts.items():
        yield reading("crossfade.job.documents", count, collection=name, job=kind, outcome=outcome)


def _share_done(job: Job) -> float:
    """The total is an estimate: only a job that has ended is known to be complete."""
    if job.state == "finished":
        return 1.0
    return min(0.99, job.done / job.total) if job.total else 0.0
