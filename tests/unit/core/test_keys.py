"""A key is the same for every way to write the same values, and refuses what cannot be a key."""

from __future__ import annotations

import datetime

import pytest
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField
from proxy.core.document import Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import EVERYTHING, And, Comparator, Compare, Exists, Filter, Or
from proxy.core.keys import Key, fields_of, index_values, key_of, split_filter, split_key
from proxy.core.keytext import encode_partition, encode_sort


def collection_of(*kinds: FieldType) -> Collection:
    first, *rest = (KeyField(name, kind) for name, kind in zip("abc", kinds, strict=False))
    key = Index("key", IndexKind.TABLE, (first,), tuple(rest), "pk", "sk" if rest else None)
    return Collection("things", "db", "things", "things", key)


PAIR = collection_of(FieldType.STRING, FieldType.NUMBER)


def equals(path: str, value: Value) -> Filter:
    return Compare(path, Comparator.EQ, value)


def test_numbers_that_are_equal_are_one_key() -> None:
    keys = {key_of(PAIR, {"a": "x", "b": number, "c": 0}) for number in (1, 1.0, Int64(1))}
    assert keys == {Key(("x", 1))}
    assert [type(value) for value in keys.pop().values] == [str, int]
    assert key_of(PAIR, {"a": "", "b": -0.0}) == Key(("", 0))
    assert key_of(PAIR, {"a": "", "b": 0.5}).values[1] == 0.5


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldType.NUMBER, True),
        (FieldType.NUMBER, "1"),
        (FieldType.NUMBER, None),
        (FieldType.NUMBER, float("nan")),
        (FieldType.NUMBER, float("-inf")),
        (FieldType.NUMBER, 1e126),
        (FieldType.NUMBER, 5e-324),
        (FieldType.NUMBER, 2**63),
        (FieldType.NUMBER, Decimal128("1")),
        (FieldType.STRING, 1),
        (FieldType.STRING, ["x"]),
        (FieldType.STRING, Code("x")),
        (FieldType.STRING, "\ud800"),
        (FieldType.DATE, DatetimeMS(2**62)),
        (FieldType.DATE, "2017-07-17"),
        (FieldType.OBJECT_ID, "596c7a48f36d2840b4a2b8ab"),
        (FieldType.BOOL, 1),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(kind: FieldType, value: Value) -> None:
    with pytest.raises(BadRequest, match="key field a must be a") as caught:
        key_of(collection_of(kind), {"a": value})
    assert (caught.value.reason, caught.value.field) == (Reason.KEY_FIELD_TYPE, "a")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldType.DATE, DatetimeMS(1500283380123)),
        (FieldType.OBJECT_ID, ObjectId()),
        (FieldType.BOOL, False),
        (FieldType.NUMBER, 1e125),
        (FieldType.STRING, "日本"),
    ],
)
def test_every_declared_type_makes_a_key(kind: FieldType, value: Value) -> None:
    assert key_of(collection_of(kind), {"a": value}) == Key((value,))


def test_a_date_in_either_form_is_one_key() -> None:
    moment = datetime.datetime(2017, 7, 17, 9, 23, 0, 123_999)
    collection = collection_of(FieldType.DATE)
    assert key_of(collection, {"a": moment}) == key_of(collection, {"a": DatetimeMS(1500283380123)})


def test_a_missing_key_field_is_refused_by_name() -> None:
    with pytest.raises(BadRequest) as caught:
        key_of(PAIR, {"a": "x"})
    assert (caught.value.reason, caught.value.field) == (Reason.KEY_FIELD_MISSING, "b")


def test_a_key_that_dynamodb_cannot_hold_is_refused() -> None:
    collection = collection_of(FieldType.STRING, FieldType.STRING)
    with pytest.raises(BadRequest) as caught:
        key_of(collection, {"a": "x", "b": "é" * 513})
    assert (caught.value.reason, caught.value.field) == (Reason.KEY_TOO_LONG, "b")


def test_equalities_on_the_whole_key_split_off_and_the_rest_remains() -> None:
    version = equals("version", 3)
    key, rest = split_filter(PAIR, And((version, And((equals("b", 1.0), equals("a", "x"))))))
    assert (key, rest) == (Key(("x", 1)), version)
    assert split_filter(PAIR, And((equals("a", "x"), equals("b", 1)))) == (
        Key(("x", 1)),
        EVERYTHING,
    )


def test_a_second_equality_on_a_key_field_stays_a_precondition() -> None:
    again = equals("a", "y")
    assert split_filter(PAIR, And((equals("a", "x"), again, equals("b", 1)))) == (
        Key(("x", 1)),
        again,
    )


@pytest.mark.parametrize(
    "filter",
    [
        equals("a", "x"),
        And((equals("a", "x"), equals("b", "1"))),
        And((equals("a", "x"), Or((equals("b", 1),)))),
        And((equals("a", "x"), Exists("b", True))),
        And((equals("a", "x"), Compare("b", Comparator.GTE, 1))),
    ],
)
def test_a_filter_without_the_whole_key_stays_whole(filter: Filter) -> None:
    assert split_filter(PAIR, filter) == (None, filter)


def test_a_key_falls_into_its_parts_and_its_fields() -> None:
    key = Key(("x", 1))
    assert split_key(PAIR, key) == (("x",), (1,))
    assert fields_of(PAIR, key) == {"a": "x", "b": 1}


def test_an_index_leaves_out_what_lacks_a_field_and_refuses_another_type() -> None:
    fields = (KeyField("a"),), (KeyField("due", FieldType.NUMBER),)
    index = Index("work_queue", IndexKind.LOCAL, *fields, "a", "due")
    assert index_values(index, {"a": "x", "due": 5.0}) == ("x", 5)
    assert index_values(index, {"a": "x"}) is None
    with pytest.raises(BadRequest, match="leave it out") as caught:
        index_values(index, {"a": "x", "due": None})
    assert (caught.value.reason, caught.value.field) == (Reason.INDEX_FIELD_TYPE, "due")


THREE_STRINGS = collection_of(FieldType.STRING, FieldType.STRING, FieldType.STRING)
LENGTHS = st.sampled_from([0, 1, 40, 83, 84, 85, 126, 127, 128, 250, 254, 255, 256, 257, 340, 512, 1024])


@given(
    lengths=st.tuples(LENGTHS, LENGTHS, LENGTHS),
    character=st.sampled_from(["a", "/", "~", "\0", "é", "€", "\U0001f600"]),
)
def test_a_key_is_let_through_exactly_if_its_texts_are_within_the_limits(
    lengths: tuple[int, int, int], character: str
) -> None:
    values = [character * length for length in lengths]
    partition, sort = values[:1], values[1:]
    try:
        encode_partition(THREE_STRINGS.key, partition)
        encode_sort(THREE_STRINGS.key, sort)
    except BadRequest:
        with pytest.raises(BadRequest):
            key_of(THREE_STRINGS, dict(zip("abc", values, strict=True)))
    else:
        assert key_of(THREE_STRINGS, dict(zip("abc", values, strict=True))) == Key(tuple(values))
