"""BSON's order: one table of it, its laws, and the equalities that people trip over."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.ordering import MISSING, compare, equal, sort_key

NAN, INFINITY = float("nan"), float("inf")

ASCENDING: list[Any] = [
    MinKey(),
    MISSING,
    None,
    NAN,
    -INFINITY,
    Decimal128("-1E+400"),
    -(2**63),
    -1,
    0,
    5e-324,
    Decimal128("0.1"),
    0.1,  # as a double it is a little more than a tenth
    1,
    Decimal128("1.5"),
    2.0**53,
    2**53 + 1,
    Decimal128("9007199254740993.5"),
    2**63 - 1,
    2.0**63,
    1e300,
    Decimal128("1E+400"),
    Decimal128("Infinity"),
    "",
    "A",
    "a",
    "a\0",
    "ab",
    "é",
    "\uffff",
    "\U0001f600",
    {},
    {"b": None},
    {"a": 1},
    {"a": 1, "b": 0},
    {"b": 1},
    {"a": "x"},
    [],
    [None],
    [1],
    [1, 0],
    [2],
    ["a"],
    [[]],
    b"",
    b"\xff",
    Binary(b"a", 5),
    b"ab",
    Binary(b"a", 2),  # stores its length twice, and so is five bytes long
    b"abcdef",
    ObjectId("0" * 24),
    ObjectId("f" * 24),
    False,
    True,
    DatetimeMS(-(2**60)),
    DatetimeMS(0),
    Timestamp(0, 2),
    Timestamp(1, 1),
    Regex("a"),
    Regex("a", re.I),
    Regex("b"),
    Code("a"),
    Code("b"),
    Code("a", {}),
    Code("a", {"x": 1}),
    MaxKey(),
]

EQUAL: list[tuple[Any, Any]] = [
    (1, 1.0),
    (1, Int64(1)),
    (1, Decimal128("1.00")),
    (0.0, -0.0),
    (0, Decimal128("-0E+10")),
    (NAN, Decimal128("NaN")),
    (INFINITY, Decimal128("Infinity")),
    (0.5, Decimal128("0.50")),
    ([1, {"a": 1}], [1.0, {"a": Int64(1)}]),
    (b"a", Binary(b"a", 0)),
    ({"$ref": "c", "$id": 1}, DBRef("c", 1)),
]

DIFFERENT: list[tuple[Any, Any]] = [
    (1, True),
    (1, "1"),
    (None, MISSING),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ([], {}),
    (0.1, Decimal128("0.1")),
    (DatetimeMS(1), Timestamp(0, 1)),
    (Code("a"), "a"),
    (b"a", "a"),
]

VALUES = st.recursive(
    st.sampled_from(ASCENDING) | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def test_the_table_is_in_order() -> None:
    wrong = [pair for pair in combinations(ASCENDING, 2) if not compare(*pair) < 0 < compare(*reversed(pair))]
    assert not wrong


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_values_are_equal(left: Any, right: Any) -> None:
    assert equal(left, right)
    assert equal(right, left)


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_values_are_not(left: Any, right: Any) -> None:
    assert not equal(left, right)
    assert not equal(right, left)


@given(VALUES, VALUES, VALUES)
def test_the_order_is_total(one: Any, two: Any, three: Any) -> None:
    assert (compare(one, two) > 0) == (compare(two, one) < 0)
    assert equal(one, one)
    first, second, third = sorted((one, two, three), key=sort_key)
    assert compare(first, second) <= 0
    assert compare(first, third) <= 0


def test_what_is_no_value_has_no_order() -> None:
    with pytest.raises(TypeError, match="set is not a BSON value"):
        compare(1, {1})
