"""The old application's documents: a few thousand in MongoDB, written directly, before there was any proxy.

Among them is what real collections have and migrations trip over: keys with separators and wide characters,
integers that a Node driver stored as doubles, decimals with a scale, dates before 1970, UUIDs, duplicate
names, odd field orders, deep nesting.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import bson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

from examples.demo.ledger import Entry, Journal, Name, Untouched
from examples.webtasks import TaskName
from proxy.core.collection import Collection

DEPLOYMENT = "auth0"
QUEUE = "queue"
"""The deployment whose cron jobs are due, and are run by the traffic."""

DUE_JOBS = 40
HOT_STORAGE = 12
"""Webtasks whose storage many writers share; as many again are created by them."""

_OPTIONS: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
)

KEYS = {
    "webtasks": ("deployment_key", "webtask_container", "webtask_name"),
    "webtask_storage": ("deployment_key", "webtask_container", "webtask_name"),
    "cron_jobs": ("deployment_key", "webtask_container", "webtask_name"),
    "modules": ("deployment_key", "module_name", "module_version"),
}
"""The fields of each collection's key, in the order of examples/collections.yaml."""


@dataclass(frozen=True, slots=True)
class ExampleData:
    """Documents by collection, as MongoDB stores them."""

    documents: Mapping[str, tuple[RawBSONDocument, ...]]

    def names(self, collection: str) -> list[Name]:
        return [name_of(collection, document) for document in self.documents[collection]]

    def entries(self) -> Iterator[tuple[Name, Entry]]:
        """What the ledger must say of each before the traffic begins."""
        for collection, documents in self.documents.items():
            for document in documents:
                yield name_of(collection, document), _entry(collection, document)

    def __len__(self) -> int:
        return sum(len(documents) for documents in self.documents.values())


def name_of(collection: str, document: Mapping[str, Any]) -> Name:
    return (collection, *(document[field] for field in KEYS[collection]))


def task_of(name: Name) -> TaskName:
    """The webtask that a document of all collections but modules belongs to."""
    _, deployment, container, task = name
    return TaskName(deployment, container, task)


def hot_storage(number: int) -> TaskName:
    return TaskName(DEPLOYMENT, "hot", f"shared-{number}")


def example_data(size: int, now: int) -> ExampleData:
    """About `size` documents, the same for each size but for ids; `now` is milliseconds since 1970."""
    chance = random.Random(1500283380)
    generators = {
        "webtasks": (_webtask(n) for n in range(size * 4 // 10)),
        "webtask_storage": _storages(size * 2 // 10),
        "cron_jobs": _jobs(size * 2 // 10, now),
        "modules": (_module(n, chance) for n in range(size * 2 // 10)),
    }
    return ExampleData({name: tuple(_stored(each) for each in made) for name, made in generators.items()})


async def load(uri: str, collections: Iterable[Collection], data: ExampleData) -> None:
    """Insert everything, as a service without a proxy would have."""
    client: AsyncMongoClient[RawBSONDocument] = AsyncMongoClient(uri, document_class=RawBSONDocument)
    async with client:
        for collection in collections:
            target = client[collection.mongo_database][collection.mongo_collection]
            await target.insert_many(data.documents[collection.name], ordered=False)


def _stored(document: dict[str, Any] | RawBSONDocument) -> RawBSONDocument:
    if isinstance(document, RawBSONDocument):
        return document
    return RawBSONDocument(bson.encode({"_id": ObjectId(), **document}), _OPTIONS)


def _entry(collection: str, document: Mapping[str, Any]) -> Entry:
    if collection == "cron_jobs" and document["deployment_key"] == QUEUE:
        return Journal(("history",), "result", 10, exists=True)
    if collection == "webtask_storage" and document["webtask_container"] == "hot":
        return Journal(("data", "entries"), exists=True)
    assert isinstance(document, RawBSONDocument)
    return Untouched(bytes(document.raw))


def _webtask(number: int) -> dict[str, Any] | RawBSONDocument:
    key = _task_key(CONTAINERS[number % len(CONTAINERS)], f"task-{number:05d}")
    odd = AWKWARD[number % len(AWKWARD)]
    if number % 100 == 99:
        return _with_duplicate_names(key)
    meta = {"runtime": "node8", "z": 1, "a": 2, "odd": odd}
    return {**key, "code": f"module.exports = cb => cb(null, {number});", "meta": meta, "revision": 1}


def _storages(count: int) -> Iterator[dict[str, Any]]:
    for number in range(HOT_STORAGE):
        yield {**hot_storage(number).key, "data": {"entries": []}, "version": 1}
    for number in range(count - HOT_STORAGE):
        data = {"counter": number, "blob": "x" * (number % 50) * 40}
        key = _task_key(CONTAINERS[number % len(CONTAINERS)], f"task-{number:05d}")
        yield {**key, "data": data, "version": number % 7 + 1, "odd": AWKWARD[number % len(AWKWARD)]}


def _jobs(count: int, now: int) -> Iterator[dict[str, Any]]:
    """Due ones; ones of the far future, their time a double as Node's driver stores it; paused ones."""
    for number in range(DUE_JOBS):
        key = {**_task_key("nightly", f"job-{number:03d}"), "deployment_key": QUEUE}
        yield {**key, "schedule": "* * * * *", "next_available_at": float(now + number), "history": []}
    for number in range(count - DUE_JOBS):
        job: dict[str, Any] = _task_key(CONTAINERS[number % len(CONTAINERS)], f"job-{number:05d}")
        job |= {"schedule": "0 3 * * *", "odd": AWKWARD[number % len(AWKWARD)], "history": []}
        if number % 10:
            job["next_available_at"] = float(now + 86_400_000 + number)
        yield job


def _module(number: int, chance: random.Random) -> dict[str, Any]:
    version = f"{number % 5}.{chance.randrange(40)}.{number}"
    return {
        "deployment_key": DEPLOYMENT,
        "module_name": MODULES[number % len(MODULES)],
        "module_version": version,
        "status": "available",
        "builds": [{"log": f"build {number}", "artifact": f"s3://modules/{number}", "ms": number * 1.0}],
        "artifact": f"s3://modules/{number}",
        "odd": AWKWARD[number % len(AWKWARD)],
    }


def _task_key(container: str, name: str) -> dict[str, Any]:
    return TaskName(DEPLOYMENT, container, name).key


def _with_duplicate_names(key: Mapping[str, Any]) -> RawBSONDocument:
    """A document that no dict can hold, but MongoDB does: the name `note` is there twice."""
    data = bson.encode({"_id": ObjectId(), **key, "code": "//", "revision": 1, "note": "one", "nota": "two"})
    return RawBSONDocument(data.replace(b"\x02nota\x00", b"\x02note\x00"), _OPTIONS)


def _nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"bottom": True}
    for _ in range(levels):
        inner = {"down": inner}
    return inner


CONTAINERS = (
    *(f"container-{number:02d}" for number in range(30)),
    "with/slash",
    "with~tilde",
    "mit Leerzeichen",
    "größe",
    "容器",
    "emoji-🚀",
)

MODULES = ("lodash", "async", "@auth0/node", "express", "request", "ünïcode", "a~b/c", "mongodb", "aws-sdk")

AWKWARD: tuple[Any, ...] = (
    Int64(7),
    2**40,
    1.0,
    -0.0,
    float("nan"),
    float("inf"),
    5e-324,
    1.7976931348623157e308,
    Decimal128("1.00"),
    Decimal128("-0"),
    Decimal128("NaN"),
    Decimal128("9.999999999999999999999999999999999E+6144"),
    datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
    DatetimeMS(253_402_300_800_000),
    ObjectId("5f5b0c6e9b1e8a3d4c2f1a00"),
    Binary.from_uuid(uuid.UUID("12345678-1234-5678-1234-567812345678")),
    Binary(b"", 0),
    Binary(b"md5 bytes", 5),
    Binary(b"user", 0x80),
    Regex("^a.*b$", "im"),
    Timestamp(1_500_283_380, 7),
    Code("function () { return 1; }"),
    Code("function () { return x; }", {"x": 1}),
    MinKey(),
    MaxKey(),
    None,
    "",
    "NUL \x00 and é and e\u0301",
    [],
    {},
    [[], [[]], {"": ""}, None, 1, 1.0, Int64(1)],
    {"": 1, "_": 2, "a.b": 3, "$c": 4, "b": 5, "a": 6},
    {"_cf": "mine", "_ttl": "mine too", "10": 1, "9": 2},
    _nested(45),
    "long text " * 2000,
)
"""Values that two stores may well not agree about."""
