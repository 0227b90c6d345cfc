"""The four calls of DynamoDB Streams that a feed needs; every one is a read and may be repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from proxy.core.errors import Reason, Refused
from proxy.core.exchange import FeedLost
from proxy.stores.dynamo.failures import Reply
from proxy.stores.dynamo.lineage import Place, Shard, Stand
from proxy.stores.dynamo.transport import Attempt, DynamoSettings, Request, Transport

Event = Mapping[str, Any]


class IteratorExpired(Exception):
    """An iterator is older than 15 minutes: ask for a new one at the same place."""


@dataclass(frozen=True, slots=True)
class Read:
    """One answer of a shard: its records in order, and the next iterator (None: the shard is at its end)."""

    events: Sequence[Event]
    next: str | None


class Streams(Protocol):
    """Raises FeedLost, IteratorExpired, Refused (no such stream), Unavailable and Broken."""

    async def find(self, table: str) -> str:
        """The name (ARN) of the table's stream."""
        ...

    async def shards(self, stream: str) -> list[Shard]:
        """All shards that the stream still holds, the closed ones too."""
        ...

    async def iterate(self, stream: str, shard: str, place: Place | None) -> str:
        """An iterator at a place; None is the end of the shard as of now."""
        ...

    async def read(self, iterator: str, limit: int) -> Read: ...


class LeanStreams:
    """`Streams` over two transports: DynamoDB's own, which is shared, and one of its streams."""

    def __init__(self, dynamodb: Transport, settings: DynamoSettings) -> None:
        self._dynamodb = dynamodb
        self._streams = Transport(replace(settings, is_streams=True), _tell_apart)

    async def find(self, table: str) -> str:
        answer = await self._dynamodb.call("DescribeTable", {"TableName": table})
        stream: str | None = answer["Table"].get("LatestStreamArn")
        if stream is None:
            raise Refused(f"the DynamoDB table {table} has no stream: prepare it", Reason.STORE_REJECTED)
        return stream

    async def shards(self, stream: str) -> list[Shard]:
        found: list[Shard] = []
        start: dict[str, str] = {}
        while True:
            answer = await self._streams.call("DescribeStream", {"StreamArn": stream, **start})
            description = answer["StreamDescription"]
            found += map(_shard_of, description["Shards"])
            if "LastEvaluatedShardId" not in description:
                return found
            start = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}

    async def iterate(self, stream: str, shard: str, place: Place | None) -> str:
        request = {"StreamArn": stream, "ShardId": shard, **_iterator_type(place)}
        answer = await self._streams.call("GetShardIterator", request)
        iterator: str = answer["ShardIterator"]
        return iterator

    async def read(self, iterator: str, limit: int) -> Read:
        answer = await self._streams.call("GetRecords", {"ShardIterator": iterator, "Limit": limit})
        return Read(answer["Records"], answer.get("NextShardIterator"))

    async def close(self) -> None:
        """Close the streams' own connections."""
        await self._streams.close()


async def _tell_apart(operation: str, request: Request, attempt: Attempt) -> Reply:
    """What only streams answer, told before it becomes an error like any other."""
    reply = await attempt(operation, request)
    match reply.error_name:
        case "TrimmedDataAccessException":
            raise FeedLost("the DynamoDB stream no longer holds the position: its records live for 24 hours")
        case "ExpiredIteratorException":
            raise IteratorExpired(reply.message)
        case "ValidationException":
            raise FeedLost(f"the DynamoDB stream does not know the position: {reply.message}")
    return reply


def _shard_of(description: Mapping[str, Any]) -> Shard:
    is_open = "EndingSequenceNumber" not in description["SequenceNumberRange"]
    return Shard(description["ShardId"], description.get("ParentShardId"), is_open)


def _iterator_type(place: Place | None) -> dict[str, str]:
    if place is None:
        return {"ShardIteratorType": "LATEST"}
    if place.stand is Stand.AFTER:
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": place.at}
    return {"ShardIteratorType": "TRIM_HORIZON"}
