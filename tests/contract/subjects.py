"""The stores that the contract is checked on: how to open each, and what a bypassing writer would do to it.

To add a store, write an async context manager like those below and name it in SUBJECTS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import pytest
from bson.raw_bson import RawBSONDocument

from proxy.core.collection import Collection
from proxy.core.document import Document
from proxy.core.keys import key_of
from proxy.core.ports import CollectionStore, Fence
from proxy.core.stage import StoreName
from proxy.core.version import LEGACY, Record
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from proxy.stores.memory.store import MemoryFence, MemoryStore
from proxy.stores.mongo.store import MongoStores


@dataclass(frozen=True, slots=True)
class Subject:
    """A prepared store of one empty collection.

    `plant` stores a document as it was before there was a proxy. `fence` is None where the store has none.
    """

    store: CollectionStore
    collection: Collection
    plant: Callable[[Document], Awaitable[None]]
    fence: Fence | None = None


Opening: TypeAlias = Callable[[Collection, pytest.FixtureRequest], AbstractAsyncContextManager[Subject]]


@asynccontextmanager
async def open_memory(collection: Collection, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """Yields to the other tasks wherever a real store would wait."""
    store = MemoryStore(collection, StoreName.MONGODB, pause=lambda: asyncio.sleep(0))

    async def plant(document: Document) -> None:
        key = key_of(collection, document.fields)
        store.table.put(key, Record(key, LEGACY, b"", (), document))

    await store.prepare()
    yield Subject(store, collection, plant, MemoryFence(store.table))


@asynccontextmanager
async def open_mongo(collection: Collection, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    uri: str = request.getfixturevalue("mongodb_uri")
    async with MongoStores.open(uri) as stores:
        database = stores.client[collection.mongo_database]

        async def plant(document: Document) -> None:
            await database[collection.mongo_collection].insert_one(RawBSONDocument(document.to_bson()))

        store = stores.collection(collection)
        await store.prepare()
        yield Subject(store, collection, plant, store.fence)
        await stores.client.drop_database(collection.mongo_database)


@asynccontextmanager
async def open_dynamo(collection: Collection, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    endpoint: str = request.getfixturevalue("dynamodb_endpoint")
    async with DynamoStores(DynamoSettings(endpoint=endpoint, attempt_timeout=10, call_timeout=30)) as stores:
        store = stores.collection(collection)

        async def plant(document: Document) -> None:
            await store.apply(Record(key_of(collection, document.fields), LEGACY, b"", (), document))

        await store.prepare()
        yield Subject(store, collection, plant)
        await stores.transport.call("DeleteTable", {"TableName": collection.table})


SUBJECTS: dict[str, Opening] = {"memory": open_memory, "mongodb": open_mongo, "dynamodb": open_dynamo}
"""Every store, by the name that its tests carry."""

FENCED = ("memory", "mongodb")
"""Those that can refuse an epoch as a whole; DynamoDB has no such thing for a table."""
