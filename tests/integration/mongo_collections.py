"""One prepared collection in a real MongoDB, and the ways around the proxy, for the tests of the store."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from proxy.core.collection import Collection, Settings
from proxy.core.document import OPTIONS, Document
from proxy.core.keys import key_of
from proxy.core.ports import Limits
from proxy.core.version import Record, Stamp
from proxy.core.write import Insert
from proxy.stores.mongo.store import MongoStore, MongoStores
from tests.unit.stores.mongo import documents

_ops = count(1)
NOW = int(time.time() * 1_000)  # of today, or MongoDB would remove tombstones as expired


def stamp(epoch: int = 1, now: int = NOW) -> Stamp:
    return Stamp(epoch, next(_ops).to_bytes(16, "big"), now)


@dataclass(frozen=True)
class Place:
    """A store, its collection as the driver sees it, and how to fill it."""

    stores: MongoStores
    store: MongoStore
    collection: Collection

    @property
    def direct(self) -> AsyncCollection[dict[str, Any]]:
        """What services that bypass the proxy use."""
        return self.database.get_collection(self.collection.mongo_collection, codec_options=OPTIONS)

    @property
    def database(self) -> AsyncDatabase[dict[str, Any]]:
        return self.stores.client[self.collection.mongo_database]

    def limited(self, limits: Limits) -> MongoStore:
        return self.stores.collection(self.collection, limits)

    async def insert(self, document: Document, epoch: int = 1) -> Record:
        command = Insert(key_of(self.collection, document.fields), document)
        result = await self.store.write(command, stamp(epoch))
        assert result.after is not None
        return result.after


@asynccontextmanager
async def opened(
    uri: str, name: str, settings: Settings | None = None, **options: Any
) -> AsyncIterator[Place]:
    """A collection in a database of its own, which is dropped at the end."""
    async with MongoStores.open(uri, **options) as stores:
        collection = replace(documents.collection("jobs", settings), mongo_database=name)
        yield Place(stores, stores.collection(collection), collection)
        await stores.client.drop_database(name)
