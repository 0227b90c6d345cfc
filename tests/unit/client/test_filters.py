"""PyMongo's filters become the contract's, one row an operator; the rest is refused by name."""

from __future__ import annotations

import re
from typing import Any

import pytest
from google.protobuf import text_format

from crossfade import CrossfadeError, InvalidFilter, Unsupported
from crossfade.filters import literal_prefix, write_filter
from crossfade.v1 import storage_pb2 as pb


def compare(path: str, operator: str, value: str) -> str:
    return f'comparison {{ path: "{path}" operator: {operator} value {{ {value} }} }}'


def conditions(*filters: str) -> str:
    return " ".join(f"filters {{ {text} }}" for text in filters)


A1 = compare("a", "EQ", "int32_value: 1")
B2 = compare("b", "EQ", "int32_value: 2")

TRANSLATIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"a": 1}, [A1]),
    ({"a": 1, "b": 2}, [A1, B2]),
    ({"a.b": None}, [compare("a.b", "EQ", "null_value: NULL_VALUE")]),
    ({"a": {"$eq": 1}}, [A1]),
    ({"a": {"$ne": 1}}, [compare("a", "NE", "int32_value: 1")]),
    ({"a": {"$lt": 1}}, [compare("a", "LT", "int32_value: 1")]),
    ({"a": {"$lte": 1}}, [compare("a", "LTE", "int32_value: 1")]),
    (
        {"a": {"$gte": 1, "$lt": 5}},
        [compare("a", "GTE", "int32_value: 1"), compare("a", "LT", "int32_value: 5")],
    ),
    ({"a": {"$gt": "x"}}, [compare("a", "GT", 'string_value: "x"')]),
    ({"a": {"x": 1}}, [compare("a", "EQ", 'map_value { fields { name: "x" value { int32_value: 1 } } }')]),
    ({"a": {}}, [compare("a", "EQ", "map_value {}")]),
    ({"a": [1]}, [compare("a", "EQ", "list_value { values { int32_value: 1 } }")]),
    (
        {"a": {"$in": [1, "x"]}},
        ['in_values { path: "a" values { int32_value: 1 } values { string_value: "x" } }'],
    ),
    ({"a": {"$in": []}}, ['in_values { path: "a" }']),
    (
        {"a": {"$nin": [1]}},
        ['none_of { filters { in_values { path: "a" values { int32_value: 1 } } } }'],
    ),
    ({"a": {"$all": [1, 1]}}, [A1, A1]),
    ({"a": {"$all": []}}, ['in_values { path: "a" }']),
    ({"a": {"$regex": "^it's"}}, ['prefix { path: "a" prefix: "it\'s" }']),
    ({"a": {"$regex": "^a", "$options": ""}}, ['prefix { path: "a" prefix: "a" }']),
    ({"a": re.compile(r"^a\.b")}, ['prefix { path: "a" prefix: "a.b" }']),
    ({"a": {"$exists": True}}, ['exists { path: "a" exists: true }']),
    ({"a": {"$exists": 0}}, ['exists { path: "a" exists: false }']),
    ({"a": {"$elemMatch": {"$eq": 1}}}, ['contains { path: "a" value { int32_value: 1 } }']),
    ({"a": {"$not": {"$eq": 1}}}, [f"none_of {{ filters {{ all_of {{ {conditions(A1)} }} }} }}"]),
    ({"a": {"$not": re.compile("^x")}}, ['none_of { filters { prefix { path: "a" prefix: "x" } } }']),
    ({"$and": [{"a": 1}, {"b": 2}]}, [A1, B2]),
    (
        {"$or": [{"a": 1}, {"b": 2}]},
        [
            f"any_of {{ filters {{ all_of {{ {conditions(A1)} }} }}"
            f"          filters {{ all_of {{ {conditions(B2)} }} }} }}"
        ],
    ),
    ({"$nor": [{"a": 1}]}, [f"none_of {{ filters {{ all_of {{ {conditions(A1)} }} }} }}"]),
]


def translated(condition: Any) -> pb.Filter:
    target = pb.Filter()
    write_filter(target, condition)
    return target


@pytest.mark.parametrize(("condition", "expected"), TRANSLATIONS, ids=lambda case: str(case)[:40])
def test_a_filter_is_translated(condition: dict[str, Any], expected: list[str]) -> None:
    wanted = text_format.Parse(f"all_of {{ {conditions(*expected)} }}", pb.Filter())
    assert translated(condition) == wanted


def test_every_kind_of_the_contract_is_reached() -> None:
    def kinds(filter: pb.Filter) -> set[str]:
        kind = filter.WhichOneof("kind")
        assert kind is not None
        inner = getattr(getattr(filter, kind), "filters", ())
        return {kind}.union(*(kinds(child) for child in inner))

    reached = set[str]().union(*(kinds(translated(condition)) for condition, _ in TRANSLATIONS))
    assert reached == {field.name for field in pb.Filter.DESCRIPTOR.oneofs_by_name["kind"].fields}


def test_every_comparison_of_the_contract_is_reached() -> None:
    text = str([expected for _, expected in TRANSLATIONS])
    operators = set(pb.Comparison.Operator.keys()) - {"OPERATOR_UNSPECIFIED"}
    assert {name for name in operators if f"operator: {name} " in text} == operators


@pytest.mark.parametrize(
    ("condition", "operator"),
    [
        ({"$where": "true"}, "$where"),
        ({"$text": {}}, "$text"),
        ({"$expr": {}}, "$expr"),
        ({"a": {"$size": 1}}, "$size"),
        ({"a": {"$gt": 1, "$type": 2}}, "$type"),
        ({"a": {"$elemMatch": {"x": 1}}}, "$elemMatch"),
        ({"a": {"$elemMatch": {"$gt": 1, "$lt": 2}}}, "$elemMatch"),
        ({"a": {"$regex": "b"}}, "regular expression"),
        ({"a": {"$regex": "^a$"}}, "regular expression"),
        ({"a": {"$regex": "^a", "$options": "i"}}, "$options"),
        ({"a": re.compile("^a", re.I)}, "$regex"),
        ({"a": re.compile(b"^a")}, "$regex"),
        ({"a": {"$in": [re.compile("^a")]}}, "$in"),
        ({"a": {"$all": [{"$elemMatch": {}}]}}, "$all"),
    ],
    ids=str,
)
def test_what_the_contract_has_no_word_for_is_refused_by_name(condition: Any, operator: str) -> None:
    with pytest.raises(Unsupported, match=re.escape(operator)):
        translated(condition)


@pytest.mark.parametrize(
    "condition",
    [
        [],
        "a",
        {1: 2},
        {"a": {"$gt": 1, "b": 2}},
        {"a": {"$in": "abc"}},
        {"a": {"$not": 1}},
        {"a": {"$not": {}}},
        {"a": {"$options": "i"}},
        {"a": {"$regex": 1}},
        {"a": Ellipsis},
        {"a": {"$gt": [Ellipsis]}},
        {"$or": []},
        {"$and": [1]},
        {"$nor": {"a": 1}},
    ],
    ids=str,
)
def test_a_malformed_filter_is_refused(condition: Any) -> None:
    with pytest.raises(InvalidFilter):
        translated(condition)


@pytest.mark.parametrize(
    "text", ["", "plain", "a.b", "50% (off)", "a-b c~d", "\\", "\n", "$^*", "ünï", "a.*", "[x]{2}|?"]
)
def test_an_escaped_text_is_the_prefix_again(text: str) -> None:
    assert literal_prefix("^" + re.escape(text)) == text
    assert literal_prefix("\\A" + re.escape(text)) == text
    assert literal_prefix("^" + re.escape(text) + ".*") == text


@pytest.mark.parametrize(
    "pattern", ["abc", "^a|b", "^a.b", "^a$", "^a+", "^a\\d", "^[ab]", "^(a)", "^a\\", "^a\\Z", "", "^^a"]
)
def test_a_pattern_that_is_more_than_a_prefix_is_refused(pattern: str) -> None:
    with pytest.raises(CrossfadeError):
        literal_prefix(pattern)
