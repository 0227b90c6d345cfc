"""The feed of a collection in memory: the table's own list of events, by index; for tests and simulations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from proxy.core.confirmed import Write, note_event, told_writes
from proxy.core.exchange import FeedBatch, FeedLost
from proxy.core.keys import Key
from proxy.core.ports import Clock
from proxy.stores.memory.store import MemoryTable

BATCH = 100
HEARTBEAT = 1.0


class MemoryFeed:
    """See `core.ports.Feed`. `oldest` is the first event that is still held: raise it to lose a feed."""

    def __init__(self, table: MemoryTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self.oldest = 0

    async def tip(self) -> str:
        return str(len(self._table.events))

    async def mark(self) -> str:
        name = self._clock.new_op().hex()
        self._table.marks[name] = len(self._table.events)
        self._table.wake()
        return name

    async def follow(self, position: str) -> AsyncIterator[FeedBatch]:
        start, told = int(position), -HEARTBEAT
        told_marks: set[str] = set()
        while True:
            if start < self.oldest:
                raise FeedLost(f"the events before {self.oldest} are gone, and {start} is asked for")
            end = min(start + BATCH, len(self._table.events))
            marks = self._passed(end) - told_marks
            if end > start or marks or _seconds() - told >= HEARTBEAT:
                last = dict(self._table.events[start:end])
                buried = frozenset(key for key, one in last.items() if one is not None and one.is_tombstone)
                committed_at, written = self._clock.now() if last else 0, self._written(start, end)
                start, told, told_marks = end, _seconds(), told_marks | marks
                yield FeedBatch(
                    tuple(last), str(end), frozenset(marks), committed_at, buried=buried, written=written
                )
            else:
                await self._table.wait(HEARTBEAT)

    def _written(self, start: int, end: int) -> dict[Key, Write]:
        writes: dict[Key, Write | None] = {}
        for (key, _), write in zip(self._table.events[start:end], self._table.writes[start:end], strict=True):
            note_event(writes, key, write)
        return told_writes(writes)

    def _passed(self, end: int) -> set[str]:
        return {name for name, at in self._table.marks.items() if at <= end}


def _seconds() -> float:
    return asyncio.get_running_loop().time()
