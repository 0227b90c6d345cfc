"""The codec is lossless to the byte, readable, and survives people editing its items."""

from __future__ import annotations

import random
import time
from typing import Any

import bson
import orjson
import pytest
from bson import Code, DatetimeMS, Int64, ObjectId

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField
from proxy.core.document import Document
from proxy.core.keys import Key
from proxy.core.version import LEGACY, Record, Version
from proxy.stores.dynamo.codec import Codec
from tests.unit.stores.dynamo.generated import WEBTASKS, documents, record_of

CODEC = Codec(WEBTASKS)
KEY = {"deployment_key": "auth0", "webtask_container": "mycontainer", "webtask_name": "mywebtask"}


def record(**fields: Any) -> Record:
    document = Document.from_bson(bson.encode({**KEY, **fields}))
    return Record(Key(tuple(KEY.values())), Version(3, 7), b"o" * 16, (b"o" * 16,), document)


def through_wire(item: dict[str, Any]) -> Any:
    return orjson.loads(orjson.dumps(item))


def hints_of(item: dict[str, Any]) -> Any:
    return orjson.loads(item["_cf"]["M"]["t"]["S"])


def test_4000_generated_documents_come_back_to_the_byte() -> None:
    rng = random.Random(1)
    for document in documents(seed=1, count=4000):
        stored = record_of(document, rng)
        back = CODEC.decode(through_wire(CODEC.encode(stored)))
        assert back.document is not None
        assert back.document.to_bson() == document.to_bson()
        assert (back.key, back.version, back.op, back.ops) == (
            stored.key,
            stored.version,
            stored.op,
            stored.ops,
        )
        assert (back.document.raw is None) == (document.raw is None)


def test_the_bytes_decide_not_pythons_equality() -> None:
    """The property above can fail: these differ although Python says that they are equal."""
    assert {"a": 1} == {"a": 1.0}
    assert record(a=1).document != record(a=1.0).document
    assert CODEC.encode(record(a=1)) != CODEC.encode(record(a=1.0))


@pytest.mark.parametrize(
    "bad",
    [
        b"\x06a\x00",  # undefined
        b"\x0ea\x00\x02\x00\x00\x00s\x00",  # symbol
        b"\x0ca\x00\x02\x00\x00\x00s\x00" + bytes(12),  # dbpointer
        b"\x10a\x00\x01\x00\x00\x00\x10a\x00\x02\x00\x00\x00",  # a name twice
        b"\x02a\x00\x03\x00\x00\x00\xff\xfe\x00",  # not UTF-8
        b"\x04a\x00\x0c\x00\x00\x00\x107\x00\x01\x00\x00\x00\x00",  # an array that begins at 7
    ],
)
def test_what_fields_cannot_reproduce_is_kept_as_bytes(bad: bytes) -> None:
    body = bson.encode(KEY)[4:-1] + bad + b"\x00"
    data = (len(body) + 4).to_bytes(4, "little") + body
    stored = record()
    document = Document.from_bson(data)
    assert document.raw == data
    item = CODEC.encode(Record(stored.key, stored.version, stored.op, stored.ops, document))
    assert item["webtask_name"] == {"S": "mywebtask"}
    back = CODEC.decode(through_wire(item))
    assert back.key == stored.key
    assert back.document is not None
    assert back.document.to_bson() == data


def test_the_item_reads_naturally() -> None:
    item = CODEC.encode(record(n=1, due_at=1.0, at=DatetimeMS(1_500_283_380_123), tags=["a"], none=None))
    assert item["deployment_container"] == {"S": "auth0/mycontainer"}
    assert item["n"] == {"N": "1"}
    assert item["due_at"] == {"N": "1"}
    assert item["at"] == {"S": "2017-07-17T09:23:00.123Z"}
    assert item["tags"] == {"L": [{"S": "a"}]}
    assert item["none"] == {"NULL": True}
    assert item["_cf"]["M"]["e"] == {"N": "3"}
    assert "_ttl" not in item


def test_hints_are_sparse_and_mirror_the_document() -> None:
    runs = [{"at": DatetimeMS(1), "ms": Int64(5)}, {"at": DatetimeMS(2), "ms": Int64(6)}]
    item = CODEC.encode(record(created_at=DatetimeMS(0), results=runs, z=[1.0, "x", 2.0]))
    # Sorted: created_at, deployment_key, results, webtask_container, webtask_name, z.
    assert hints_of(item) == {
        "": "134025",
        "created_at": "t",
        "results": {"*": {"at": "t", "ms": "l"}},
        "z": {"*": "d", "1": ""},
    }
    sorted_plain = Document.from_bson(bson.encode(dict(sorted({**KEY, "b": "x"}.items()))))
    plain = Record(Key(tuple(KEY.values())), Version(1, 1), b"", (), sorted_plain)
    assert "t" not in CODEC.encode(plain)["_cf"]["M"]


def test_user_fields_never_collide_with_ours() -> None:
    names = [
        "_cf",
        "__cf",
        "_ttl",
        "cf",
        "deployment_container",
        "_deployment_container",
        "when_key",
        "",
        "_",
        "__",
    ]
    item = CODEC.encode(record(**{name: name for name in names}))
    assert item["__cf"] == {"S": "_cf"}
    assert item["_deployment_container"] == {"S": "deployment_container"}
    assert item["deployment_container"] == {"S": "auth0/mycontainer"}
    back = CODEC.decode(through_wire(item)).document
    assert back is not None
    assert [name for name in back.fields if name not in KEY] == names


@pytest.mark.parametrize("name", ["~", "~0", "~e", "", "\0", "\0a", "a/b", "é"])
def test_a_natural_key_string_comes_back(name: str) -> None:
    stored = Document.from_bson(bson.encode({**KEY, "webtask_name": name}))
    key = Key(("auth0", "mycontainer", name))
    item = CODEC.encode(Record(key, Version(1, 1), b"", (), stored))
    assert item["webtask_name"]["S"] != ""
    assert {n: item[n] for n in CODEC.layout.key_attributes} == CODEC.layout.key_item(key)
    assert CODEC.decode(item).document == stored
    assert CODEC.layout.key_of_item(item) == key


@pytest.mark.parametrize(
    ("kind", "value", "attribute"),
    [
        (FieldType.NUMBER, 1.0, {"N": "1"}),
        (FieldType.NUMBER, -0.0, {"N": "0"}),
        (FieldType.NUMBER, Int64(1), {"N": "1"}),
        (FieldType.NUMBER, float(2**62), {"N": str(2**62)}),
        (FieldType.DATE, DatetimeMS(0), {"S": "1970-01-01T00:00:00.000Z"}),
        (FieldType.BOOL, True, {"S": "~t"}),
        (FieldType.OBJECT_ID, ObjectId("5" * 24), {"S": "5" * 24}),
    ],
)
def test_a_natural_key_of_another_type_comes_back_exactly(
    kind: FieldType, value: Any, attribute: Any
) -> None:
    field = KeyField("k", kind)
    codec = Codec(Collection("c", "d", "c", "t", Index("key", IndexKind.TABLE, (field,), (), "k", None)))
    document = Document({"k": value})
    item = codec.encode(Record(Key((value,)), LEGACY, b"", (), document))
    assert item["k"] == attribute == codec.layout.key_item(Key((value,)))["k"]
    assert codec.decode(through_wire(item)).document == document


def test_a_tombstone_carries_its_key_and_no_index_attribute() -> None:
    tombstone = Record(Key(("a", "b", "~c")), Version(2, 9), b"p" * 16, (b"p" * 16,), None, deleted_at=5_000)
    item = CODEC.encode(tombstone)
    assert set(item) == {
        "_cf",
        "_ttl",
        "deployment_container",
        "deployment_key",
        "webtask_container",
        "webtask_name",
    }
    assert item["_ttl"] == {"N": str(5 + 7 * 86_400)}
    assert CODEC.decode(through_wire(item)) == tombstone


def test_a_tombstone_stays_out_of_an_index_on_a_key_field() -> None:
    by_container = Index(
        "by_container", IndexKind.GLOBAL, (KeyField("webtask_container"),), (), "webtask_container", None
    )
    codec = Codec(
        Collection("c", "d", "c", "t", WEBTASKS.key, (by_container,)),
    )
    tombstone = Record(Key(("a/x", "b", "c")), Version(2, 9), b"", (), None, deleted_at=5_000)
    item = codec.encode(tombstone)
    assert "webtask_container" not in item
    assert codec.decode(through_wire(item)) == tombstone


def test_index_attributes_need_every_field_of_the_declared_type() -> None:
    owner, when = ObjectId(), DatetimeMS(0)
    whole = CODEC.encode(record(owner=owner, when=when, live=True))
    assert whole["when_key"] == {"S": "~d1970-01-01T00:00:00.000Z/~t"}
    assert "when_key" not in CODEC.encode(record(owner=owner, when=when))
    assert "when_key" not in CODEC.encode(record(owner=owner, when="soon", live=True))


def test_an_edited_item_says_what_it_now_says() -> None:
    stored = record(at=DatetimeMS(0), n=Int64(5), id=ObjectId(), z=1.0, order="x", sub={"b": 1, "a": 2})
    item = CODEC.encode(stored)
    item["at"] = {"S": "yesterday"}
    item["n"] = {"N": "4.5"}
    item["id"] = {"S": "not hex"}
    item["z"] = {"SS": ["p", "q"]}
    item["sub"] = {"M": {"a": {"N": "1"}, "b": {"N": "2"}, "c": {"N": "3"}}}
    item["new"] = {"N": "123456789012345678901234567890.5"}
    back = CODEC.decode(item).document
    assert back is not None
    edited = {name: back.fields[name] for name in ("at", "n", "id", "z", "sub")}
    assert edited == {
        "at": "yesterday",
        "n": 4.5,
        "id": "not hex",
        "z": ["p", "q"],
        "sub": {"a": 1, "b": 2, "c": 3},
    }
    assert str(back.fields["new"]) == "123456789012345678901234567890.5"


def test_an_item_without_metadata_is_a_legacy_record() -> None:
    item = CODEC.encode(record(a=1))
    del item["_cf"]
    assert CODEC.decode(item).version == LEGACY
    assert CODEC.decode(item).key == record().key


def test_names_that_would_collide_are_refused() -> None:
    for attribute in ("_cf", "cf", "__ttl"):
        with pytest.raises(ValueError, match="key"):
            Codec(
                Collection(
                    "c", "d", "c", "t", Index("key", IndexKind.TABLE, (KeyField("a"),), (), attribute, None)
                )
            )


def test_subclasses_are_stored_as_what_bson_reads_back() -> None:
    class Text(str):
        __slots__ = ()

    item = CODEC.encode(record())
    stored = Record(record().key, Version(1, 1), b"", (), Document({**KEY, "a": Text("x"), "c": Code("y")}))
    item = CODEC.encode(stored)
    assert item["a"] == {"S": "x"}
    assert CODEC.decode(item).document == stored.document


def test_cost_of_a_document_with_15_fields() -> None:
    """A bound far above what it takes (about 20 us each way), to notice a mistake, not a busy machine."""
    fields = {"_id": ObjectId(), "at": DatetimeMS(5), "due_at": 1.5e12, "live": True, "none": None, "n": 7}
    fields |= {f"text{n}": "some text" for n in range(3)} | {"tags": ["a", "b"], "sub": {"x": 1, "y": 2.5}}
    stored = record(**fields)
    item = through_wire(CODEC.encode(stored))
    started = time.process_time()
    for _ in range(1000):
        CODEC.encode(stored)
        CODEC.decode(item)
    assert time.process_time() - started < 0.5
