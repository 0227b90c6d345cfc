"""What MongoDB is asked: paths escaped, values never operators, and None where it cannot be asked."""

from typing import Any

import pytest
from bson import Int64, Regex

from proxy.core.errors import BadRequest, Reason
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
from proxy.core.keys import Key
from proxy.core.update import AddToSet, Inc, Operator, PullWhere, Push, Rename, Set, Unset
from proxy.core.version import LEGACY, Stamp, Version
from proxy.stores.mongo.expressions import (
    NEVER,
    all_of,
    keys_query,
    operators_of,
    query_of,
    replacement_pipeline,
    version_query,
)
from tests.unit.stores.mongo.documents import OP

STAMP = Stamp(4, OP, 1_500_000_000_000)
EQ = Comparator.EQ


@pytest.mark.parametrize(
    ("filter", "query"),
    [
        (EVERYTHING, {}),
        (Or(()), NEVER),
        (Compare("a", EQ, {"$where": "x"}), {"a": {"$eq": {"$where": "x"}}}),
        (Compare("a", Comparator.NE, Regex("x")), {"a": {"$not": {"$eq": Regex("x")}}}),
        (Compare("a", Comparator.GTE, 1), {"a": {"$gte": 1}}),
        (Compare("_cf", EQ, 1), {"__cf": {"$eq": 1}}),
        (Compare("_cf.e", EQ, 1), {"__cf.e": {"$eq": 1}}),
        (Compare("a._cf", EQ, 1), {"a._cf": {"$eq": 1}}),
        (In("a", (1, "x")), {"a": {"$in": [1, "x"]}}),
        (In("a", (1, {"$gt": 1})), {"$or": [{"a": {"$eq": 1}}, {"a": {"$eq": {"$gt": 1}}}]}),
        (Prefix("a", "x.*"), {"a": {"$regex": r"^x\.\*"}}),
        (Exists("a", False), {"a": {"$exists": False}}),
        (Contains("a", {"$ne": 1}), {"a": {"$elemMatch": {"$eq": {"$ne": 1}}}}),
        (Not(Exists("a", True)), {"$nor": [{"a": {"$exists": True}}]}),
        (
            And((Exists("a", True), Compare("b", EQ, 1))),
            {"$and": [{"a": {"$exists": True}}, {"b": {"$eq": 1}}]},
        ),
    ],
)
def test_a_filter_says_the_same_to_mongodb(filter: Filter, query: dict[str, Any]) -> None:
    assert query_of(filter) == query


@pytest.mark.parametrize("path", ["", "$where", "$expr", "a\0b"])
def test_a_path_is_never_an_operator(path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        query_of(Not(Compare(path, EQ, 1)))
    assert caught.value.reason is Reason.INVALID_FILTER


def test_an_update_carries_its_stamp() -> None:
    assert operators_of((Set("a", {"$inc": 1}), Inc("n", 1), Push("l", (1,), slice=-2)), STAMP) == {
        "$inc": {"_cf.r": Int64(1), "n": 1},
        "$set": {"_cf.e": Int64(4), "_cf.op": OP, "a": {"$inc": 1}},
        "$push": {"_cf.ops": {"$each": [OP], "$slice": -8}, "l": {"$each": [1], "$slice": -2}},
    }


def test_reserved_paths_of_an_update_are_escaped() -> None:
    operators = operators_of((Set("_cf.r", 9), Unset("_cf.op"), Rename("a", "_cf")), STAMP)
    assert operators is not None
    assert operators["$set"]["__cf.r"] == 9
    assert operators["$unset"] == {"__cf.op": ""}
    assert operators["$rename"] == {"a": "__cf"}
    assert operators["$inc"] == {"_cf.r": Int64(1)}


@pytest.mark.parametrize(
    "operator",
    [
        Set("a.$", 1),
        Set("a.$[]", 1),
        Set("", 1),
        Set("a..b", 1),
        Rename("a", "b.$"),
        PullWhere("a", Or((Compare("", EQ, 1), Compare("", EQ, 2)))),
        PullWhere("a", Not(Compare("", EQ, 1))),
    ],
)
def test_what_mongodb_cannot_be_asked_is_left_to_the_engine(operator: Operator) -> None:
    assert operators_of((operator,), STAMP) is None


def test_one_path_twice_is_left_to_the_engine() -> None:
    assert operators_of((Set("a", 1), Set("a", 2)), STAMP) is None


def test_conditions_on_elements_are_not_escaped() -> None:
    operators = operators_of((PullWhere("a", Compare("_cf", EQ, 1)), AddToSet("b", (1,))), STAMP)
    assert operators is not None
    assert operators["$pull"] == {"a": {"_cf": {"$eq": 1}}}
    operators = operators_of((PullWhere("a", Compare("", Comparator.GT, 1)),), STAMP)
    assert operators is not None
    assert operators["$pull"] == {"a": {"$gt": 1}}


def test_keys_of_one_parent_share_a_query() -> None:
    keys = [Key(("d", "a")), Key(("d", "b"))]
    assert keys_query(("p", "s"), keys) == {"p": {"$eq": "d"}, "s": {"$in": ["a", "b"]}}
    apart = keys_query(("p", "s"), [*keys, Key(("e", "a"))])
    assert [branch["s"]["$in"] for branch in apart["$or"]] == [["a", "b"], ["a"]]
    assert keys_query(("p",), [Key(("a",)), Key(("b",))]) == {"p": {"$in": ["a", "b"]}}


def test_a_replacement_is_literal() -> None:
    [stage] = replacement_pipeline({"_id": 1, "a": "$secret"}, STAMP)
    kept, literal, meta = stage["$replaceWith"]["$mergeObjects"]
    assert kept == {"_id": "$_id"}
    assert literal == {"$literal": {"a": "$secret"}}
    assert list(meta) == ["_cf"]


def test_a_version_selects_itself() -> None:
    assert version_query(Version(2, 3), OP) == {
        "_cf.e": {"$eq": 2},
        "_cf.r": {"$eq": 3},
        "_cf.op": {"$eq": OP},
    }
    assert version_query(LEGACY, b"") == {"_cf.r": {"$exists": False}}


def test_a_conjunction_leaves_out_what_is_always_true() -> None:
    assert all_of({}, {"a": 1}, {}) == {"a": 1}
    assert all_of({}, {}) == {}
    assert all_of({"a": 1}, {"a": 2}) == {"$and": [{"a": 1}, {"a": 2}]}
