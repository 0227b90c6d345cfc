"""One collection in a real MongoDB and a real DynamoDB, and the writers that the reconciler lives with."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bson.objectid import ObjectId

from proxy.clock import SystemClock
from proxy.core.collection import Collection, Index, IndexKind, KeyField, Settings
from proxy.core.document import Document
from proxy.core.errors import CrossfadeError
from proxy.core.exchange import Segment
from proxy.core.flag import Flag
from proxy.core.keys import Key
from proxy.core.ports import CollectionStore, Feed
from proxy.core.silence import SilentSignals
from proxy.core.stage import Published, Stage, StoreName
from proxy.core.version import Record, Stamp
from proxy.core.write import Command, Delete, Insert, Replace
from proxy.reconcile.reconciler import Reconciler
from proxy.reconcile.site import Site
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from proxy.stores.memory.control import MemoryControl, MemoryDivergences
from proxy.stores.mongo.store import MongoStores
from tests.fixtures.yard import OpenDoor

KEY = Index("key", IndexKind.TABLE, (KeyField("a"),), (KeyField("b"),), "a", "b")
SETTINGS = Settings(recheck_delays=(0.05, 0.2, 0.8), tombstone_grace=0.2)
NAMES = [f"k{number:02}" for number in range(48)]


def key(name: str) -> Key:
    return Key(("x", name))


@dataclass
class RealSite:
    """Everything of one collection but the proxies; `dice` decides what the writers do."""

    collection: Collection
    mongo: MongoStores
    dynamo: DynamoStores
    dice: random.Random
    door: OpenDoor
    clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.control = MemoryControl(self.clock.now)
        self.divergences = MemoryDivergences()
        self.stores: dict[StoreName, CollectionStore] = {
            StoreName.MONGODB: self.mongo.collection(self.collection),
            StoreName.DYNAMODB: self.dynamo.collection(self.collection),
        }
        self.documents: Any = self.mongo.client[self.collection.mongo_database][
            self.collection.mongo_collection
        ]

    @property
    def primary(self) -> Any:
        return self.stores[self.door.published.stage.primary]

    @property
    def mirror(self) -> Any:
        stage = self.door.published.stage
        assert stage.mirror is not None
        return self.stores[stage.mirror]

    def site(self, replica: str) -> Site:
        """A replica's own view, with feeds of its own."""
        feeds: dict[StoreName, Feed] = {
            StoreName.MONGODB: self.mongo.feed(self.collection),
            StoreName.DYNAMODB: self.dynamo.feed(self.collection, self.clock),
        }
        return Site(
            self.collection,
            self.stores,
            feeds,
            self.control,
            self.divergences,
            self.clock,
            SilentSignals(),
            replica,
        )

    @asynccontextmanager
    async def reconciling(self, replica: str = "r1") -> AsyncIterator[Reconciler]:
        reconciler = Reconciler(self.site(replica), self.door)
        task = asyncio.create_task(reconciler.run())
        try:
            yield reconciler
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def stamp(self) -> Stamp:
        return Stamp(self.door.published.epoch, self.clock.new_op(), self.clock.now())

    async def write_through_proxy(self, count: int, mirrored: float = 0.6) -> None:
        """What proxies do; each dies before its mirror write with the chance of `1 - mirrored`."""
        for number in range(count):
            try:
                result = await self.primary.write(self._command(number), self.stamp())
                if result.after is not None and self.dice.random() < mirrored:
                    await self.mirror.apply(result.after)
            except CrossfadeError:
                continue

    async def write_past_proxy(self, count: int) -> None:
        """What a service does that still writes to MongoDB by itself, and knows of no `_cf`."""
        for number in range(count):
            name, roll = self.dice.choice(NAMES), self.dice.random()
            query = {"a": "x", "b": name, "_cf.del": {"$exists": False}}
            if roll < 0.4:
                await self.documents.update_one(query, {"$set": {"n": f"u{number}"}})
            elif roll < 0.6:
                await self.documents.replace_one(query, {"a": "x", "b": name, "n": f"r{number}"})
            elif roll < 0.8:
                await self.documents.delete_one(query)
            else:
                with contextlib.suppress(Exception):  # the name is taken
                    await self.documents.insert_one({"a": "x", "b": name, "n": f"i{number}"})
            await asyncio.sleep(self.dice.random() * 0.01)

    async def differences(self) -> dict[str, tuple[Record | None, Record | None]]:
        """What the stores disagree on, read whole."""
        ours = {r.key: r async for r in self.primary.scan(Segment()) if not r.is_tombstone}
        theirs = {r.key: r async for r in self.mirror.scan(Segment()) if not r.is_tombstone}
        return {
            str(one.values[1]): (ours.get(one), theirs.get(one))
            for one in ours.keys() | theirs.keys()
            if not _are_equal(ours.get(one), theirs.get(one))
        }

    def _command(self, number: int) -> Command:
        name, roll = self.dice.choice(NAMES), self.dice.random()
        document = Document({"_id": ObjectId(), "a": "x", "b": name, "n": number, "w": [1, 2.5, None]})
        if roll < 0.35:
            return Insert(key(name), document)
        if roll < 0.75:
            kept = {k: v for k, v in document.fields.items() if k != "_id"}
            return Replace(key(name), Document(kept), upsert=True, new_id=ObjectId())
        return Delete(key(name))


def _are_equal(ours: Record | None, theirs: Record | None) -> bool:
    if ours is None or theirs is None:
        return False
    return ours.is_same_write(theirs) and ours.document == theirs.document


@asynccontextmanager
async def open_site(
    mongodb_uri: str, dynamodb_endpoint: str, name: str, stage: Stage, seed: int
) -> AsyncIterator[RealSite]:
    """A prepared, empty collection at `stage`, epoch 1."""
    collection = Collection("jobs", name, "jobs", name, KEY, settings=SETTINGS)
    async with (
        MongoStores.open(mongodb_uri) as mongo,
        DynamoStores(
            DynamoSettings(endpoint=dynamodb_endpoint, attempt_timeout=10, call_timeout=30)
        ) as dynamo,
    ):
        site = RealSite(collection, mongo, dynamo, random.Random(seed), OpenDoor(Published(1, stage)))
        for store in site.stores.values():
            await store.prepare()
        await site.control.create(Flag("jobs", 1, stage, site.clock.now(), mirrored_since=1))
        try:
            yield site
        finally:
            await mongo.client.drop_database(name)
            await dynamo.transport.call("DeleteTable", {"TableName": name})
