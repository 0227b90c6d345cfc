"""A small collection of jobs in DynamoDB, and short words for its keys, documents and stamps."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField
from proxy.core.document import Document, Fields
from proxy.core.keys import Key
from proxy.core.version import Stamp
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.store import DynamoStore
from proxy.stores.dynamo.transport import DynamoSettings
from tests.integration.dynamo_faults import Faults

DEPLOYMENT = KeyField("deployment_key")
DUE = KeyField("due_at", FieldType.NUMBER)
TABLE_KEY = Index("key", IndexKind.TABLE, (DEPLOYMENT,), (KeyField("name"),), "deployment_key", "name")
WORK_QUEUE = Index("work_queue", IndexKind.LOCAL, (DEPLOYMENT,), (DUE,), "deployment_key", "due_at")
BY_OWNER = Index("by_owner", IndexKind.GLOBAL, (KeyField("owner"),), (DUE,), "owner", "due_at")


def jobs(table: str) -> Collection:
    collection = Collection(table, table, "jobs", table, TABLE_KEY, (WORK_QUEUE, BY_OWNER))
    return replace(collection, settings=replace(collection.settings, allow_eventual=True))


def key(name: str) -> Key:
    return Key(("auth0", name))


def job(name: str, **fields: Any) -> Document:
    return Document({"deployment_key": "auth0", "name": name, **fields})


def stamp(epoch: int = 1) -> Stamp:
    return Stamp(epoch, os.urandom(16), time.time_ns() // 1_000_000)


async def fields_of(store: DynamoStore, name: str) -> Fields:
    """The fields of a document that is there."""
    (record,) = await store.get([key(name)])
    assert record is not None
    assert record.document is not None
    return record.document.fields


@asynccontextmanager
async def opened(endpoint: str, table: str, faults: Faults | None = None) -> AsyncIterator[DynamoStore]:
    """A prepared store of jobs, whose table is gone afterwards."""
    async with DynamoStores(
        DynamoSettings(endpoint=endpoint, pause=0.001, attempt_timeout=10, call_timeout=30), faults
    ) as stores:
        store = stores.collection(jobs(table))
        await store.prepare()
        yield store
        await stores.transport.call("DeleteTable", {"TableName": table})
