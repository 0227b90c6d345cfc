"""What filters are true of: the cases that are easy to get wrong. The rest is tested on a real mongod."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, MaxKey, MinKey, Regex

from proxy.core.filter import (
    EVERYTHING,
    And,
    Comparator,
    Compare,
    Contains,
    Exists,
    Filter,
    In,
    Not,
    Or,
    Prefix,
)
from proxy.core.matching import matches, matches_element

EQ, NE, LT, LTE, GT, GTE = (Comparator(name) for name in ("eq", "ne", "lt", "lte", "gt", "gte"))
NAN = float("nan")

TRUE: list[tuple[Filter, dict[str, Any]]] = [
    (EVERYTHING, {}),
    (Compare("a", EQ, None), {}),
    (Compare("a", EQ, None), {"a": None}),
    (Compare("a", LTE, None), {}),
    (Compare("a.b", EQ, None), {"a": 1}),
    (Compare("a.b", EQ, None), {"a": [{"b": 1}, {}]}),
    (Compare("a", EQ, 1), {"a": [2, 1.0]}),
    (Compare("a", EQ, [1, 2]), {"a": [1, 2]}),
    (Compare("a", EQ, [1, 2]), {"a": [[1, 2]]}),
    (Compare("a.b", EQ, 1), {"a": [{"b": 2}, {"b": [0, 1]}]}),
    (Compare("a.0", EQ, 1), {"a": [1]}),
    (Compare("a.0", EQ, 1), {"a": {"0": 1}}),
    (Compare("a.0", EQ, 1), {"a": [5, {"0": 1}]}),
    (Compare("a.0.b", EQ, 1), {"a": [{"b": 1}]}),
    (Compare("a.0.b", EQ, 1), {"a": [[{"b": 1}]]}),
    (Compare("a", EQ, NAN), {"a": Decimal128("NaN")}),
    (Compare("a", GTE, NAN), {"a": NAN}),
    (Compare("a", LT, 3), {"a": ["x", 1]}),
    (Compare("a", LT, MaxKey()), {}),
    (Compare("a", GT, MinKey()), {"a": "x"}),
    (Compare("a", GT, 1), {"a": Decimal128("1.0000001")}),
    (Compare("a", NE, 1), {}),
    (Compare("a", NE, None), {"a": []}),
    (Compare("a", EQ, {"b": 1, "c": 2}), {"a": {"b": 1.0, "c": 2}}),
    (Compare("a", GTE, [1]), {"a": [1]}),
    (In("a", (None,)), {}),
    (In("a", (3, "x")), {"a": ["x"]}),
    (Prefix("a", ""), {"a": ""}),
    (Prefix("a", "é"), {"a": [1, "éa"]}),
    (Prefix("a", "x"), {"a": Regex("^x")}),
    (Exists("a", True), {"a": None}),
    (Exists("a.b", False), {"a": [1]}),
    (Exists("a.0", True), {"a": [1]}),
    (Contains("a", None), {"a": [None]}),
    (Contains("a", [1]), {"a": [[1]]}),
    (And((Compare("a", GT, 1), Compare("a", LT, 1))), {"a": [0, 2]}),
    (Or((Compare("a", EQ, 1), Compare("b", EQ, 1))), {"b": 1}),
    (Not(Compare("a", EQ, 1)), {"a": 2}),
]

FALSE: list[tuple[Filter, dict[str, Any]]] = [
    (Compare("a", EQ, None), {"a": []}),
    (Compare("a.b", EQ, None), {"a": []}),
    (Compare("a.b", EQ, None), {"a": [1]}),
    (Compare("a.0", EQ, None), {"a": []}),
    (Compare("a.0", EQ, 1), {"a": [[1]]}),  # by its number an element counts as a whole
    (Compare("a.00", EQ, 1), {"a": [1]}),
    (Compare("a." + "1" * 5000, EQ, 1), {"a": [1]}),
    (Compare("a.0.1", EQ, None), {"a": [5]}),
    (Compare("a", EQ, 1), {"a": [[1]]}),
    (Compare("a", EQ, 1), {"a": True}),
    (Compare("a", EQ, 0.1), {"a": Decimal128("0.1")}),
    (Compare("a", EQ, {"b": 1, "c": 2}), {"a": {"c": 2, "b": 1}}),
    (Compare("a", LT, 3), {"a": "x"}),
    (Compare("a", LT, 3), {"a": None}),
    (Compare("a", LT, 3), {"a": NAN}),
    (Compare("a", LT, None), {}),
    (Compare("a", GT, MaxKey()), {"a": 1}),
    (Compare("a", NE, 1), {"a": [2, 1]}),
    (Compare("a", NE, None), {}),
    (In("a", ()), {}),
    (Prefix("a", "a"), {"a": "A"}),
    (Prefix("a", "a"), {"a": [["a"]]}),
    (Exists("a.b", True), {"a": [1, [{"b": 1}]]}),
    (Contains("a", 1), {"a": 1}),
    (Contains("a", 1), {"a": [[1]]}),
    (Or(()), {}),
]


@pytest.mark.parametrize(("filter", "fields"), TRUE)
def test_true(filter: Filter, fields: dict[str, Any]) -> None:
    assert matches(filter, fields)


@pytest.mark.parametrize(("filter", "fields"), FALSE)
def test_false(filter: Filter, fields: dict[str, Any]) -> None:
    assert not matches(filter, fields)


@pytest.mark.parametrize(
    ("where", "element", "expected"),
    [
        (Compare("", GTE, 2), 3, True),
        (Compare("", GTE, 2), [3], True),
        (Compare("", GTE, 2), "3", False),
        (Compare("b", EQ, 1), {"b": 1}, True),
        (Not(Compare("b", EQ, 1)), {"b": 2}, True),
        (Not(Compare("b", EQ, 1)), 2, False),  # a condition on fields is only ever true of documents
        (EVERYTHING, {}, True),
        (EVERYTHING, 1, False),
    ],
)
def test_elements_of_arrays(where: Filter, element: Any, expected: bool) -> None:
    assert matches_element(where, element) is expected
