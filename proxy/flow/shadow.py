"""Shadow reads: after the reply the mirror is asked the same, and only a difference that lasts is reported.

A shadow read never delays, fails or changes a reply. It is sampled, queued in a queue that is bounded by the
documents that wait in it, dropped and counted when the queue is full, and abandoned when the published stage
changes under it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial

from proxy.core.collection import Collection
from proxy.core.comparison import MATCH, SURVIVING, Kind, Verdict, compare, conclude
from proxy.core.errors import BadRequest, CrossfadeError, Refused
from proxy.core.exchange import Page
from proxy.core.finding import Finding
from proxy.core.keys import Key
from proxy.core.ports import Clock, CollectionStore, Door, Signals
from proxy.core.stage import Published, StoreName
from proxy.core.version import Record, Version
from proxy.flow.look import Look, PointRead, QueryRead, Records, grouped, seen_by
from proxy.flow.reporting import Reporter

Pairs = Mapping[Key, tuple[Record | None, Record | None]]
"""What the primary and the mirror hold."""

GATHER = 0.01
"""Seconds in which looks gather: a round trip for each would cost several times as much."""
TOGETHER = 16
"""Looks that one round trip serves: more would keep the replies of calls waiting while they are compared."""

UNCOPIED = "UNCOPIED"
"""The outcome where the backfill has not come by yet: nothing to compare. That is so of every version from
before there was this mirror, of those that proxies wrote in MONGO_ONLY too. Whether the backfill was complete
is the verify's business."""


def _never() -> bool:
    return False


class Shadow:
    """The shadow reads of one collection on one replica."""

    def __init__(
        self,
        collection: Collection,
        stores: Mapping[StoreName, CollectionStore],
        door: Door,
        reporter: Reporter,
        clock: Clock,
        signals: Signals,
        *,
        workers: int = 2,
        gives_way: Callable[[], bool] = _never,
    ) -> None:
        """`gives_way` tells that the replica has too much to do for reads that nobody waits for."""
        self._collection = collection
        self._stores = stores
        self._door = door
        self._reporter = reporter
        self._clock = clock
        self._signals = signals
        self._rate = collection.settings.shadow_rate
        self._gives_way = gives_way
        self._settings = collection.settings
        self._slots = asyncio.Semaphore(workers)  # where stores are slow, rechecks must not slow them more
        self._queue: asyncio.Queue[Look] = asyncio.Queue()
        self._held = 0  # documents in the queue, and in the hands of workers
        self._gathering = asyncio.Lock()
        self._workers = workers
        self._tasks: set[asyncio.Task[None]] = set()
        self._rechecks: set[asyncio.Task[None]] = set()
        self._rechecking = 0

    @property
    def waiting(self) -> int:
        """Documents that wait to be compared, or are being."""
        return self._held

    @property
    def rechecking(self) -> int:
        """Rows that differed and wait to be looked at again, or are being."""
        return self._rechecking

    def start(self) -> None:
        for number in range(self._workers):
            task = asyncio.create_task(self._work(), name=f"shadow.{self._collection.name}.{number}")
            self._tasks.add(task)

    async def stop(self) -> None:
        """Stop at once; what is queued is dropped."""
        tasks = (*self._tasks, *self._rechecks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until everything offered so far has its verdict."""
        await self._queue.join()
        while self._rechecks:
            await asyncio.gather(*self._rechecks, return_exceptions=True)

    def offer(self, published: Published, read: PointRead | QueryRead) -> None:
        """Take a read for comparison, if it is sampled and there is room; returns at once."""
        if published.stage.mirror is None or self._rate <= 0 or self._clock.random() >= self._rate:
            return
        look = Look(published, read, self._signals.here())
        if self._gives_way() or (self._held and self._held + look.documents > self._settings.shadow_queue):
            self._count("DROPPED")
            return
        self._held += look.documents
        self._queue.put_nowait(look)

    async def _work(self) -> None:
        while True:
            looks = await self._take()
            try:
                for group in grouped(looks):
                    await self._examine(group)
            finally:
                for look in looks:
                    self._held -= look.documents
                    self._queue.task_done()

    async def _take(self) -> list[Look]:
        """The next look, and those of a moment behind it; one worker at a time gathers."""
        async with self._gathering:
            looks = [await self._queue.get()]
            await asyncio.sleep(GATHER)
            while len(looks) < TOGETHER and not self._queue.empty():
                looks.append(self._queue.get_nowait())
        return looks

    async def _examine(self, looks: Sequence[Look]) -> None:
        """Looks at points of the same stage, or a single one at whatever it be."""
        try:
            with self._signals.resume(looks[0].where):
                if isinstance(looks[0].read, PointRead):
                    await self._examine_points(looks)
                else:
                    await self._examine_query(looks[0], looks[0].read)
        except CrossfadeError:
            self._count(Kind.UNAVAILABLE.value, len(looks))

    async def _examine_query(self, look: Look, read: QueryRead) -> None:
        if isinstance(read.answer, CrossfadeError):
            await self._examine_refusal(look, read, read.answer)
        else:
            await self._examine_page(look, read, read.answer)

    async def _examine_points(self, looks: Sequence[Look]) -> None:
        """One round trip serves them all: each compares what it saw with what the mirror holds now."""
        seen = [(look, seen_by(look)) for look in looks]
        keys = dict.fromkeys(key for _, records in seen for key in records)
        mirrored = await self._get(self._mirror(looks[0]), keys)
        for look, records in seen:
            self._judge_points(look, records, mirrored)

    def _judge_points(self, look: Look, seen: Records, mirrored: Records) -> None:
        suspects = []
        for key, record in seen.items():
            verdict = compare(record, mirrored[key])
            if self._is_uncopied(record, mirrored[key]):
                self._count(UNCOPIED)
            elif verdict.is_settled:
                self._count(verdict.kind.value)
            else:
                suspects.append(key)
        if suspects:
            versions = {key: _version(seen[key]) for key in suspects}
            self._later(self._recheck_points(look.without_documents(), versions), len(versions))

    async def _examine_refusal(self, look: Look, read: QueryRead, refusal: CrossfadeError) -> None:
        """The primary refused a query: the mirror should refuse it too."""
        try:
            await self._find(self._mirror(look), read)
        except (BadRequest, Refused):
            self._count(Kind.MATCH.value)
            return
        self._report(look, Kind.ERROR_PARITY, message=f"only the primary refuses: {refusal.message}")

    async def _examine_page(self, look: Look, read: QueryRead, page: Page) -> None:
        try:
            mirrored = await self._find(self._mirror(look), read)
        except (BadRequest, Refused) as refusal:
            self._report(look, Kind.ERROR_PARITY, message=f"only the mirror refuses: {refusal.message}")
            return
        suspects = _differing(page, mirrored)
        if suspects is None:
            self._count(Kind.MATCH.value)
            return
        if await self._holds_uncopied(look, page, suspects):
            self._count(UNCOPIED)
            return
        light = look.without_documents()
        assert isinstance(light.read, QueryRead)
        self._later(self._recheck_page(light, light.read, suspects), max(1, len(suspects)))

    def _later(self, recheck: Coroutine[None, None, None], rows: int) -> None:
        """Look again in the background; dropped and counted when too many rows wait already."""
        if self._rechecking and self._rechecking + rows > self._settings.recheck_queue:
            recheck.close()
            self._count("DROPPED")
            return
        self._rechecking += rows
        task = asyncio.create_task(self._guarded(recheck), name=f"shadow.{self._collection.name}.recheck")
        self._rechecks.add(task)
        task.add_done_callback(partial(self._end_recheck, rows))

    def _end_recheck(self, rows: int, task: asyncio.Task[None]) -> None:
        self._rechecks.discard(task)
        self._rechecking -= rows

    async def _guarded(self, recheck: Coroutine[None, None, None]) -> None:
        try:
            await recheck
        except CrossfadeError:
            self._count(Kind.UNAVAILABLE.value)

    async def _recheck_points(self, look: Look, first_seen: Mapping[Key, Version | None]) -> None:
        """Look again after each delay at what is not settled yet; report what survives the last."""
        waiting = dict(first_seen)
        last: dict[Key, tuple[Verdict, Record | None, Record | None]] = {}
        for delay in self._collection.settings.recheck_delays:
            await asyncio.sleep(delay)
            if self._door.published != look.published:
                self._count("OVERTAKEN", len(waiting))
                return
            async with self._slots:
                last = await self._conclude(look, waiting)
            for key, (verdict, primary, mirror) in last.items():
                if verdict.is_settled or self._is_uncopied(primary, mirror):
                    self._count(verdict.kind.value if verdict.is_settled else UNCOPIED)
                    del waiting[key]
            if not waiting:
                return
        for key in waiting:
            verdict, primary, mirror = last[key]
            self._report(look, SURVIVING.get(verdict.kind, verdict.kind), key, primary, mirror)

    async def _conclude(
        self, look: Look, first_seen: Mapping[Key, Version | None]
    ) -> dict[Key, tuple[Verdict, Record | None, Record | None]]:
        mirror = await self._get(self._mirror(look), first_seen)
        primary = await self._get(self._primary(look), first_seen)
        return {
            key: (conclude(version, primary[key], mirror[key]), primary[key], mirror[key])
            for key, version in first_seen.items()
        }

    async def _recheck_page(self, look: Look, read: QueryRead, suspects: frozenset[Key]) -> None:
        """Run the query again after each delay, and judge it if its pages differ to the end."""
        for delay in self._collection.settings.recheck_delays:
            await asyncio.sleep(delay)
            if self._door.published != look.published:
                self._count("OVERTAKEN")
                return
            async with self._slots:
                differing = _differing(*await self._pages(look, read))
            if differing is None:
                self._count(Kind.QUERY_WINDOW.value)
                return
            suspects = suspects | differing
        await self._judge_page(look, read, suspects)

    async def _judge_page(self, look: Look, read: QueryRead, suspects: frozenset[Key]) -> None:
        """Rows that differ are looked at one by one; only if the documents are equal and stand still in both
        stores while the pages differ, it is the query that diverges."""
        async with self._slots:
            before = await self._both(look, suspects)
            differing = _differing(*await self._pages(look, read))
            after = await self._both(look, suspects)
        unequal = {key for key, pair in after.items() if compare(*pair) != MATCH}
        if unequal:
            await self._recheck_points(look, {key: _version(after[key][0]) for key in unequal})
        elif differing is None or differing - suspects or _versions(before) != _versions(after):
            self._count(Kind.QUERY_WINDOW.value)
        else:
            self._report(look, Kind.QUERY_MISMATCH, message=f"{len(suspects)} rows differ or change order")

    async def _pages(self, look: Look, read: QueryRead) -> tuple[Page, Page]:
        primary, mirror = self._primary(look), self._mirror(look)
        return await asyncio.gather(self._find(primary, read), self._find(mirror, read))

    async def _holds_uncopied(self, look: Look, page: Page, suspects: frozenset[Key]) -> bool:
        older = {
            record.key: record
            for record in page.records
            if record.key in suspects and record.version.epoch < self._door.mirrored_since
        }
        mirrored = await self._get(self._mirror(look), older) if older else {}
        return any(self._is_uncopied(older[key], mirror) for key, mirror in mirrored.items())

    def _is_uncopied(self, primary: Record | None, mirror: Record | None) -> bool:
        """Whether only the backfill can have brought this version to the mirror, and has not."""
        return (
            primary is not None
            and primary.version.epoch < self._door.mirrored_since
            and (mirror is None or mirror.version < primary.version)
        )

    async def _both(self, look: Look, keys: Iterable[Key]) -> Pairs:
        wanted = list(keys)
        mirrored = await self._get(self._mirror(look), wanted)
        held = await self._get(self._primary(look), wanted)
        return {key: (held[key], mirrored[key]) for key in wanted}

    async def _get(self, store: CollectionStore, keys: Iterable[Key]) -> dict[Key, Record | None]:
        wanted = list(keys)
        with self._signals.span("shadow.get", collection=self._collection.name, store=store.store.value):
            return dict(zip(wanted, await store.get(wanted), strict=True))

    async def _find(self, store: CollectionStore, read: QueryRead) -> Page:
        with self._signals.span("shadow.query", collection=self._collection.name, store=store.store.value):
            return await store.find(read.plan, read.page)

    def _primary(self, look: Look) -> CollectionStore:
        return self._stores[look.published.stage.primary]

    def _mirror(self, look: Look) -> CollectionStore:
        name = look.published.stage.mirror
        assert name is not None, "offer() takes no look at a stage without a mirror"
        return self._stores[name]

    def _count(self, outcome: str, amount: int = 1) -> None:
        self._reporter.count(outcome, amount)

    def _report(
        self,
        look: Look,
        kind: Kind,
        key: Key | None = None,
        primary: Record | None = None,
        mirror: Record | None = None,
        message: str = "",
    ) -> None:
        operation = "get" if isinstance(look.read, PointRead) else "query"
        self._reporter.report(
            Finding(
                kind, key, operation, look.published.epoch, primary, mirror, message, self._signals.trace_id()
            )
        )


def _version(record: Record | None) -> Version | None:
    return record.version if record else None


def _versions(pairs: Pairs) -> dict[Key, tuple[Version | None, Version | None]]:
    return {key: (_version(primary), _version(mirror)) for key, (primary, mirror) in pairs.items()}


def _differing(primary: Page, mirror: Page) -> frozenset[Key] | None:
    """The keys of the rows in which two pages differ (empty: only in their order); None for equal pages."""
    ours = {record.key: record for record in primary.records}
    theirs = {record.key: record for record in mirror.records}
    differing = {
        key for key in ours.keys() | theirs.keys() if compare(ours.get(key), theirs.get(key)) != MATCH
    }
    if not differing and list(ours) == list(theirs):
        return None
    return frozenset(differing)
