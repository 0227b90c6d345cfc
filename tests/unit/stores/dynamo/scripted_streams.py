"""A scripted DynamoDB stream: shards that split, close, expire and lose records, as the service's do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from proxy.core.errors import Refused, Unavailable
from proxy.core.exchange import FeedLost
from proxy.stores.dynamo.lineage import Place, Shard, Stand
from proxy.stores.dynamo.streams import IteratorExpired, Read

ARN = "arn:aws:dynamodb:local:0:table/jobs/stream/1"


@dataclass(slots=True)
class Tape:
    """One shard's records by sequence number; `trimmed` is how many of the oldest are gone."""

    parent: str | None
    records: list[dict[str, Any]] = field(default_factory=list)
    is_open: bool = True
    trimmed: int = 0


class ScriptedStreams:
    """See `proxy.stores.dynamo.streams.Streams`. `calls` counts them, `fail_next` raises once."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.tapes: dict[str, Tape] = {"s0": Tape(None)}
        self.stream = ARN
        self.page = 1000
        self.fail_next: Exception | None = None
        self.reads = 0
        self._clock = clock
        self._sequence = 0
        self._iterators: dict[str, tuple[str, int]] = {}

    def write(self, shard: str, key: str, name: str = "MODIFY", **more: Any) -> None:
        """Append one record of the item `key`, which is `partition/sort`."""
        assert self.tapes[shard].is_open, "a closed shard takes no records"
        self._sequence += 1
        partition, sort = key.split("/")
        change = {
            "Keys": {"a": {"S": partition}, "b": {"S": sort}},
            "SequenceNumber": f"{self._sequence:021}",
            "ApproximateCreationDateTime": float(self._clock() // 1000),
        } | more.pop("dynamodb", {})
        self.tapes[shard].records.append({"eventName": name, "dynamodb": change} | more)

    def split(self, shard: str, *children: str) -> None:
        """Close a shard and open its children."""
        self.tapes[shard].is_open = False
        for child in children:
            self.tapes[child] = Tape(shard)

    def expire(self, shard: str) -> None:
        """The service forgets a closed shard after 24 hours."""
        del self.tapes[shard]

    def trim(self, shard: str, count: int) -> None:
        """The service forgets a shard's oldest records."""
        self.tapes[shard].trimmed = count

    def expire_iterators(self) -> None:
        self._iterators.clear()

    async def find(self, table: str) -> str:
        self._maybe_fail()
        return self.stream

    async def shards(self, stream: str) -> list[Shard]:
        self._maybe_fail()
        return [Shard(name, tape.parent, tape.is_open) for name, tape in self.tapes.items()]

    async def iterate(self, stream: str, shard: str, place: Place | None) -> str:
        self._maybe_fail()
        if shard not in self.tapes:
            raise Refused("no such shard")
        tape = self.tapes[shard]
        if place is None:
            return self._issue(shard, len(tape.records))
        if place.stand is not Stand.AFTER:
            return self._issue(shard, tape.trimmed)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in tape.records]
        index = numbers.index(place.at)
        if index < tape.trimmed:
            raise FeedLost("trimmed")
        return self._issue(shard, index + 1)

    async def read(self, iterator: str, limit: int) -> Read:
        self._maybe_fail()
        self.reads += 1
        if iterator not in self._iterators:
            raise IteratorExpired("too old")
        shard, start = self._iterators[iterator]
        if shard not in self.tapes:
            raise Refused("no such shard")
        tape = self.tapes[shard]
        if start < tape.trimmed:
            raise FeedLost("trimmed")
        end = min(start + min(limit, self.page), len(tape.records))
        is_over = not tape.is_open and end == len(tape.records)
        return Read(tape.records[start:end], None if is_over else self._issue(shard, end))

    def _issue(self, shard: str, index: int) -> str:
        name = f"i{len(self._iterators)}-{shard}-{index}"
        self._iterators[name] = (shard, index)
        return name

    def _maybe_fail(self) -> None:
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error


THROTTLED = Unavailable("throttled")
