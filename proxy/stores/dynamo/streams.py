"""The four calls of DynamoDB Streams that a feed needs, over boto3 in threads; its errors become ours.

boto3's clients may be shared between threads. Every call is a read and may be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import botocore.exceptions

from proxy.core.errors import Broken, Reason, Refused, Unavailable
from proxy.core.ports import FeedLost
from proxy.stores.dynamo.lineage import Place, Shard, Stand

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


class BotoStreams:
    """`Streams` with a boto3 client of `dynamodb` and one of `dynamodbstreams`."""

    def __init__(self, dynamodb: Any, streams: Any) -> None:
        self._dynamodb = dynamodb
        self._streams = streams

    async def find(self, table: str) -> str:
        answer = await _call(self._dynamodb.describe_table, TableName=table)
        stream: str | None = answer["Table"].get("LatestStreamArn")
        if stream is None:
            raise Refused(f"the DynamoDB table {table} has no stream; `crossfade plan` says what it needs")
        return stream

    async def shards(self, stream: str) -> list[Shard]:
        found: list[Shard] = []
        start: dict[str, str] = {}
        while True:
            answer = await _call(self._streams.describe_stream, StreamArn=stream, **start)
            description = answer["StreamDescription"]
            found += map(_shard_of, description["Shards"])
            if "LastEvaluatedShardId" not in description:
                return found
            start = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}

    async def iterate(self, stream: str, shard: str, place: Place | None) -> str:
        answer = await _call(
            self._streams.get_shard_iterator, StreamArn=stream, ShardId=shard, **_iterator_type(place)
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    async def read(self, iterator: str, limit: int) -> Read:
        answer = await _call(self._streams.get_records, ShardIterator=iterator, Limit=limit)
        return Read(answer["Records"], answer.get("NextShardIterator"))


def _shard_of(description: Mapping[str, Any]) -> Shard:
    is_open = "EndingSequenceNumber" not in description["SequenceNumberRange"]
    return Shard(description["ShardId"], description.get("ParentShardId"), is_open)


def _iterator_type(place: Place | None) -> dict[str, str]:
    if place is None:
        return {"ShardIteratorType": "LATEST"}
    if place.stand is Stand.AFTER:
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": place.at}
    return {"ShardIteratorType": "TRIM_HORIZON"}


async def _call(function: Callable[..., Any], **arguments: Any) -> Any:
    try:
        return await asyncio.to_thread(function, **arguments)
    except botocore.exceptions.ClientError as error:
        raise _translate(error) from error
    except botocore.exceptions.BotoCoreError as error:
        raise Unavailable(f"DynamoDB Streams did not answer: {error}") from error


_CREDENTIALS = frozenset(
    {"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException"}
)


def _translate(error: botocore.exceptions.ClientError) -> Exception:
    code: str = error.response.get("Error", {}).get("Code", "")
    text = f"DynamoDB Streams: {error}"
    match code:
        case "TrimmedDataAccessException":
            return FeedLost("the DynamoDB stream no longer holds the position: its records live for 24 hours")
        case "ExpiredIteratorException":
            return IteratorExpired(text)
        case "ResourceNotFoundException":
            return Refused(text, Reason.STAGE_NOT_ALLOWED)
        case "ValidationException":
            return FeedLost(f"the DynamoDB stream does not know the position: {error}")
    return Broken(text) if code in _CREDENTIALS else Unavailable(text)
