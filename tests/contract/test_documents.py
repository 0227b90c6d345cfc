"""Whatever BSON can hold comes back from every store, and every path of writing, to the byte."""

from __future__ import annotations

import struct
import uuid

import bson
import pytest
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from proxy.core.document import Document, Fields, Value
from proxy.core.exchange import Segment
from proxy.core.ports import CollectionStore
from proxy.core.update import Set, Unset
from proxy.core.version import Record, Version
from proxy.core.write import Modify, Precondition, Replace
from tests.contract.samples import AUTH0, body, eq, find, insert, job, key, query, read, stamp
from tests.contract.subjects import Subject

EXOTIC: dict[str, Value] = {
    "null": None,
    "true": True,
    "int32": 1,
    "int32 edges": [-(2**31), 2**31 - 1],
    "int64": [Int64(1), 2**31, -(2**63), 2**63 - 1],
    "integral double": [1.0, -0.0, 0.0, 1e15, 2.0**53, 2.0**63, 1e22],
    "double": [0.1, 1e-130, 5e-324, 1.7976931348623157e308, -1.5],
    "not a number": [float("inf"), float("-inf")],
    "decimal": [
        Decimal128(text) for text in ("1", "1.0", "1.00", "-0", "0E+3", "NaN", "1E-6176", "Infinity")
    ],
    "text": ["", "日本", "\0", "a\0b", "\uffff", "😀", "é", "e\u0301", " ", "~"],
    "bytes": [b"", b"\0\xff", Binary(b"x", 5), Binary(b"y", 128), Binary(b"", 2)],
    "uuid": Binary(uuid.UUID(int=7).bytes, 4),
    "old uuid": Binary(uuid.UUID(int=7).bytes, 3),
    "odd uuid": Binary(b"short", 4),
    "date": [DatetimeMS(ms) for ms in (0, -1, 1500283380123, 253402300799999, 2**62, -(2**63))],
    "object id": ObjectId("596c7a48f36d2840b4a2b8ab"),
    "regex": [Regex("^a/b", "i"), Regex("", "")],
    "timestamp": [Timestamp(1, 2), Timestamp(2**32 - 1, 2**32 - 1)],
    "code": [Code("f()"), Code("f()", {"x": 1})],
    "keys": [MinKey(), MaxKey()],
    "empty": [[], {}, [[]], [{}], {"a": {}}],
    "order": {"z": 1, "a": 2, "m": {"y": 1, "b": 2}},
    "names": {"": 1, "_": 2, "a.b": 3, "$c": 4, "#d": 5, " ": 6, "日": 7, "0": 8, "_cf": 9, "_ttl": 10},
    "mixed": [1, "1", None, 1.0, {"a": [1, {"b": Int64(2)}]}, [2.5, [Decimal128("2.50")]]],
}
OURS = ["_cf", "__cf", "___cf", "cf", "_ttl", "__ttl", "_cfx", "container_name", "_container_name"]


def deep(levels: int) -> Value:
    return {"d": deep(levels - 1)} if levels else [1]


@pytest.mark.parametrize("name", [*EXOTIC])
async def test_a_value_comes_back_to_the_byte(store: CollectionStore, name: str) -> None:
    document = job(v=EXOTIC[name])
    await insert(store, document)
    record = await read(store, key())
    assert record is not None
    assert record.document is not None
    assert record.document.to_bson() == document.to_bson()


async def test_all_ways_of_writing_and_reading_keep_every_value(subject: Subject) -> None:
    fields = {name: value for name, value in EXOTIC.items() if name not in ("null", "true")}
    inserted, replaced, applied, planted = (job(name, v=fields) for name in ("i", "r", "a", "p"))
    modified = job("m")
    await insert(subject.store, inserted)
    await insert(subject.store, job("r"))
    result = await subject.store.write(Replace(key("r"), body("r", v=fields)), stamp())
    assert result.after is not None
    assert result.after.document is not None
    replaced = Document({"_id": result.after.document.fields["_id"], **body("r", v=fields).fields})
    await subject.store.apply(Record(key("a"), Version(1, 1), b"o" * 16, (b"o" * 16,), applied))
    await subject.plant(planted)
    await insert(subject.store, modified)
    await subject.store.write(Modify(key("m"), (Set("v", fields),)), stamp())
    modified = Document({**modified.fields, "v": fields})
    expected = {d.fields["webtask_name"]: d for d in (inserted, replaced, applied, planted, modified)}
    for name, document in expected.items():
        record = await read(subject.store, key(name))
        assert record is not None
        assert record.document == document, name
    listed = await find(subject.store, query(subject.collection, AUTH0))
    assert {d.fields["webtask_name"]: d for d in listed} == expected
    scanned = {record.key: record.document async for record in subject.store.scan(Segment())}
    assert scanned == {key(name): document for name, document in expected.items()}


async def test_fields_named_as_ours_are_the_users_own(subject: Subject) -> None:
    document = job(**{name: place for place, name in enumerate(OURS)})  # type: ignore[arg-type]
    await insert(subject.store, document)
    record = await read(subject.store, key())
    assert record is not None
    assert record.document == document
    for place, name in enumerate(OURS):
        mine = query(subject.collection, AUTH0, eq(name, place))
        assert await find(subject.store, mine) == [document]
        assert not await find(subject.store, query(subject.collection, AUTH0, eq(name, -1)))
    update = (Set("_cf", {"e": 99, "del": DatetimeMS(0)}), Unset("_ttl"))
    result = await subject.store.write(Modify(key(), update, Precondition(eq("_cf", 0))), stamp())
    assert result.after == await read(subject.store, key())
    assert result.after is not None
    assert result.after.document is not None
    assert result.after.document.fields["_cf"] == {"e": 99, "del": DatetimeMS(0)}
    assert "_ttl" not in result.after.document.fields
    assert result.after.document.fields["__ttl"] == OURS.index("__ttl")


async def test_a_document_that_decoding_would_change_keeps_its_bytes(subject: Subject) -> None:
    """Duplicate names and a deprecated type: only the bytes themselves tell."""
    names = job().fields
    duplicate = b"\x10n\0" + struct.pack("<i", 1) + b"\x10n\0" + struct.pack("<i", 2) + b"\x06undefined\0"
    data = bson.encode(names)[4:-1] + duplicate + b"\0"
    document = Document.from_bson(struct.pack("<i", len(data) + 4) + data)
    assert document.raw is not None
    await subject.plant(document)
    record = await read(subject.store, key())
    assert record is not None
    assert record.document is not None
    assert record.document.to_bson() == document.to_bson()
    copy = Record(key(), Version(3, 1), b"o" * 16, (b"o" * 16,), document)
    await subject.store.apply(copy)
    assert await read(subject.store, key()) == copy


@pytest.mark.parametrize("levels", [10, 29, 60])
async def test_deep_documents_come_back(store: CollectionStore, levels: int) -> None:
    document = job(v=deep(levels))
    await insert(store, document)
    record = await read(store, key())
    assert record is not None
    assert record.document == document


async def test_a_large_document_comes_back(store: CollectionStore) -> None:
    document = job(text="é" * 100_000, bytes=b"\xff" * 100_000)
    await insert(store, document)
    record = await read(store, key())
    assert record is not None
    assert record.document == document


async def test_many_fields_keep_their_order(store: CollectionStore) -> None:
    fields: Fields = {f"f{n * 7919 % 200:03}": n for n in range(200)}
    document = job(**fields)
    await insert(store, document)
    record = await read(store, key())
    assert record is not None
    assert record.document == document
