"""What updates make of documents: the cases that are easy to get wrong. The rest is tested on a mongod."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson import DatetimeMS, Decimal128, Int64, Timestamp

from proxy.core.document import OPTIONS
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import EVERYTHING, Comparator, Compare
from proxy.core.modification import modify
from proxy.core.update import (
    AddToSet,
    CurrentDate,
    Inc,
    Max,
    Min,
    Mul,
    Operator,
    Pop,
    Pull,
    PullWhere,
    Push,
    Rename,
    Set,
    SetOnInsert,
    Unset,
)

Fields = dict[str, Any]
D = Decimal128
NOW = 1_700_000_000_123
MINUS_NAN = -float("nan")

RESULTS: list[tuple[Operator, Fields, Fields]] = [
    (Set("a.b.c", 1), {}, {"a": {"b": {"c": 1}}}),
    (Set("a.0", 1), {}, {"a": {"0": 1}}),
    (Set("a.3", 1), {"a": [0]}, {"a": [0, None, None, 1]}),
    (Set("a.01", 1), {"a": [0, 0]}, {"a": [0, 1]}),
    (Set("a.1.b", 1), {"a": [0]}, {"a": [0, {"b": 1}]}),
    (Set("a", 1), {"a": 0, "b": 0}, {"a": 1, "b": 0}),
    (Set("a", -0.0), {"a": 0.0}, {"a": -0.0}),
    (Unset("a"), {"a": 1, "b": 1}, {"b": 1}),
    (Unset("a.1"), {"a": [1, 2, 3]}, {"a": [1, None, 3]}),
    (Unset("a.5"), {"a": [1]}, {"a": [1]}),
    (Unset("a.b.c"), {"a": 1}, {"a": 1}),
    (Inc("a", 1), {}, {"a": 1}),
    (Inc("a", Int64(1)), {"a": 1}, {"a": Int64(2)}),
    (Inc("a", 1), {"a": Int64(1)}, {"a": Int64(2)}),
    (Inc("a", 1), {"a": 2**31 - 1}, {"a": Int64(2**31)}),
    (Inc("a", 1), {"a": 1.0}, {"a": 2.0}),
    (Inc("a", 0.2), {"a": 0.1}, {"a": 0.30000000000000004}),
    (Inc("a", D("0.1")), {"a": 0.1}, {"a": D("0.200000000000000")}),
    (Inc("a", D("1.00")), {"a": 1}, {"a": D("2.00")}),
    (Inc("a", D("0.00")), {"a": D("2.5")}, {"a": D("2.5")}),  # an equal number is not written
    (Inc("a", 0.0), {"a": -0.0}, {"a": -0.0}),
    (Inc("a", MINUS_NAN), {"a": D("1")}, {"a": D("-NaN")}),
    (Inc("a", D("NaN")), {"a": D("-NaN")}, {"a": D("NaN")}),
    (Inc("a", 1.0), {"a": MINUS_NAN}, {"a": MINUS_NAN}),
    (Mul("a", 2.5), {}, {"a": 0.0}),
    (Mul("a", Int64(5)), {}, {"a": Int64(0)}),
    (Mul("a", D("2.50")), {}, {"a": D("0.00")}),
    (Mul("a", 2**16), {"a": 2**16}, {"a": Int64(2**32)}),
    (Min("a", 5), {"a": "x"}, {"a": 5}),
    (Min("a", 1.0), {"a": 1}, {"a": 1}),
    (Max("a", 5), {"a": None}, {"a": 5}),
    (Max("a", 5), {}, {"a": 5}),
    (Rename("a", "b.c"), {"a": 1, "b": {}}, {"b": {"c": 1}}),
    (Rename("a", "b"), {"a": 1, "b": 2, "c": 3}, {"b": 1, "c": 3}),
    (Rename("x", "b"), {"a": 1}, {"a": 1}),
    (Rename("a.7", "b"), {"a": [1]}, {"a": [1]}),
    (SetOnInsert("a", 1), {}, {}),
    (SetOnInsert("a.b", 1), {"a": 5}, {"a": 5}),
    (Push("a", (1, [2])), {}, {"a": [1, [2]]}),
    (Push("a", (8, 9), position=1), {"a": [1, 2]}, {"a": [1, 8, 9, 2]}),
    (Push("a", (8, 9), position=-1), {"a": [1, 2]}, {"a": [1, 8, 9, 2]}),
    (Push("a", (8,), position=-9), {"a": [1, 2]}, {"a": [8, 1, 2]}),
    (Push("a", (8, 9), slice=-3), {"a": [1, 2]}, {"a": [2, 8, 9]}),
    (Push("a", (8, 9), slice=3), {"a": [1, 2]}, {"a": [1, 2, 8]}),
    (Push("a", (), slice=0), {"a": [1, 2]}, {"a": []}),
    (AddToSet("a", (1.0, 2, 2.0, 3)), {"a": [1]}, {"a": [1, 2, 3]}),
    (
        AddToSet("a", ({"x": 1, "y": 1},)),
        {"a": [{"y": 1, "x": 1}]},
        {"a": [{"y": 1, "x": 1}, {"x": 1, "y": 1}]},
    ),
    (AddToSet("a", ()), {}, {"a": []}),
    (Pull("a", (1, "x")), {"a": [1.0, "x", [1], 2]}, {"a": [[1], 2]}),
    (Pull("a.b", (1,)), {"a": {}}, {"a": {}}),
    (Pull("a.4294967295", (1,)), {"a": [1]}, {"a": [1]}),
    (Set("a." + "0" * 5000 + "1", 5), {"a": [1, 2]}, {"a": [1, 5]}),
    (PullWhere("a", Compare("", Comparator.GTE, 2)), {"a": [1, 2, [3], "3"]}, {"a": [1, "3"]}),
    (
        PullWhere("a", Compare("b", Comparator.NE, 2)),
        {"a": [{"b": 1}, {"b": 2}, {}, 1]},
        {"a": [{"b": 2}, 1]},
    ),
    (PullWhere("a", EVERYTHING), {"a": [{}, {"b": 1}, 1]}, {"a": [1]}),
    (Pop("a", first=True), {"a": [1, 2]}, {"a": [2]}),
    (Pop("a", first=False), {"a": [1, 2]}, {"a": [1]}),
    (Pop("a", first=False), {"a": []}, {"a": []}),
    (CurrentDate("a"), {"a": 1}, {"a": DatetimeMS(NOW)}),
    (CurrentDate("a.b", as_timestamp=True), {}, {"a": {"b": Timestamp(1_700_000_000, 1)}}),
]

REFUSALS: list[tuple[Operator, Fields]] = [
    (Set("a.b", 1), {"a": None}),
    (Set("a.b", 1), {"a": 1}),
    (Set("a.b", 1), {"a": []}),
    (Set("a.-1", 1), {"a": [1]}),
    (Set("a.1500002", 1), {"a": [1]}),
    (Inc("a", 1), {"a": None}),
    (Inc("a", 1), {"a": "1"}),
    (Inc("a", 1), {"a": True}),
    (Inc("a", 1), {"a": Int64(2**63 - 1)}),
    (Mul("a", 2), {"a": Int64(2**62)}),
    (Push("a", (1,)), {"a": {}}),
    (AddToSet("a", (1,)), {"a": None}),
    (Pull("a", (1,)), {"a": 1}),
    (Pull("a.b", (1,)), {"a": 1}),
    (Pop("a", first=True), {"a": "x"}),
    (Rename("a.0", "b"), {"a": [1]}),
    (Pull("a.4294967296", (1,)), {"a": [1]}),  # one more than the last index MongoDB can think of
    (Set("a." + "1" * 5000, 1), {"a": [1]}),
    (Rename("a.b", "c"), {"a": 1}),
]


def bytes_of(fields: Fields) -> bytes:
    return bson.encode(fields, codec_options=OPTIONS)


def apply(*operators: Operator, to: Fields, inserting: bool = False) -> Fields:
    before = bytes_of(to)
    try:
        return modify(operators, to, inserting=inserting, now=NOW)
    finally:
        assert bytes_of(to) == before, "the document given has been changed"


@pytest.mark.parametrize(("operator", "before", "after"), RESULTS)
def test_results(operator: Operator, before: Fields, after: Fields) -> None:
    assert bytes_of(apply(operator, to=before)) == bytes_of(after)


@pytest.mark.parametrize(("operator", "before"), REFUSALS)
def test_refusals_name_the_path(operator: Operator, before: Fields) -> None:
    with pytest.raises(BadRequest) as caught:
        apply(operator, to=before)
    assert (caught.value.reason, caught.value.field) == (Reason.INVALID_UPDATE, operator.path)


def test_the_end_of_a_rename_is_named_where_it_is_at_fault() -> None:
    with pytest.raises(BadRequest) as caught:
        apply(Rename("a", "b.0"), to={"a": 1, "b": [1]})
    assert caught.value.field == "b.0"


def test_new_fields_come_in_the_order_of_their_names() -> None:
    result = apply(Set("b", 1), Inc("A", 1), Set("x.10", 1), Set("x.9", 1), Rename("z", "a"), to={"z": 1})
    assert list(result) == ["A", "a", "b", "x"]
    assert list(result["x"]) == ["9", "10"]


def test_operators_below_one_parent_all_arrive() -> None:
    result = apply(Set("a.b", 1), Unset("a.c"), Push("a.d", (1,)), to={"a": {"c": 1, "d": []}})
    assert result == {"a": {"d": [1], "b": 1}}


def test_set_on_insert_applies_when_inserting() -> None:
    assert apply(SetOnInsert("a", 1), Set("b", 2), to={"_id": 1}, inserting=True) == {
        "_id": 1,
        "a": 1,
        "b": 2,
    }


def test_what_is_not_on_the_path_is_shared_and_not_copied() -> None:
    before: Fields = {"a": {"b": 1}, "c": {"d": 1}}
    after = apply(Set("a.b", 2), to=before)
    assert after["c"] is before["c"]
