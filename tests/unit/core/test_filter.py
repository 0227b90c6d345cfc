"""Which filters are refused, and the regular expression of a prefix."""

from __future__ import annotations

import re

import pytest
from bson import Regex

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
    check_filter,
    check_where,
    is_about_element,
    prefix_pattern,
)

EQ = Comparator.EQ
ONE = Compare("a", EQ, 1)

REFUSED: list[tuple[Filter, str]] = [
    (Compare("", EQ, 1), ""),
    (Compare("$a", EQ, 1), "$a"),
    (Exists("a\0b", True), "a\0b"),
    (Compare("a", EQ, Regex("x")), "a"),
    (Compare("a", Comparator.GT, Regex("x")), "a"),
    (In("a", (1, Regex("x"))), "a"),
    (In("a", ({"$x": 1},)), "a"),
    (Contains("a", Regex("x")), "a"),
    (Or(()), ""),
    (And((ONE, Not(Or((ONE, Prefix("", "x")))))), ""),
]

TAKEN: list[Filter] = [
    EVERYTHING,
    ONE,
    Compare("a..b", EQ, 1),
    Compare("a.$b", EQ, 1),
    Compare("a", EQ, {"$x": Regex("x")}),
    In("a", ()),
    In("a", ({}, {"$ref": "c", "$id": 1})),
    Or((ONE, Not(ONE))),
]


@pytest.mark.parametrize(("filter", "path"), REFUSED)
def test_what_mongodb_would_not_take_is_refused(filter: Filter, path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_filter(filter)
    assert (caught.value.reason, caught.value.field) == (Reason.INVALID_FILTER, path)


@pytest.mark.parametrize("filter", TAKEN)
def test_the_rest_is_taken(filter: Filter) -> None:
    check_filter(filter)


def test_a_pull_speaks_of_the_element_or_of_its_fields() -> None:
    about_element = And((Compare("", Comparator.GTE, 1), Not(Compare("", EQ, 3))))
    check_where(about_element)
    check_where(ONE)
    assert is_about_element(about_element)
    assert not is_about_element(ONE)
    assert not is_about_element(EVERYTHING)
    with pytest.raises(BadRequest):
        check_where(And((ONE, about_element)))


@pytest.mark.parametrize(
    "text", ["", "abc", "a.b*c", "(^$)[]{}|\\", "#  \n\t", "a\0b", "é\U0001f600", '"-/&~']
)
def test_a_prefix_pattern_means_the_text_itself(text: str) -> None:
    pattern = prefix_pattern(text)
    assert "\0" not in pattern
    assert re.match(pattern, text + "tail")
    assert not re.match(pattern, "x" + text) or not text
