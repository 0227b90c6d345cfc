"""MongoDB behind `core.ports.CollectionStore`: one client a process, one store a collection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

from pymongo import AsyncMongoClient

from proxy.core.collection import Collection
from proxy.core.confirmed import Write, write_of
from proxy.core.exchange import ApplyResult, Page, Segment
from proxy.core.keys import Key
from proxy.core.ports import Limits
from proxy.core.query import PageRequest, Plan
from proxy.core.reading import Pool
from proxy.core.stage import StoreName
from proxy.core.update import Update
from proxy.core.version import Record, Stamp
from proxy.core.write import Command, WriteResult
from proxy.stores.mongo.access import access
from proxy.stores.mongo.failures import Translated
from proxy.stores.mongo.feed import MongoFeed
from proxy.stores.mongo.fence import MongoFence
from proxy.stores.mongo.layout import Layout
from proxy.stores.mongo.mirroring import Mirror
from proxy.stores.mongo.native import Compiler
from proxy.stores.mongo.pool import PoolGauge
from proxy.stores.mongo.reading import Reader
from proxy.stores.mongo.segments import Segments
from proxy.stores.mongo.slot import Slot
from proxy.stores.mongo.waits import mend_waits
from proxy.stores.mongo.writing import Writer

# No socketTimeoutMS: with one, the driver sends through asyncio.wait_for, which loses cancellations before
# Python 3.12, and so deadlines. A silent peer is found by the heartbeat, which interrupts what waits for it.
_CLIENT_OPTIONS: dict[str, Any] = {
    "appname": "crossfade",
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 3_000,
    "heartbeatFrequencyMS": 2_000,
    "retryReads": True,
    "retryWrites": True,
}


class MongoStore:
    """One collection in MongoDB (`core.ports.CollectionStore`): what it promises is said there."""

    store = StoreName.MONGODB

    def __init__(
        self, client: AsyncMongoClient[dict[str, Any]], collection: Collection, limits: Limits | None = None
    ) -> None:
        self._access = access(client, collection, limits)
        slot = Slot(self._access)
        self._layout = Layout(self._access)
        self._reader = Reader(self._access, Segments(self._access))
        self._writer = Writer(self._access, slot, Compiler(self._access))
        self._mirror = Mirror(self._access, slot)

    @property
    def fence(self) -> MongoFence:
        return self._access.fence

    async def prepare(self) -> tuple[str, ...]:
        return await self._layout.prepare()

    async def get(self, keys: Sequence[Key]) -> list[Record | None]:
        return await self._reader.get(keys)

    async def versions(self, keys: Sequence[Key]) -> list[Write | None]:
        return [write_of(record) for record in await self._reader.get(keys)]

    async def find(self, plan: Plan, page: PageRequest) -> Page:
        return await self._reader.find(plan, page)

    async def count(self, plan: Plan, scan_budget: int) -> int:
        return await self._reader.count(plan, scan_budget)

    async def write(self, command: Command, stamp: Stamp) -> WriteResult:
        return await self._writer.write(command, stamp)

    async def write_first(self, plan: Plan, update: Update, stamp: Stamp) -> WriteResult:
        return await self._writer.write_first(plan, update, stamp)

    async def apply(self, record: Record, *, is_metered: bool = False) -> ApplyResult:
        return await self._mirror.apply(record)

    async def restamp(self, record: Record, stamp: Stamp, floor: int) -> Record | None:
        return await self._mirror.restamp(record, stamp, floor)

    async def purge(self, tombstone: Record) -> bool:
        return await self._mirror.purge(tombstone)

    def scan(self, segment: Segment, after: Key | None = None) -> AsyncIterator[Record]:
        return self._reader.scan(segment, after)

    async def estimate(self) -> int:
        with Translated():
            return await self._access.newest.estimated_document_count()


class MongoStores:
    """All collections of one deployment, over one client. `async with`, or `close()` at the end."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], gauge: PoolGauge | None = None) -> None:
        self.client = client
        self._gauge = gauge

    @classmethod
    def open(cls, uri: str, *, is_gauged: bool = False, **options: Any) -> Self:
        """Connects on first use. `options` and the URI's own override ours. Raises Broken for a bad URI.

        `is_gauged` says whether `pools` is wanted: counting costs every operation a little.
        """
        gauge = PoolGauge() if is_gauged else None
        options |= {"event_listeners": [gauge]} if gauge else {}
        said = uri.partition("?")[2].lower()
        ours = {name: value for name, value in _CLIENT_OPTIONS.items() if f"{name.lower()}=" not in said}
        mend_waits()
        with Translated():
            client = AsyncMongoClient[dict[str, Any]](uri, **(ours | options), connect=False)
        return cls(client, gauge)

    def collection(self, collection: Collection, limits: Limits | None = None) -> MongoStore:
        return MongoStore(self.client, collection, limits)

    def feed(self, collection: Collection) -> MongoFeed:
        """The feed of one collection (`core.ports.Feed`)."""
        return MongoFeed(self.client, collection)

    def pools(self) -> tuple[Pool, ...]:
        """How busy the connections are, where that was asked for."""
        return (self._gauge.pool,) if self._gauge else ()

    async def close(self) -> None:
        await self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
