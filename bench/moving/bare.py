"""The loop that a backfill is measured by: read every document, write it, remember nothing.

    python -m bench.moving.bare MONGODB_URI DYNAMODB_ENDPOINT COLLECTIONS_FILE NAME

The same clients, the same codecs, as many writes in flight as do it any good; no version, no condition, no
checkpoint. Prints the documents a second.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator

import uvloop

from proxy.config import load_collections
from proxy.core.exchange import Segment
from proxy.core.version import Record
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from proxy.stores.mongo.store import MongoStores

IN_FLIGHT = 32


async def copy(mongodb: str, dynamodb: str, file: str, name: str) -> float:
    """Documents a second."""
    [collection] = [one for one in load_collections(file) if one.name == name]
    settings = DynamoSettings(endpoint=dynamodb, attempt_timeout=20, call_timeout=60)
    async with MongoStores.open(mongodb) as mongo, DynamoStores(settings) as dynamo:
        store = dynamo.collection(collection)
        records = mongo.collection(collection).scan(Segment())

        async def write(source: AsyncIterator[Record]) -> int:
            count = 0
            async for record in source:
                request = {"TableName": collection.table, "Item": store.codec.encode(record)}
                await dynamo.transport.call("PutItem", request)
                count += 1
            return count

        shared = _shared(records)
        begun = time.monotonic()
        counts = await asyncio.gather(*(write(shared) for _ in range(IN_FLIGHT)))
        took = time.monotonic() - begun
    return sum(counts) / took


class _Turns:
    """One iterator that many read from."""

    def __init__(self, records: AsyncIterator[Record]) -> None:
        self._records = records
        self._turn = asyncio.Lock()

    def __aiter__(self) -> AsyncIterator[Record]:
        return self

    async def __anext__(self) -> Record:
        async with self._turn:
            return await anext(self._records)


def _shared(records: AsyncIterator[Record]) -> AsyncIterator[Record]:
    return _Turns(records)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(f"{runner.run(copy(*sys.argv[1:5])):.2f}")
