"""How far one range of a scan is done: enough to go on after a crash without missing a document.

Invariant: a range stands after a chunk only when that chunk and all before it are complete, and its counts
include exactly the chunks that it stands after. So a chunk is done again at worst, and never counted twice.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bson import json_util
from bson.codec_options import DatetimeConversion

from proxy.core.keys import Key
from proxy.core.version import Record

CHUNK_BYTES = 2 * 1024 * 1024
"""What bounds the memory of a scan, whatever the size of the documents."""

PER_RANGE = 5_000
"""Documents of a range: enough to be worth its checkpoints, few enough to share and to take over."""
LEAST_RANGES, MOST_RANGES = 4, 1_000

_READING = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    tz_aware=False,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)


@dataclass(slots=True)
class Chunk:
    """Consecutive records, from the moment they are read; `counts` is what became of them, None till then."""

    last: Key
    counts: Mapping[str, int] | None = None


@dataclass(slots=True)
class Progress:
    """After which key to go on (None: from the start), what was counted up to there, and whether all is done.

    Shared by whoever works on the range and whoever saves it; neither waits for the other.
    """

    after: Key | None = None
    counts: Counter[str] = field(default_factory=Counter)
    is_done: bool = False
    chunks: deque[Chunk] = field(default_factory=deque)

    @property
    def newest(self) -> Key | None:
        """The last key that anybody has begun to work on in this process."""
        return self.chunks[-1].last if self.chunks else self.after

    def begin(self, last: Key) -> Chunk:
        """A chunk that ends with `last` is being worked on."""
        chunk = Chunk(last)
        self.chunks.append(chunk)
        return chunk

    def complete(self, chunk: Chunk, counts: Mapping[str, int]) -> None:
        """A chunk is done; the range moves up as far as everything is."""
        chunk.counts = counts
        chunks = self.chunks
        while chunks and chunks[0].counts is not None:
            done = chunks.popleft()
            self.after = done.last
            for name, amount in (done.counts or {}).items():
                self.counts[name] += amount

    def forget(self) -> None:
        """Whoever worked on the chunks that are not complete has stopped: they are to be done again."""
        self.chunks.clear()

    @property
    def position(self) -> str:
        """Where it stands, as text; empty at the start."""
        return "" if self.after is None else write_key(self.after)

    @classmethod
    def at(cls, position: str, counts: Mapping[str, int]) -> Progress:
        """The progress that a position and its counts were taken from."""
        return cls(read_key(position) if position else None, Counter(counts))


def ranges_for(documents: int) -> int:
    """How many ranges a scan of about so many documents is divided into."""
    return min(MOST_RANGES, max(LEAST_RANGES, -(-documents // PER_RANGE)))


async def chunks_of(records: AsyncIterator[Record], size: int) -> AsyncIterator[list[Record]]:
    """Records in lists of at most `size` documents and, but for a single larger one, `CHUNK_BYTES`."""
    chunk: list[Record] = []
    weight = 0
    async for record in records:
        bytes_more = size_of(record)
        if chunk and (len(chunk) == size or weight + bytes_more > CHUNK_BYTES):
            yield chunk
            chunk, weight = [], 0
        chunk.append(record)
        weight += bytes_more
    if chunk:
        yield chunk


def size_of(record: Record) -> int:
    """The bytes of a record's document in BSON; 0 of a tombstone."""
    return len(record.document.to_bson()) if record.document else 0


def write_key(key: Key) -> str:
    """A key as text that leads back to it, types included."""
    return json_util.dumps(list(key.values), json_options=json_util.CANONICAL_JSON_OPTIONS)


def read_key(text: str) -> Key:
    """The key that `write_key` wrote."""
    values: list[Any] = json_util.loads(text, json_options=_READING)
    return Key(tuple(values))
