"""One collection in memory, with the same promises as in MongoDB and DynamoDB: what they are tested against.

Every method yields to the event loop through `pause` before and after its one atomic moment, so that a
simulation may interleave, delay or crash there. `role` says which store it stands for.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from proxy.core.collection import Collection
from proxy.core.confirmed import Write, write_of
from proxy.core.errors import Fenced, Reason, Refused
from proxy.core.exchange import ApplyResult, ApplyStatus, Page, Segment
from proxy.core.keys import Key
from proxy.core.ports import Limits
from proxy.core.query import PageRequest, Plan
from proxy.core.stage import StoreName
from proxy.core.update import Update
from proxy.core.version import Record, Stamp
from proxy.core.write import NOT_MATCHED, Command, Modify, Precondition, Replace, WriteResult, effect
from proxy.stores.memory.reading import Row, is_selected, key_rank, page_of, rows_of

Pause = Callable[[], Awaitable[None]]
Event = tuple[Key, Record | None]


async def _no_pause() -> None:
    """What a store does between its steps when nobody simulates."""


class MemoryTable:
    """The data itself, outliving the store objects that replicas hold: records, the fence, and the feed."""

    def __init__(self) -> None:
        self.records: dict[Key, Record] = {}
        self.fence = 0
        self.events: list[Event] = []
        self.writes: list[Write | None] = []  # of each event: what a feed's `written` tells of it
        self.marks: dict[str, int] = {}
        self._changed = asyncio.Event()

    def put(self, key: Key, record: Record | None) -> None:
        """Store or remove a record, and tell the feed; the removal of a tombstone is no event."""
        before = self.records.get(key)
        if record is None:
            gone = self.records.pop(key, None)
            if gone is None or gone.is_tombstone:
                return
        else:
            self.records[key] = record
        self.events.append((key, record))
        self.writes.append(_write_of(before, record))
        self.wake()

    def wake(self) -> None:
        """Tell whoever follows the feed that there is something new."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, timeout: float) -> None:
        """Wait for something new, for at most `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()


def _write_of(before: Record | None, after: Record | None) -> Write | None:
    """A proxy's change of a document that was there."""
    if before is None or after is None or before.is_tombstone or after.is_tombstone:
        return None
    return write_of(after) if after.version > before.version else None


class MemoryStore:
    """See `core.ports.CollectionStore`."""

    def __init__(
        self,
        collection: Collection,
        role: StoreName,
        table: MemoryTable | None = None,
        limits: Limits | None = None,
        pause: Pause = _no_pause,
    ) -> None:
        self.store = role
        self.table = table or MemoryTable()
        self._collection = collection
        self._limits = limits
        self._pause = pause
        self._key_fields = tuple(field.name for field in collection.key_fields)

    async def prepare(self) -> tuple[str, ...]:
        return ()

    async def get(self, keys: Sequence[Key]) -> list[Record | None]:
        await self._pause()
        found = [self.table.records.get(key) for key in keys]
        await self._pause()
        return found

    async def versions(self, keys: Sequence[Key]) -> list[Write | None]:
        return [write_of(record) for record in await self.get(keys)]

    async def find(self, plan: Plan, page: PageRequest) -> Page:
        await self._pause()
        found = page_of(plan, self.table.records.values(), page)
        await self._pause()
        return found

    async def count(self, plan: Plan, scan_budget: int) -> int:
        await self._pause()
        rows = rows_of(plan, self.table.records.values())
        if len(rows) > scan_budget:
            raise Refused(f"more than {scan_budget} documents would have to be read", Reason.NO_INDEX)
        return sum(is_selected(plan, row) for row in rows)

    async def write(self, command: Command, stamp: Stamp) -> WriteResult:
        await self._pause()
        self._refuse_below_fence(stamp.epoch)
        if isinstance(command, Replace) and self._limits is not None:
            self._limits.check(command.key, command.document)
        done = effect(command, self.table.records.get(command.key), stamp, key_fields=self._key_fields)
        if done.put is not None:
            self._check(done.put)
            self.table.put(command.key, done.put)
        await self._pause()
        return done.result

    async def write_first(self, plan: Plan, update: Update, stamp: Stamp) -> WriteResult:
        await self._pause()
        while row := self._first(plan):
            command = Modify(row.record.key, update, Precondition(plan.filter))
            result = await self.write(command, stamp)
            if result.matched:
                return result
        return NOT_MATCHED

    async def apply(self, record: Record, *, is_metered: bool = False) -> ApplyResult:
        await self._pause()
        existing = self.table.records.get(record.key)
        status = _status(record, existing)
        if status is ApplyStatus.APPLIED:
            self._refuse_below_fence(record.version.epoch)
            self.table.put(record.key, record)
            existing = record
        await self._pause()
        return ApplyResult(status, existing)

    async def restamp(self, record: Record, stamp: Stamp, floor: int) -> Record | None:
        await self._pause()
        self._refuse_below_fence(stamp.epoch)
        if self.table.records.get(record.key) != record:
            return None
        renewed = record.restamped(stamp, max(floor, record.version.revision) + 1)
        self.table.put(record.key, renewed)
        await self._pause()
        return renewed

    async def purge(self, tombstone: Record) -> bool:
        await self._pause()
        if self.table.records.get(tombstone.key) != tombstone or not tombstone.is_tombstone:
            return False
        self.table.put(tombstone.key, None)
        return True

    async def scan(self, segment: Segment, after: Key | None = None) -> AsyncIterator[Record]:
        for key in sorted(self.table.records, key=key_rank):
            if after is not None and key_rank(key) <= key_rank(after):
                continue
            if _segment_of(key, segment.total) != segment.index:
                continue
            await self._pause()
            if record := self.table.records.get(key):
                yield record

    async def estimate(self) -> int:
        return sum(not record.is_tombstone for record in self.table.records.values())

    def _check(self, record: Record) -> None:
        if self._limits is not None and record.document is not None:
            self._limits.check(record.key, record.document)

    def _refuse_below_fence(self, epoch: int) -> None:
        if epoch < self.table.fence:
            raise Fenced(f"this store takes no writes of epoch {epoch} any more")

    def _first(self, plan: Plan) -> Row | None:
        rows = rows_of(plan, self.table.records.values())
        return next((row for row in rows if is_selected(plan, row)), None)


class MemoryFence:
    """See `core.ports.Fence`."""

    def __init__(self, table: MemoryTable, pause: Pause = _no_pause) -> None:
        self._table = table
        self._pause = pause

    async def raise_to(self, epoch: int) -> None:
        await self._pause()
        self._table.fence = max(self._table.fence, epoch)
        await self._pause()

    async def current(self) -> int:
        return self._table.fence

    async def lift(self) -> None:
        await self._pause()
        self._table.fence = 0


def _segment_of(key: Key, total: int) -> int:
    """Which of `total` segments a key is in, in every process the same."""
    return zlib.crc32(repr(key.values).encode()) % total


def _status(record: Record, existing: Record | None) -> ApplyStatus:
    """What a mirror write meets: older (or nothing), itself, newer, or another write of the same version."""
    if existing is None or existing.version < record.version:
        return ApplyStatus.APPLIED
    if existing.is_same_write(record):
        return ApplyStatus.ALREADY_THERE
    return ApplyStatus.NEWER if existing.version > record.version else ApplyStatus.CONFLICT
