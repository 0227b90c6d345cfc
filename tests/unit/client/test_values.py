"""Native values and the contract's values: nothing is lost, and what cannot be held is refused by name."""

from __future__ import annotations

import enum
import math
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade import (
    Binary,
    Bson,
    DatetimeMS,
    Document,
    Int64,
    InvalidDocument,
    ObjectId,
    RawDocument,
    Reason,
    Regex,
    Timestamp,
    Unsupported,
)
from crossfade.codec import MAX_DEPTH, read_document, read_value, write_document, write_value
from crossfade.v1 import document_pb2 as pb

NOON = datetime(2017, 7, 17, 12, tzinfo=UTC)

KINDS = [
    (None, "null_value"),
    (True, "bool_value"),
    (2**31 - 1, "int32_value"),
    (-(2**31), "int32_value"),
    (2**31, "int64_value"),
    (-(2**31) - 1, "int64_value"),
    (Int64(1), "int64_value"),
    (1.0, "double_value"),
    ("text", "string_value"),
    (b"data", "bytes_value"),
    (NOON, "date_ms_value"),
    (DatetimeMS(2**62), "date_ms_value"),
    (ObjectId(b"0123456789ab"), "object_id_value"),
    (UUID(int=5), "uuid_value"),
    (Decimal("1.00"), "decimal_value"),
    (Binary(b"data", 128), "binary_value"),
    (Regex("^a", "im"), "regex_value"),
    (Timestamp(1, 2), "timestamp_value"),
    (Bson(b"\x07\x00\x00\x00\xff\x00\x00"), "bson_value"),
    ([1, "a", [None]], "list_value"),
    ([], "list_value"),
    ({"b": 1, "a": {"": 2}}, "map_value"),
    ({}, "map_value"),
]


def written(value: Any) -> pb.Value:
    slot = pb.Value()
    write_value(slot, value)
    return slot


def round_trip(document: dict[str, Any]) -> Document:
    message = pb.Document()
    write_document(message, document)
    return read_document(pb.Document.FromString(message.SerializeToString()))


@pytest.mark.parametrize(("value", "kind"), KINDS, ids=lambda value: repr(value)[:30])
def test_a_value_has_its_kind_and_comes_back_as_it_was(value: Any, kind: str) -> None:
    slot = written(value)
    assert slot.WhichOneof("kind") == kind
    back = read_value(slot)
    assert back == value
    assert type(back) is type(value)


def test_every_kind_of_the_contract_is_tested() -> None:
    kinds = {field.name for field in pb.Value.DESCRIPTOR.oneofs_by_name["kind"].fields}
    assert kinds == {kind for _, kind in KINDS}


plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.uuids(),
    st.datetimes(timezones=st.just(UTC)).map(lambda d: d.replace(microsecond=d.microsecond // 1000 * 1000)),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.integers(-(2**31), 2**31 - 1).map(Int64),
    st.builds(Binary, st.binary(), st.integers(5, 255)),
    st.decimals(places=4, min_value=-(10**20), max_value=10**20),
    st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)
nested = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@given(st.dictionaries(st.text(), nested, max_size=8))
def test_documents_come_back_equal_in_type_and_order(document: dict[str, Any]) -> None:
    back = round_trip(document)
    assert back == document
    assert shape(back) == shape(document)


def shape(value: Any) -> Any:
    """Types and order, which equality of Python's values overlooks."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value), str(value)


@pytest.mark.parametrize("number", [-0.0, math.inf, -math.inf, 5e-324, 1.7976931348623157e308])
def test_doubles_keep_their_bits(number: float) -> None:
    assert repr(read_value(written(number))) == repr(number)


def test_nan_comes_back() -> None:
    assert math.isnan(read_value(written(math.nan)))


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "1.0",
        "1.00",
        "1E+6111",
        "-9.999999999999999999999999999999999E+6144",
        "1E-6176",
        "NaN",
        "Infinity",
        "-Infinity",
        "0E-6176",
        "0.1",
    ],
)
def test_decimals_keep_sign_and_scale_and_are_written_as_bson_would(text: str) -> None:
    slot = written(Decimal(text))
    assert slot.decimal_value == str(bson.Decimal128(text))
    assert str(read_value(slot)) == slot.decimal_value


@pytest.mark.parametrize("text", ["1" * 35, "1E-6177", "1E+6145", "NaN123", "sNaN5"])
def test_decimals_that_decimal128_cannot_hold_are_refused(text: str) -> None:
    with pytest.raises(InvalidDocument):
        round_trip({"price": Decimal(text)})


@pytest.mark.parametrize(
    ("moment", "milliseconds"),
    [
        (datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), -1),
        (datetime(1970, 1, 1, 0, 0, 0, 1999, UTC), 1),
        (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 0),
        (datetime(1970, 1, 1), 0),
        (datetime.max, 253402300799999),
        (datetime.min, -62135596800000),
    ],
)
def test_dates_are_milliseconds_rounded_down(moment: datetime, milliseconds: int) -> None:
    assert written(moment).date_ms_value == milliseconds


def test_dates_beyond_datetime_come_back_as_numbers() -> None:
    assert read_value(pb.Value(date_ms_value=253402300800000)) == DatetimeMS(253402300800000)


class Colour(enum.IntEnum):
    RED = 7


@pytest.mark.parametrize(
    ("value", "native"),
    [
        (bson.ObjectId("5099803df3f4948bd2f98391"), ObjectId.parse("5099803df3f4948bd2f98391")),
        (bson.Int64(5), Int64(5)),
        (bson.Decimal128("1.00"), Decimal("1.00")),
        (bson.Binary(b"x", 128), Binary(b"x", 128)),
        (bson.Binary(bytes(16), 4), UUID(int=0)),
        (bson.Regex("^a", "i"), Regex("^a", "i")),
        (bson.Timestamp(3, 4), Timestamp(3, 4)),
        (bson.SON([("b", 1), ("a", 2)]), {"b": 1, "a": 2}),
        (re.compile("a", re.I), Regex("a", "iu")),
        (Colour.RED, 7),
        ((1, 2), [1, 2]),
        (bytearray(b"x"), b"x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_relatives_of_known_types_are_accepted(value: Any, native: Any) -> None:
    back = read_value(written(value))
    assert back == native
    assert type(back) is type(native)


@pytest.mark.parametrize("value", [bson.MinKey(), bson.MaxKey(), bson.Code("x = 1")])
def test_the_escape_is_bson_of_a_nameless_field(value: Any) -> None:
    assert written(value).bson_value == bson.encode({"": value})


@pytest.mark.parametrize(
    ("document", "field", "reason"),
    [
        ({"a": {"b": [1, object()]}}, "a.b.1", Reason.INVALID_FIELD),
        ({"a": 2**63}, "a", Reason.INVALID_FIELD),
        ({"a": "\ud800"}, "a", Reason.INVALID_FIELD),
        ({"a": {1: 2}}, "a.1", Reason.INVALID_FIELD),
        ({"a": {1, 2}}, "a", Reason.INVALID_FIELD),
        ({"a": bson.DBRef("c", 1)}, "a", Reason.INVALID_FIELD),
        ({"a": Regex("a\0b")}, "a", Reason.INVALID_FIELD),
        ({"a": RawDocument(b"...")}, "a", Reason.INVALID_FIELD),
    ],
)
def test_what_cannot_be_held_is_refused_naming_the_field(
    document: dict[str, Any], field: str, reason: Reason
) -> None:
    with pytest.raises(InvalidDocument) as caught:
        round_trip(document)
    assert (caught.value.field, caught.value.reason) == (field, reason)


def test_the_deepest_document_passes_and_a_deeper_one_is_refused() -> None:
    deepest: Any = 1
    for _ in range(MAX_DEPTH):
        deepest = {"a": deepest}
    assert round_trip({"a": deepest}) == {"a": deepest}
    with pytest.raises(InvalidDocument) as caught:
        round_trip({"a": [deepest]})
    assert caught.value.reason is Reason.DOCUMENT_TOO_DEEP


def test_a_raw_document_is_written_as_it_was_read_and_cannot_be_changed() -> None:
    raw = read_document(
        pb.Document(fields=[pb.Field(name="a", value=pb.Value(int32_value=1))], bson=b"raw"), "etag"
    )
    assert isinstance(raw, RawDocument)
    assert (raw, raw.bson, raw.etag) == ({"a": 1}, b"raw", "etag")
    again = pb.Document()
    write_document(again, raw)
    assert again == pb.Document(bson=b"raw")
    with pytest.raises(TypeError, match="cannot be changed"):
        raw["a"] = 2
    with pytest.raises(TypeError, match="cannot be changed"):
        raw.update(b=2)
    with pytest.raises(TypeError, match="cannot be changed"):
        del raw["a"]
    with pytest.raises(TypeError, match="cannot be changed"):
        raw |= {"b": 2}


def test_a_value_of_an_unknown_kind_is_not_taken_for_null() -> None:
    with pytest.raises(Unsupported):
        read_value(pb.Value())


def test_object_ids_differ_tell_their_time_and_sort() -> None:
    ids = [ObjectId.new() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert abs(ids[0].generation_time - datetime.now(UTC)) < timedelta(seconds=60)
    assert ObjectId.parse(str(ids[0])) == ids[0]
    with pytest.raises(ValueError, match="12 bytes"):
        ObjectId(b"short")


def test_binaries_of_different_subtypes_differ() -> None:
    assert Binary(b"x", 5) == Binary(b"x", 5)
    assert Binary(b"x", 5) != Binary(b"x", 6)
    assert Binary(b"x", 5) != b"x"
    assert Binary(b"x") == b"x"
    assert hash(Binary(b"x")) == hash(b"x")
