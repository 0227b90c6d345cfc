"""A DynamoDB stream as a feed: every change of one table's items, by key, shard by shard.

Positions name a place in every shard and outlive this process for 24 hours, as the records do; an older one
is lost. The service's own removal of expired tombstones is no event. DynamoDB has no order across shards, so
a mark is passed when every shard was found at its end, or has shown something newer, after the mark was made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from proxy.core.collection import Collection
from proxy.core.errors import CrossfadeError, Refused
from proxy.core.exchange import FeedBatch, FeedLost
from proxy.core.keys import Key
from proxy.core.ports import Clock
from proxy.stores.dynamo.layout import META, Layout
from proxy.stores.dynamo.lineage import Place, Shard, Stand, StreamPosition, catch_up, position_now, readable
from proxy.stores.dynamo.streams import Event, IteratorExpired, Read, Streams

_log = logging.getLogger("crossfade.feed")

BATCH = 1000
"""Records asked of one shard at once: the most that DynamoDB gives."""
BUSY, IDLE = 0.02, 0.2
"""Seconds between two rounds over the shards: while there is something to read, and otherwise."""
HEARTBEAT = 0.5
"""Seconds after which an idle feed says that it lives."""
DESCRIBE_EVERY = 30.0
RETENTION = 24 * 3600 * 1000 - 15 * 60 * 1000
"""Milliseconds that a position is good for: what the stream keeps, less a margin."""
SKEW = 60_000
"""Milliseconds by which our clock and DynamoDB's may differ, its rounding to seconds included."""
MARK_SKEW = 5_000
"""The same for marks: a record this much newer than a mark stands behind it."""
MARK_LIFE = 60_000
ITERATOR_LIFE = 15 * 60 * 1000
"""Milliseconds for which DynamoDB keeps an iterator that nobody uses."""


class DynamoFeed:
    """See `core.ports.Feed`. A mark is known only to this object: follow it here."""

    def __init__(self, streams: Streams, collection: Collection, layout: Layout, clock: Clock) -> None:
        self._streams = streams
        self._table = collection.table
        self._layout = layout
        self._clock = clock
        self._latest: dict[tuple[str, str], str] = {}  # iterators at the tips that were taken here
        self._marks: dict[str, int] = {}
        self._marked = asyncio.Event()

    async def tip(self) -> str:
        stream = await self._streams.find(self._table)
        shards = await self._streams.shards(stream)
        now = self._clock.now()
        position = position_now(stream, now, shards)
        for old in [taken for taken in self._latest if now - int(taken[1]) > ITERATOR_LIFE]:
            del self._latest[old]
        for shard in shards:
            if shard.is_open:
                place = position.places[shard.id]
                self._latest[shard.id, place.at] = await self._streams.iterate(stream, shard.id, None)
        return position.to_text()

    async def mark(self) -> str:
        now = self._clock.now()
        self._marks = {name: at for name, at in self._marks.items() if now - at < MARK_LIFE}
        name = f"{self._table}:{uuid.uuid4().hex}"
        self._marks[name] = now
        self._marked.set()
        self._marked = asyncio.Event()
        return name

    async def follow(self, position: str) -> AsyncIterator[FeedBatch]:
        reader = _Reader(self._streams, StreamPosition.from_text(position), self._latest, self._clock)
        passed: set[str] = set()
        last_sign = 0.0
        pause = BUSY
        while True:
            marked = self._marked
            marks = {name: at for name, at in self._marks.items() if name not in passed}
            try:
                found = await reader.read_round(self._table, marks)
            except CrossfadeError as error:
                _log.info("stream of %s interrupted: %s", self._table, error)
                await asyncio.sleep(min(pause := pause * 2, 1.0))
                continue
            passed |= found.markers
            if found.events or found.markers or _seconds() - last_sign > HEARTBEAT:
                last_sign = _seconds()
                yield self._batch_of(found, reader.position)
            pause = BUSY if found.events or marks else min(pause * 1.5, IDLE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(marked.wait(), pause)  # somebody waits for a new mark

    def _batch_of(self, found: _Found, position: StreamPosition) -> FeedBatch:
        keys: dict[Key, None] = {}
        blind = 0
        for event in found.events:
            if _is_expiry(event):
                continue
            try:
                keys[self._layout.key_of_item(event["dynamodb"]["Keys"])] = None
            except (ValueError, KeyError):
                blind += 1
                _log.warning("an item of %s has no key of ours", self._table)
        return FeedBatch(tuple(keys), position.to_text(), frozenset(found.markers), found.committed_at, blind)


@dataclass(slots=True)
class _Found:
    """What one round over the shards gave."""

    events: list[Event] = field(default_factory=list)
    markers: set[str] = field(default_factory=set)
    committed_at: int = 0


class _Reader:
    """One pass of `follow`: its position, its iterators, and the marks that each shard has passed."""

    def __init__(
        self,
        streams: Streams,
        position: StreamPosition,
        latest: dict[tuple[str, str], str],
        clock: Clock,
    ) -> None:
        self.position = position
        self._streams = streams
        self._clock = clock
        self._latest = latest
        self._iterators: dict[str, str] = {}
        self._shards: list[Shard] = []
        self._describe_at = 0.0
        self._passed: dict[str, set[str]] = {}  # mark: shards that have passed it
        self._ends: dict[str, int] = {}  # shard: when it was last found at its end

    async def read_round(self, table: str, marks: Mapping[str, int]) -> _Found:
        """Read every readable shard once. Raises FeedLost, and the errors of `Streams`."""
        if _seconds() >= self._describe_at:
            await self._describe(table)
        began = self._clock.now()
        active = readable(self.position, self._shards)
        answers = await asyncio.gather(*(self._read(shard) for shard in active), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer  # before anything is taken: the next round reads the same again
        found = _Found()
        for shard, answer in zip(active, answers, strict=True):
            if isinstance(answer, Read):
                self._take(shard, answer, began, marks, found)
        self.position = replace(self.position, at=began)
        self._conclude(marks, found)
        return found

    async def _describe(self, table: str) -> None:
        if self._clock.now() - self.position.at > RETENTION:
            raise FeedLost("the position in the DynamoDB stream is older than the stream's 24 hours")
        if self.position.stream != await self._streams.find(table):
            raise FeedLost(f"the table {table} has another stream than the position")
        self._shards = await self._streams.shards(self.position.stream)
        self.position = catch_up(self.position, self._shards)
        self._describe_at = _seconds() + DESCRIBE_EVERY

    async def _read(self, shard: str) -> Read | None:
        """None: nothing could be said of this shard in this round."""
        try:
            iterator = self._iterators.get(shard) or await self._iterate(shard)
            return await self._streams.read(iterator, BATCH)
        except IteratorExpired:
            self._iterators.pop(shard, None)
            self._latest.pop((shard, self.position.places[shard].at), None)
        except Refused:  # the shard expired: only a new description can tell what that means
            self._describe_at = 0.0
        return None

    async def _iterate(self, shard: str) -> str:
        place = self.position.places[shard]
        iterator = None
        if place.stand is Stand.SINCE and shard not in self._ends:
            iterator = self._latest.get((shard, place.at))
        if iterator is None:
            iterator = await self._streams.iterate(self.position.stream, shard, place)
        self._iterators[shard] = iterator
        return iterator

    def _take(self, shard: str, answer: Read, began: int, marks: Mapping[str, int], found: _Found) -> None:
        wanted = self._wanted(shard, answer.events)
        found.events += wanted
        newest = max(map(_time_of, answer.events), default=0)
        if wanted:  # DynamoDB tells whole seconds; what was not there at the last look is younger than it
            found.committed_at = max(found.committed_at, newest, self._ends.get(shard, 0))
        if answer.events:
            sequence = answer.events[-1]["dynamodb"]["SequenceNumber"]
            self.position = self.position.put(shard, Place(Stand.AFTER, sequence))
        if len(answer.events) < BATCH:
            self._ends[shard] = began
        for mark, at in marks.items():
            if (not answer.events and at <= began) or newest > at + MARK_SKEW:
                self._passed.setdefault(mark, set()).add(shard)
        self._move_on(shard, answer.next)

    def _wanted(self, shard: str, events: Sequence[Event]) -> Sequence[Event]:
        place = self.position.places[shard]
        if place.stand is not Stand.SINCE:
            return events
        return [event for event in events if _time_of(event) >= int(place.at) - SKEW]

    def _move_on(self, shard: str, iterator: str | None) -> None:
        if iterator is not None:
            self._iterators[shard] = iterator
            return
        self._iterators.pop(shard, None)
        self.position = self.position.put(shard, Place(Stand.DONE))
        self._describe_at = 0.0  # its children are to be found

    def _conclude(self, marks: Mapping[str, int], found: _Found) -> None:
        """A mark is passed once no shard is left that has not passed it; a shard just closed has children."""
        if self._describe_at == 0.0:
            return
        waiting = {shard for shard, place in self.position.places.items() if place.stand is not Stand.DONE}
        for mark in marks:
            if waiting and waiting <= self._passed.get(mark, set()):
                found.markers.add(mark)
                self._passed.pop(mark, None)


def _is_expiry(event: Event) -> bool:
    """True for the removal of a tombstone: by DynamoDB's TTL, in the service's form and in DynamoDB Local's,
    or by anybody else."""
    if event["eventName"] not in ("INSERT", "MODIFY", "REMOVE"):
        return True
    if event["eventName"] != "REMOVE":
        return False
    identity = event.get("userIdentity") or {}
    old = event["dynamodb"].get("OldImage", {})
    is_by_service = identity.get("principalId") == "dynamodb.amazonaws.com"
    return is_by_service or "del" in old.get(META, {}).get("M", {})


def _time_of(event: Event) -> int:
    """Milliseconds since 1970, told in whole seconds."""
    return int(event["dynamodb"]["ApproximateCreationDateTime"] * 1000)


def _seconds() -> float:
    return asyncio.get_running_loop().time()
