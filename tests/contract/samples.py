"""The collection, documents, stamps and small helpers that the tests of the contract share."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from bson.objectid import ObjectId

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField, Settings
from proxy.core.document import Document, Fields, Value
from proxy.core.exchange import Page
from proxy.core.filter import And, Comparator, Compare, Filter
from proxy.core.keys import Key
from proxy.core.planner import plan
from proxy.core.ports import CollectionStore
from proxy.core.query import Order, PageRequest, Plan
from proxy.core.version import Record, Stamp
from proxy.core.write import Delete, Insert, Modify, WriteResult

_DEPLOYMENT, _DUE = KeyField("deployment_key"), KeyField("next_available_at", FieldType.NUMBER)
_KEY = Index(
    "key",
    IndexKind.TABLE,
    (_DEPLOYMENT,),
    (KeyField("webtask_container"), KeyField("webtask_name")),
    "deployment_key",
    "container_name",
)
_WORK_QUEUE = Index(
    "work_queue", IndexKind.LOCAL, (_DEPLOYMENT,), (_DUE,), "deployment_key", "next_available_at"
)
_BY_OWNER = Index("by_owner", IndexKind.GLOBAL, (KeyField("owner"),), (_DUE,), "owner", "next_available_at")
NOW = int(time.time() * 1_000)  # of today, or the stores would remove tombstones as expired
KEY_FIELDS = ("deployment_key", "webtask_container", "webtask_name")
_ticks = itertools.count()


def cron_jobs(name: str) -> Collection:
    """The article's cron jobs, with a global index besides, under names of their own."""
    settings = Settings(allow_scan=True, allow_eventual=True)
    return Collection(name, name, "cron_jobs", name, _KEY, (_WORK_QUEUE, _BY_OWNER), settings)


def stamp(epoch: int = 1, op: bytes | None = None) -> Stamp:
    """A new stamp, a millisecond later than the one before."""
    return Stamp(epoch, op or os.urandom(16), NOW + next(_ticks))


def key(name: str = "job", container: str = "c", deployment: str = "auth0") -> Key:
    return Key((deployment, container, name))


def job(name: str = "job", container: str = "c", deployment: str = "auth0", **fields: Value) -> Document:
    """A document with `_id` first, as the proxy makes it."""
    names = dict(zip(KEY_FIELDS, (deployment, container, name), strict=True))
    return Document({"_id": ObjectId(), **names, **fields})


def body(name: str = "job", **fields: Value) -> Document:
    """A document without `_id`, to replace one with."""
    return Document({field: value for field, value in job(name, **fields).fields.items() if field != "_id"})


def key_for(document: Document) -> Key:
    return Key(tuple(document.fields[name] for name in KEY_FIELDS))


async def insert(store: CollectionStore, document: Document, *, epoch: int = 1) -> Record:
    """The record of a document that is new."""
    result = await store.write(Insert(key_for(document), document), stamp(epoch))
    assert result.after is not None
    return result.after


async def delete(store: CollectionStore, name: Key) -> Record:
    """The tombstone of a document that was there."""
    result = await store.write(Delete(name), stamp())
    assert result.after is not None
    return result.after


async def modify(store: CollectionStore, name: Key, *update: object, epoch: int = 1) -> WriteResult:
    return await store.write(Modify(name, tuple(update)), stamp(epoch))  # type: ignore[arg-type]


async def read(store: CollectionStore, name: Key) -> Record | None:
    (record,) = await store.get([name])
    return record


async def fields_at(store: CollectionStore, name: Key) -> Fields | None:
    record = await read(store, name)
    return record.document.fields if record and record.document else None


def eq(path: str, value: Value) -> Filter:
    return Compare(path, Comparator.EQ, value)


def lte(path: str, value: Value) -> Filter:
    return Compare(path, Comparator.LTE, value)


AUTH0 = eq("deployment_key", "auth0")


def query(collection: Collection, *parts: Filter, order: Sequence[Order] = ()) -> Plan:
    return plan(collection, And(parts), order)


def due(collection: Collection, until: int = 1_000, *, ascending: bool = True) -> Plan:
    """The work queue of the deployment."""
    order = [Order("next_available_at", ascending)]
    return query(collection, AUTH0, lte("next_available_at", until), order=order)


async def pages(
    store: CollectionStore, plan: Plan, limit: int = 100, scan_budget: int = 10_000
) -> AsyncIterator[Page]:
    request = PageRequest(limit, scan_budget=scan_budget)
    while True:
        page = await store.find(plan, request)
        assert len(page.records) <= limit
        yield page
        if page.next is None:
            return
        request = replace(request, after=page.next)


async def find(
    store: CollectionStore, plan: Plan, limit: int = 100, scan_budget: int = 10_000
) -> list[Document]:
    """The documents of all pages."""
    found = [record async for page in pages(store, plan, limit, scan_budget) for record in page.records]
    assert all(record.document is not None for record in found)
    return [record.document for record in found if record.document is not None]


def names(documents: Sequence[Document]) -> list[str]:
    return [document.fields["webtask_name"] for document in documents]
