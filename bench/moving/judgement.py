"""What both stores hold in the end, read whole and compared here, by nothing that verify uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson.raw_bson import RawBSONDocument

from bench.moving.documents import document, key_of, name_of
from bench.moving.traffic import GONE
from proxy.core.collection import Collection
from proxy.core.exchange import Segment
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from proxy.stores.mongo.store import MongoStores


@dataclass(frozen=True, slots=True)
class Judgement:
    """`missing` live documents of MongoDB are not in DynamoDB; `overwritten` ones hold something other than
    the last acknowledged write, or what they were inserted with; `extra` ones are in DynamoDB alone."""

    documents: int
    missing: int
    overwritten: int
    extra: int


async def judge(
    mongodb: str, dynamodb: str, collection: Collection, total: int, expected: Mapping[int, int]
) -> Judgement:
    """Read everything. There must be no traffic, and no feed left to be applied."""
    settings = DynamoSettings(endpoint=dynamodb, attempt_timeout=20, call_timeout=60)
    async with MongoStores.open(mongodb) as mongo, DynamoStores(settings) as dynamo:
        theirs = await _all_of(dynamo.collection(collection))
        missing = overwritten = seen = 0
        async for record in mongo.collection(collection).scan(Segment()):
            if record.document is None:
                continue
            seen += 1
            other = theirs.pop(str(record.key.values[-1]), None)
            if other is None:
                missing += 1
            elif other != (record.version, hash(record.document.to_bson())):
                overwritten += 1
        overwritten += await _wrong(mongo, collection, total, expected)
    return Judgement(seen, missing, overwritten, len(theirs))


async def _all_of(store: Any) -> dict[str, tuple[Any, int]]:
    """The version and the hash of every live document, by name."""
    return {
        str(record.key.values[-1]): (record.version, hash(record.document.to_bson()))
        async for record in store.scan(Segment())
        if record.document is not None
    }


async def _wrong(mongo: MongoStores, collection: Collection, total: int, expected: Mapping[int, int]) -> int:
    """How many documents of MongoDB are not what was written last: the other store was compared with it."""
    documents: Any = mongo.client[collection.mongo_database][collection.mongo_collection]
    held: dict[str, int | None] = {}
    async for row in documents.find(
        {"_cf.del": {"$exists": False}}, {"webtask_name": 1, "live": 1, "_id": 0}
    ):
        held[row["webtask_name"]] = row.get("live")
    wrong = sum(held.get(name_of(number), GONE) != value for number, value in expected.items())
    untouched = range(total // 50 + 1, total)
    wrong += sum(held.get(name_of(number), GONE) is not None for number in untouched)
    sample = [number for number in untouched if number % 97 == 0]
    for number in sample:
        found = await documents.find_one(key_of(number), {"_cf": 0})
        wrong += not isinstance(found, RawBSONDocument | dict) or found["text"] != document(number)["text"]
    return wrong
