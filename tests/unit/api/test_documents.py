"""Documents pass the edge without loss, and what BSON or the contract does not allow is refused by name."""

from __future__ import annotations

from collections.abc import Callable

import bson
import pytest
from bson import DBRef, Int64, ObjectId, Regex, Timestamp
from hypothesis import given

from crossfade.v1 import document_pb2 as pb
from proxy.api.translate.documents import identify, read_document, write_document
from proxy.api.translate.values import MAX_DEPTH, read_value, write_value
from proxy.core.document import Document, Fields
from proxy.core.errors import BadRequest, Reason
from tests.unit.api.samples import FIELDS


def carried(document: Document) -> Document:
    """The document after a journey over the wire."""
    message = pb.Document()
    write_document(message, document)
    return read_document(pb.Document.FromString(message.SerializeToString()))


@given(FIELDS)
def test_every_document_survives_to_the_byte(fields: Fields) -> None:
    document = Document.from_bson(bson.encode(fields))
    assert carried(document).to_bson() == document.to_bson()


@given(FIELDS)
def test_a_document_that_fields_can_carry_needs_no_escape(fields: Fields) -> None:
    message = pb.Document()
    write_document(message, Document(fields))
    assert message.bson == b""


@pytest.mark.parametrize(
    "data",
    [
        b"\x13\0\0\0\x10a\0\1\0\0\0\x10a\0\2\0\0\0\0",  # a name twice
        b"\x0f\0\0\0\x02a\0\3\0\0\0\xff\xfe\0\0",  # a string that is not UTF-8
        b"\x08\0\0\0\x06a\0\0",  # undefined
        b"\x14\0\0\0\x04a\0\x0c\0\0\0\x107\0\1\0\0\0\0\0",  # an array with an odd index
    ],
)
def test_a_document_that_fields_cannot_reproduce_travels_as_bson(data: bytes) -> None:
    document = Document.from_bson(data)
    message = pb.Document()
    write_document(message, document)
    assert message.bson == data
    assert read_document(message).to_bson() == data


def nested(depth: int) -> Fields:
    fields: Fields = {"leaf": 1}
    for _ in range(depth):
        fields = {"inner": fields}
    return fields


def test_deep_documents_travel_as_bson_with_what_can_be_shown_beside() -> None:
    message = pb.Document()
    write_document(message, Document(nested(MAX_DEPTH)))
    assert not message.bson
    message = pb.Document()
    write_document(message, Document({"shown": 1, **nested(MAX_DEPTH + 1)}))
    assert [field.name for field in message.fields] == ["shown"]
    assert carried(Document(nested(90))) == Document(nested(90))


def test_lists_count_as_levels_too() -> None:
    value: object = 1
    for _ in range(40):
        value = [value]
    assert carried(Document({"a": value})) == Document({"a": value})


def test_a_reference_is_carried_as_the_map_it_is() -> None:
    document = Document({"ref": DBRef("other", ObjectId(), "db")})
    assert carried(document) == document


def test_int64_stays_int64_and_int32_stays_int32() -> None:
    fields = carried(Document({"long": Int64(1), "int": 1, "big": 2**40})).fields
    assert type(fields["long"]) is Int64
    assert type(fields["int"]) is int
    assert fields["big"] == 2**40


Spoil = Callable[[pb.Document], None]


def field(message: pb.Document, **kind: object) -> None:
    message.fields.add(name="first").value.null_value = 0  # type: ignore[assignment]
    message.fields.add(name="second", value=pb.Value(**kind))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ({}, "fields[1].value"),
        ({"object_id_value": b"short"}, "fields[1].value.object_id_value"),
        ({"uuid_value": b"short"}, "fields[1].value.uuid_value"),
        ({"decimal_value": "ten"}, "fields[1].value.decimal_value"),
        ({"decimal_value": "1" * 35}, "fields[1].value.decimal_value"),
        ({"decimal_value": "1E+7000"}, "fields[1].value.decimal_value"),
        ({"binary_value": pb.Binary(subtype=256)}, "fields[1].value.binary_value.subtype"),
        ({"regex_value": pb.Regex(pattern="a\0")}, "fields[1].value.regex_value.pattern"),
        ({"regex_value": pb.Regex(options="mi")}, "fields[1].value.regex_value.options"),
        ({"regex_value": pb.Regex(options="g")}, "fields[1].value.regex_value.options"),
        ({"bson_value": b"junk"}, "fields[1].value.bson_value"),
        ({"bson_value": bson.encode({"a": 1})}, "fields[1].value.bson_value"),
        ({"bson_value": bson.encode({"": 1, "b": 2})}, "fields[1].value.bson_value"),
        (
            {"list_value": pb.ListValue(values=[pb.Value(bool_value=True), pb.Value()])},
            "fields[1].value.list_value.values[1]",
        ),
        (
            {"map_value": pb.MapValue(fields=[pb.Field(name="in", value=pb.Value())])},
            "fields[1].value.map_value.fields[0].value",
        ),
        (
            {"map_value": pb.MapValue(fields=[pb.Field(name="x\0", value=pb.Value(bool_value=True))])},
            "fields[1].value.map_value.fields[0].name",
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_path(kind: dict[str, object], path: str) -> None:
    message = pb.Document()
    field(message, **kind)
    with pytest.raises(BadRequest) as caught:
        read_document(message)
    assert caught.value.field == path
    assert caught.value.reason is Reason.INVALID_FIELD


def test_a_name_twice_is_refused() -> None:
    message = pb.Document()
    for _ in range(2):
        message.fields.add(name="a").value.bool_value = True
    with pytest.raises(BadRequest, match="twice") as caught:
        read_document(message)
    assert caught.value.field == "fields[1].name"


@pytest.mark.parametrize("data", [b"junk", b"\x05\0\0\0", bson.encode({"a": 1}) + b"tail"])
def test_broken_bson_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        read_document(pb.Document(bson=data))
    assert caught.value.field == "bson"


def test_bson_nested_beyond_reason_is_refused_not_crashed_upon() -> None:
    data = b"\x05\0\0\0\0"
    for _ in range(20_000):
        data = (len(data) + 8).to_bytes(4, "little") + b"\x03a\0" + data + b"\0"
    with pytest.raises(BadRequest) as caught:
        read_document(pb.Document(bson=data))
    assert caught.value.reason in (Reason.DOCUMENT_TOO_DEEP, Reason.INVALID_FIELD)


def test_a_value_without_kind_is_refused() -> None:
    with pytest.raises(BadRequest):
        read_value(pb.Value())


def test_a_zero_timestamp_is_a_timestamp() -> None:
    message = pb.Value()
    write_value(message, Timestamp(0, 0))
    assert read_value(pb.Value.FromString(message.SerializeToString())) == Timestamp(0, 0)


def test_an_id_is_made_where_there_is_none_and_comes_first() -> None:
    made = identify(Document({"a": 1}))
    assert list(made.fields) == ["_id", "a"]
    assert isinstance(made.fields["_id"], ObjectId)
    assert list(identify(Document({"a": 1, "_id": 2})).fields) == ["_id", "a"]
    kept = Document({"_id": 2, "a": 1})
    assert identify(kept) is kept


def test_an_id_is_made_in_raw_bson_too() -> None:
    raw = b"\x13\0\0\0\x10a\0\1\0\0\0\x10a\0\2\0\0\0\0"
    made = identify(Document.from_bson(raw))
    assert made.to_bson() == Document.from_bson(made.to_bson()).to_bson()
    assert made.to_bson()[4:8] == b"\x07_id"
    assert made.to_bson()[21:] == raw[4:]


@pytest.mark.parametrize("identity", [[1], Regex("a")])
def test_an_id_that_mongodb_refuses_is_refused(identity: object) -> None:
    with pytest.raises(BadRequest) as caught:
        identify(Document({"_id": identity}))
    assert caught.value.field == "_id"
