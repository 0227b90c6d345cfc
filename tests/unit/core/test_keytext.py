"""Key texts collide never, read back exactly, and keep order and prefixes where they promise to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.collection import FieldType, Index, IndexKind, KeyField
from proxy.core.document import Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.keys import typed
from proxy.core.keytext import (
    KeyText,
    begin_text,
    decode_partition,
    decode_sort,
    encode_partition,
    encode_sort,
    join_leading,
    number_text,
)

TEXTS = st.text(st.sampled_from("ab/~.- 01\x00\x01é\uffff😀") | st.characters(codec="utf-8"), max_size=6)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
NUMBERS = (INTEGERS | st.floats(allow_nan=False, allow_infinity=False)).map(
    lambda number: typed(FieldType.NUMBER, number)
)
VALUES: dict[FieldType, st.SearchStrategy[Value]] = {
    FieldType.STRING: TEXTS,
    FieldType.NUMBER: NUMBERS.filter(lambda number: number is not None),
    FieldType.DATE: st.integers(-62_135_596_800_000, 253_402_300_799_999).map(DatetimeMS),
    FieldType.OBJECT_ID: st.binary(min_size=12, max_size=12).map(ObjectId),
    FieldType.BOOL: st.booleans(),
}
KINDS = st.lists(st.sampled_from(FieldType), min_size=1, max_size=3)


def index_of(*kinds: FieldType) -> Index:
    fields = tuple(KeyField(f"f{place}", kind) for place, kind in enumerate(kinds))
    return Index("key", IndexKind.TABLE, fields, fields, "pk", "sk")


@st.composite
def rivals(draw: st.DrawFn) -> tuple[Index, tuple[Value, ...], tuple[Value, ...]]:
    """An index and two tuples for it that often share components."""
    kinds = draw(KINDS)
    ours = tuple(draw(VALUES[kind]) for kind in kinds)
    theirs = tuple(draw(st.just(value) | VALUES[kind]) for value, kind in zip(ours, kinds, strict=True))
    return index_of(*kinds), ours, theirs


def in_store_order(text: KeyText) -> bytes | int | Decimal:
    return text.encode() if isinstance(text, str) else text


@given(rivals())
def test_two_keys_have_one_text_exactly_when_they_are_equal(
    case: tuple[Index, tuple[Value, ...], tuple[Value, ...]],
) -> None:
    index, ours, theirs = case
    assert (encode_partition(index, ours) == encode_partition(index, theirs)) == (ours == theirs)
    assert (encode_sort(index, ours) == encode_sort(index, theirs)) == (ours == theirs)


@given(rivals())
def test_a_text_reads_back_as_the_values(
    case: tuple[Index, tuple[Value, ...], tuple[Value, ...]],
) -> None:
    index, values, _ = case
    assert decode_partition(index, encode_partition(index, values)) == values
    assert decode_sort(index, encode_sort(index, values)) == values
    assert encode_partition(index, values) != ""
    assert encode_sort(index, values) != ""


@given(rivals())
def test_within_a_full_prefix_texts_sort_as_the_last_component_does(
    case: tuple[Index, tuple[Value, ...], tuple[Value, ...]],
) -> None:
    index, ours, theirs = case
    theirs = (*ours[:-1], theirs[-1])
    before = in_store_order(encode_sort(index, ours)) < in_store_order(encode_sort(index, theirs))  # type: ignore[operator]
    assert before == (_orderable(ours[-1]) < _orderable(theirs[-1]))


def _orderable(value: Value) -> Value:
    return value.encode() if isinstance(value, str) else value


@given(
    st.lists(TEXTS, min_size=3, max_size=3),
    st.integers(0, 2),
    TEXTS,
    st.lists(TEXTS, min_size=3, max_size=3),
)
def test_texts_begin_alike_exactly_when_the_components_do(
    values: list[str], place: int, text: str, other: list[str]
) -> None:
    index = index_of(*[FieldType.STRING] * 3)
    other[:place] = values[:place]
    begins = begin_text(index.sort, values[:place], text)
    assert str(encode_sort(index, other)).startswith(begins) == other[place].startswith(text)


@given(TEXTS, TEXTS)
def test_a_lone_string_begins_as_its_text_does(value: str, text: str) -> None:
    index = index_of(FieldType.STRING)
    begins = begin_text(index.sort, (), text)
    assert str(encode_sort(index, (value,))).startswith(begins) == value.startswith(text)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (("auth0", "mycontainer"), "auth0/mycontainer"),
        (("a/b", "c"), "a~1b/c"),
        (("a", "b/c"), "a/b/c"),
        (("a~", "~b"), "a~0/~0b"),
        (("a", ""), "a/"),
    ],
)
def test_the_texts_are_those_of_the_specification(values: tuple[str, ...], text: str) -> None:
    assert encode_partition(index_of(*[FieldType.STRING] * 2), values) == text


@pytest.mark.parametrize(
    ("number", "text"), [(42, "~n62000142"), (0.5, "~n6199995"), (-42, "~n47999857~"), (0, "~n5")]
)
def test_numbers_in_composed_keys_are_digits_in_order(number: float, text: str) -> None:
    assert encode_sort(index_of(FieldType.STRING, FieldType.NUMBER), ("", number)) == "/" + text


def test_a_lone_number_is_a_number_and_a_lone_empty_string_has_a_text() -> None:
    assert encode_sort(index_of(FieldType.NUMBER), (1500283380123,)) == 1500283380123
    assert encode_sort(index_of(FieldType.NUMBER), (0.1,)) == Decimal("0.1")
    assert encode_partition(index_of(FieldType.STRING), ("",)) == "\0"
    assert encode_sort(index_of(FieldType.STRING), ("",)) == "\0"


@given(
    NUMBERS.filter(lambda number: number is not None),
    NUMBERS.filter(lambda number: number is not None),
)
def test_numbers_keep_equality_and_order(ours: float, theirs: float) -> None:
    assert (number_text(ours) < number_text(theirs)) == (ours < theirs)
    assert (number_text(ours) == number_text(theirs)) == (ours == theirs)
    assert len(Decimal(number_text(ours)).as_tuple().digits) <= 38


def test_a_double_that_equals_an_int64_has_its_text() -> None:
    assert number_text(9223372036854774784.0) == number_text(9223372036854774784)


def test_a_part_too_long_names_its_longest_field() -> None:
    index = index_of(FieldType.STRING, FieldType.STRING)
    assert encode_partition(index, ("é" * 1000, "x" * 47))
    with pytest.raises(BadRequest, match="2049 bytes, and DynamoDB holds 2048") as caught:
        encode_partition(index, ("é" * 1000, "x" * 48))
    assert (caught.value.reason, caught.value.field) == (Reason.KEY_TOO_LONG, "f0")
    with pytest.raises(BadRequest, match="1025 bytes, and DynamoDB holds 1024"):
        encode_sort(index, ("", "x" * 1024))


def test_leading_values_end_with_the_separator() -> None:
    assert (
        join_leading(index_of(FieldType.STRING, FieldType.STRING).sort, ("my/container",)) == "my~1container/"
    )
