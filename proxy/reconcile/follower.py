"""Applies one store's feed to the other from a position on, and knows how far it has come.

Invariants: a position is passed on only when everything before it is settled; a batch that cannot be settled
is tried again for ever, while the lag says so. Tombstones that MongoDB as primary may let go of later hold
back a second position, so that no restart forgets them.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from proxy.core.confirmed import Write, note_event, told_writes
from proxy.core.exchange import FeedBatch
from proxy.core.keys import Key
from proxy.core.ports import Clock, Feed
from proxy.faultpoint import faultpoint
from proxy.reconcile.key import Outcome
from proxy.reconcile.settler import NOTHING_TOLD, Told
from proxy.reconcile.together import together

QUEUE = 8
"""Batches that are read ahead of what is applied."""
GROUP = 1000
"""Keys that are settled together."""
GATHER = 0.05
"""Seconds in which writes gather before they are settled. By then the proxies have mirrored nearly all of
them inline, so nothing is written twice, and one round trip reads many, those of one document once."""
SILENCE = 3.0
"""Seconds without any batch after which a feed no longer counts as read to its end."""
MAX_PENDING_PURGES = 50_000

Settle = Callable[[Sequence[Key], bool, Told], Awaitable[list[Outcome]]]
"""Brings keys to their ends, however long that takes; the flag says that they were written just now."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the mirror is behind: since when (seconds), and documents known to wait."""

    seconds: float
    documents: int


class Follower:
    """One pass over a feed. `applied` and `purged` are positions to go on from (see the module); `handled`
    counts keys settled, `blind` events that named no document."""

    def __init__(self, feed: Feed, applied: str, purged: str, settle: Settle, clock: Clock) -> None:
        self.applied = applied
        self.purged = purged
        self.blind = 0
        self.handled = 0
        self._feed = feed
        self._settle = settle
        self._clock = clock
        self._queue: asyncio.Queue[FeedBatch] = asyncio.Queue(QUEUE)
        self._waiting = 0  # keys read and not applied
        self._caught_up_at = clock.now()
        self._heard_at = _seconds()
        self._was_at_end = False
        self._markers: set[str] = set()
        self._progress = asyncio.Condition()
        self._is_awaited = asyncio.Event()  # somebody waits for a marker: nothing gathers
        self._purges = _Purges()
        self.is_over = False

    @property
    def lag(self) -> Lag:
        """Nothing waits and the feed is silent because it is at its end: no lag."""
        is_heard = _seconds() - self._heard_at < SILENCE
        if self._waiting == 0 and is_heard:
            return Lag(0.0, 0)
        return Lag(max(0.0, (self._clock.now() - self._caught_up_at) / 1000), self._waiting)

    async def run(self) -> None:
        """Follow for ever. Raises FeedLost, and whatever `settle` raises."""
        try:
            async with together() as group:
                group.create_task(self._read())
                group.create_task(self._apply())
                group.create_task(self._purge())
        finally:
            self.is_over = True
            await self._tell()

    async def wait_for(self, marker: str) -> bool:
        """Wait until the marker is passed and everything before it applied; False when this pass ended."""
        self._is_awaited.set()
        try:
            async with self._progress:
                await self._progress.wait_for(lambda: marker in self._markers or self.is_over)
        finally:
            self._is_awaited.clear()
        return marker in self._markers

    async def _read(self) -> None:
        async for batch in self._feed.follow(self.purged):
            if self._was_at_end and not self._waiting:  # so there was nothing before this batch
                self._caught_up_at = max(self._caught_up_at, batch.committed_at)
            self._heard_at, self._was_at_end = _seconds(), not batch.keys
            self._waiting += len(batch.keys)
            await self._queue.put(batch)

    async def _apply(self) -> None:
        for number in itertools.count():
            batches = await self._take()
            keys = list(dict.fromkeys(key for batch in batches for key in batch.keys))
            outcomes = await self._settle(keys, True, _told_by(batches)) if keys else []
            await faultpoint("feed.after_apply")
            self.handled += len(outcomes)
            self._waiting -= sum(len(batch.keys) for batch in batches)
            self.applied = batches[-1].position
            self._purges.add(number, self.applied, outcomes)
            self.purged = self._purges.position or self.purged
            self._caught_up_at = max(self._caught_up_at, self._time_of(batches))
            self.blind += sum(batch.blind for batch in batches)
            self._markers.update(*(batch.markers for batch in batches))
            await self._tell()

    async def _take(self) -> list[FeedBatch]:
        """The next batch and those behind it, as far as they are worth one round trip."""
        batches = [await self._queue.get()]
        if batches[0].keys:
            await self._gather()
        while not self._queue.empty() and sum(len(batch.keys) for batch in batches) < GROUP:
            batches.append(self._queue.get_nowait())
        return batches

    async def _gather(self) -> None:
        """Let the writes of a moment come together, unless somebody waits."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER):
                await self._is_awaited.wait()

    def _time_of(self, batches: Sequence[FeedBatch]) -> int:
        """Up to when everything is applied: an empty batch at the end of the queue means up to now."""
        if not batches[-1].keys and self._queue.empty():
            return self._clock.now()
        return max(batch.committed_at for batch in batches)

    async def _purge(self) -> None:
        """Settle tombstones again when their time has come."""
        while True:
            due = self._purges.take_due(self._clock.now())
            if due:
                await self._settle([key for _, key in due], False, NOTHING_TOLD)
                self._purges.finish(Counter(number for number, _ in due))
                self.purged = self._purges.position or self.purged
            await asyncio.sleep(self._purges.pause(self._clock.now()))

    async def _tell(self) -> None:
        async with self._progress:
            self._progress.notify_all()


def _told_by(batches: Sequence[FeedBatch]) -> Told:
    """What all of them tell: the keys whose last event left a tombstone, and those that every batch in which
    they occur says to be written by proxies."""
    buried: frozenset[Key] = frozenset()
    writes: dict[Key, Write | None] = {}
    for batch in batches:
        buried = buried.difference(batch.keys) | batch.buried
        for key in batch.keys:
            note_event(writes, key, batch.written.get(key))
    return Told(buried, told_writes(writes))


class _Purges:
    """Tombstones to settle again, by time, each with the number of the batch group it came from."""

    def __init__(self) -> None:
        self.position = ""  # of the newest group before which none is pending
        self._heap: list[tuple[int, int, int, Key]] = []
        self._pending: Counter[int] = Counter()
        self._groups: deque[tuple[int, str]] = deque()
        self._serial = itertools.count()

    def add(self, number: int, position: str, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.due_at and len(self._heap) < MAX_PENDING_PURGES:
                heapq.heappush(self._heap, (outcome.due_at, next(self._serial), number, outcome.key))
                self._pending[number] += 1
        self._groups.append((number, position))
        self._advance()

    def take_due(self, now: int) -> list[tuple[int, Key]]:
        due: list[tuple[int, Key]] = []
        while self._heap and self._heap[0][0] <= now and len(due) < GROUP:
            _, _, number, key = heapq.heappop(self._heap)
            due.append((number, key))
        return due

    def finish(self, done: Counter[int]) -> None:
        self._pending -= done
        self._advance()

    def pause(self, now: int) -> float:
        return min(0.25, max(0.005, (self._heap[0][0] - now) / 1000)) if self._heap else 0.25

    def _advance(self) -> None:
        while self._groups and not self._pending[self._groups[0][0]]:
            self.position = self._groups.popleft()[1]


def _seconds() -> float:
    return asyncio.get_running_loop().time()
