"""Which updates are refused whatever the document, and in what order operators apply."""

from __future__ import annotations

import pytest
from bson import Decimal128, Int64, Regex

from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import And, Comparator, Compare
from proxy.core.update import (
    Inc,
    Mul,
    Operator,
    PullWhere,
    Rename,
    Set,
    SetOnInsert,
    Unset,
    Update,
    application_order,
    check,
    paths,
)

ONE = Compare("b", Comparator.EQ, 1)

INVALID: list[tuple[Update, str]] = [
    ((), ""),
    ((Set("", 1),), ""),
    ((Set("a.", 1),), "a."),
    ((Unset("a..b"),), "a..b"),
    ((Set("$a", 1),), "$a"),
    ((Set("a.$", 1),), "a.$"),
    ((Set("a.$[]", 1),), "a.$[]"),
    ((Set("a.$[x].b", 1),), "a.$[x].b"),
    ((Set("a\0b", 1),), "a\0b"),
    ((Rename("a", "b.$"),), "b.$"),
    ((Inc("a", "1"),), "a"),
    ((Inc("a", True),), "a"),
    ((Mul("a", None),), "a"),
]

CONFLICTING: list[tuple[Update, str]] = [
    ((Set("a", 1), Inc("a", 1)), "a"),
    ((Set("a.b", 1), Unset("a")), "a.b"),
    ((Set("a", 1), Set("b", 1), SetOnInsert("a.b.c", 1)), "a.b.c"),
    ((Set("a", 1), Set("a-", 1), Set("a.b", 1)), "a.b"),
    ((Rename("a", "a"),), "a"),
    ((Rename("a", "a.b"),), "a.b"),
    ((Rename("a", "b"), Set("a.x", 1)), "a.x"),
]

VALID: list[Update] = [
    (Set("a", 1), Set("ab", 1), Set("A", 1)),
    (Set("a.b", 1), Set("a.c", 1), Unset("a.bc")),
    (Set("a.0", 1), Set("a.00", 2)),
    (Set("a.$b", 1), Set("a.$[b", 1)),
    (Inc("a", Int64(1)), Mul("b", Decimal128("1")), Inc("c", 1.5)),
]


def refusal_of(update: Update) -> tuple[Reason, str]:
    with pytest.raises(BadRequest) as caught:
        check(update)
    return caught.value.reason, caught.value.field


@pytest.mark.parametrize(("update", "path"), INVALID)
def test_invalid_updates_name_the_path(update: Update, path: str) -> None:
    assert refusal_of(update) == (Reason.INVALID_UPDATE, path)


@pytest.mark.parametrize(("update", "path"), CONFLICTING)
def test_conflicts_name_the_path_where_they_meet(update: Update, path: str) -> None:
    assert refusal_of(update) == (Reason.CONFLICTING_PATHS, path)
    assert refusal_of(update[::-1]) == (Reason.CONFLICTING_PATHS, path)


@pytest.mark.parametrize("update", VALID)
def test_the_rest_is_taken(update: Update) -> None:
    check(update)


def test_the_condition_of_a_pull_is_checked() -> None:
    check((PullWhere("a", ONE),))
    mixed = And((ONE, Compare("", Comparator.EQ, 1)))
    assert refusal_of((PullWhere("a", mixed),)) == (Reason.INVALID_FILTER, "")
    regex = Compare("", Comparator.EQ, Regex("x"))
    assert refusal_of((PullWhere("a", regex),))[0] is Reason.INVALID_FILTER


def test_operators_apply_in_mongodbs_order_of_paths() -> None:
    # Measured on mongod 6.0. Numbers go by value, names by bytes; the length decides in "1a", not in "02".
    numbers = ["0", "00", "02", "1", "2", "10", "1a", "9a", "100"]
    ordered = ["+", "-1", *numbers, "A", "a", "a.2", "a.10", "a-", "é"]
    operators: list[Operator] = [Set(path, 1) for path in reversed(ordered)]
    assert [operator.path for operator in application_order(tuple(operators))] == ordered


def test_a_rename_applies_where_it_goes_and_touches_both_ends() -> None:
    update: Update = (Rename("a", "z"), Set("m", 1))
    assert application_order(update) == [update[1], update[0]]
    assert set(paths(update)) == {"a", "m", "z"}
