"""How far a scan in parallel parts has come: enough to go on after a crash without missing a document.

Invariant: a part stands after a chunk only when that chunk and all before it are complete, and counts include
exactly the chunks that it stands after. So a chunk is done again at worst, and never counted twice.
"""

from __future__ import annotations

import json
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

_READING = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    tz_aware=False,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)


@dataclass(slots=True)
class Chunk:
    """Consecutive records of one part, from the moment they are read to the moment they are done with."""

    last: Key
    counts: Counter[str] = field(default_factory=Counter)
    is_complete: bool = False


@dataclass(slots=True)
class Part:
    """One part of a scan: after which key to go on (None: from the start), and whether it was read to its
    end; some of its chunks may still be worked on then."""

    after: Key | None = None
    is_done: bool = False
    chunks: deque[Chunk] = field(default_factory=deque)

    @property
    def newest(self) -> Key | None:
        """The last key that anybody has begun to work on in this process."""
        return self.chunks[-1].last if self.chunks else self.after


class Progress:
    """The parts of one scan, and what was counted in all that they stand after."""

    def __init__(self, parts: int, counts: Mapping[str, int] | None = None) -> None:
        self.parts = [Part() for _ in range(parts)]
        self.counts: Counter[str] = Counter(counts or {})

    def begin(self, part: int, last: Key) -> Chunk:
        """A chunk that ends with `last` is being worked on."""
        chunk = Chunk(last)
        self.parts[part].chunks.append(chunk)
        return chunk

    def complete(self, part: int, chunk: Chunk) -> None:
        """A chunk is done; the part moves up as far as everything is."""
        chunk.is_complete = True
        chunks = self.parts[part].chunks
        while chunks and chunks[0].is_complete:
            done = chunks.popleft()
            self.parts[part].after = done.last
            self.counts += done.counts

    def finish(self, part: int) -> None:
        self.parts[part].is_done = True

    def to_text(self, scan: str) -> str:
        """The checkpoint of the scan named `scan`; another scan cannot be resumed from it."""
        parts = [[part.is_done and not part.chunks, _write(part.after)] for part in self.parts]
        return json.dumps({"scan": scan, "parts": parts})

    @classmethod
    def from_text(cls, text: str, scan: str, counts: Mapping[str, int]) -> Progress | None:
        """The progress of this very scan; None for any other text."""
        try:
            data = json.loads(text)
            if data["scan"] != scan:
                return None
            progress = cls(len(data["parts"]), counts)
            for part, (is_done, after) in zip(progress.parts, data["parts"], strict=True):
                part.is_done, part.after = is_done, _read(after)
        except (ValueError, KeyError, TypeError):
            return None
        return progress


async def chunks_of(records: AsyncIterator[Record], size: int) -> AsyncIterator[list[Record]]:
    """Records in lists of at most `size` documents and, but for a single larger one, `CHUNK_BYTES`."""
    chunk: list[Record] = []
    weight = 0
    async for record in records:
        bytes_more = len(record.document.to_bson()) if record.document else 0
        if chunk and (len(chunk) == size or weight + bytes_more > CHUNK_BYTES):
            yield chunk
            chunk, weight = [], 0
        chunk.append(record)
        weight += bytes_more
    if chunk:
        yield chunk


def _write(key: Key | None) -> str | None:
    if key is None:
        return None
    return json_util.dumps(list(key.values), json_options=json_util.CANONICAL_JSON_OPTIONS)


def _read(text: str | None) -> Key | None:
    if text is None:
        return None
    values: list[Any] = json_util.loads(text, json_options=_READING)
    return Key(tuple(values))
