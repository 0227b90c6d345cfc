"""The independent checker: reads both stores directly, past the proxies, and compares everything.

Only the stores' codecs are the proxy's own; reading (PyMongo, boto3), comparing and counting are not.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern

from examples.demo.ledger import Held, Judgement, Ledger, Name
from examples.demo.stack import Stack, dynamodb_client
from proxy.core.collection import Collection
from proxy.core.version import Record
from proxy.embedded.stores import Store
from proxy.stores.dynamo.codec import Codec
from proxy.stores.mongo.codec import RAW, RecordCodec

_LOOK_AGAIN = 0.5  # seconds

Records = Mapping[Name, Record]


@dataclass(frozen=True, slots=True)
class Findings:
    """What both stores hold, measured against each other and against the ledger."""

    documents: int
    unequal: Mapping[Name, str]
    mongodb: Judgement
    dynamodb: Judgement
    broken: tuple[Name, ...]
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> int:
        """Acknowledged writes that are missing from a store, whichever misses more."""
        return max(self.mongodb.lost, self.dynamodb.lost)

    @property
    def doubled(self) -> int:
        return max(self.mongodb.doubled, self.dynamodb.doubled)


async def check(stack: Stack, ledger: Ledger, patience: float = 20.0) -> Findings:
    """Compare; where the stores differ, look again for `patience` seconds: the reconciler may be at work."""
    deadline = time.monotonic() + patience
    while True:
        findings = await asyncio.to_thread(_check, stack, ledger)
        if not (findings.unequal or findings.broken) or time.monotonic() > deadline:
            return findings
        await asyncio.sleep(_LOOK_AGAIN)


def _check(stack: Stack, ledger: Ledger) -> Findings:
    mongodb: dict[Name, Record] = {}
    dynamodb: dict[Name, Record] = {}
    for collection in stack.collections:
        mongodb.update(_read_mongodb(stack.stores.mongodb, collection))
        dynamodb.update(_read_dynamodb(stack.stores.dynamodb, collection))
    unequal = dict(_differences(mongodb, dynamodb))
    in_mongodb, in_dynamodb = _live(mongodb), _live(dynamodb)
    return Findings(
        documents=len(in_dynamodb),
        unequal=unequal,
        mongodb=ledger.judge(in_mongodb),
        dynamodb=ledger.judge(in_dynamodb),
        broken=tuple({*ledger.broken(in_mongodb), *ledger.broken(in_dynamodb)}),
        kinds=Counter(unequal.values()),
    )


def _read_mongodb(store: Store, collection: Collection) -> Iterator[tuple[Name, Record]]:
    """Every document, tombstones included, as a majority holds it."""
    codec = RecordCodec(collection)
    client: MongoClient[RawBSONDocument] = MongoClient(store.address, document_class=RawBSONDocument)
    with client:
        source = client[collection.mongo_database].get_collection(
            collection.mongo_collection, codec_options=RAW, read_concern=ReadConcern("majority")
        )
        for document in source.find():
            yield _named(collection, codec.decode(document))


def _read_dynamodb(store: Store, collection: Collection) -> Iterator[tuple[Name, Record]]:
    """Every item, tombstones included, by a strongly consistent scan."""
    codec = Codec(collection)
    pages = dynamodb_client(store).get_paginator("scan")
    for page in pages.paginate(TableName=collection.table, ConsistentRead=True):
        for item in page["Items"]:
            yield _named(collection, codec.decode(_on_the_wire(item)))


def _on_the_wire(value: Any) -> Any:
    """boto3's item in DynamoDB's JSON, where binaries are base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _on_the_wire(inner) for name, inner in value.items()}
    return [_on_the_wire(inner) for inner in value] if isinstance(value, list) else value


def _named(collection: Collection, record: Record) -> tuple[Name, Record]:
    return (collection.name, *record.key.values), record


def _live(records: Records) -> dict[Name, Held]:
    return {
        name: Held(record.document.fields, record.document.to_bson())
        for name, record in records.items()
        if record.document is not None
    }


def _differences(mongodb: Records, dynamodb: Records) -> Iterator[tuple[Name, str]]:
    for name in mongodb.keys() | dynamodb.keys():
        difference = _difference(mongodb.get(name), dynamodb.get(name))
        if difference:
            yield name, difference


def _difference(mongodb: Record | None, dynamodb: Record | None) -> str:
    """How two records of one key differ, or nothing; a tombstone is as good as no record at all."""
    left = mongodb.document if mongodb else None
    right = dynamodb.document if dynamodb else None
    if left is None and right is None:
        return ""
    if left is None or right is None:
        return f"only in {'DynamoDB' if left is None else 'MongoDB'}"
    if left.to_bson() != right.to_bson():
        return "content"
    assert mongodb is not None
    assert dynamodb is not None
    return "" if mongodb.is_same_write(dynamodb) else "version"
