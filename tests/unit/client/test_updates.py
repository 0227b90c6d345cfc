"""PyMongo's updates become the contract's, one row an operator; the rest is refused by name."""

from __future__ import annotations

import re
from typing import Any

import pytest
from google.protobuf import text_format

from crossfade import InvalidUpdate, Unsupported
from crossfade.updates import write_update
from crossfade.v1 import storage_pb2 as pb

TRANSLATIONS: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"$set": {"a": 1, "b.c": "x"}},
        ['path: "a" set { int32_value: 1 }', 'path: "b.c" set { string_value: "x" }'],
    ),
    ({"$unset": {"a": ""}}, ['path: "a" unset {}']),
    ({"$inc": {"a": 1}}, ['path: "a" inc { int32_value: 1 }']),
    ({"$mul": {"a": 1.5}}, ['path: "a" mul { double_value: 1.5 }']),
    ({"$min": {"a": "x"}}, ['path: "a" min { string_value: "x" }']),
    ({"$max": {"a": None}}, ['path: "a" max { null_value: NULL_VALUE }']),
    ({"$rename": {"a": "b"}}, ['path: "a" rename: "b"']),
    ({"$setOnInsert": {"a": 1}}, ['path: "a" set_on_insert { int32_value: 1 }']),
    ({"$push": {"a": 1}}, ['path: "a" push { values { int32_value: 1 } }']),
    ({"$push": {"a": [1]}}, ['path: "a" push { values { list_value { values { int32_value: 1 } } } }']),
    (
        {"$push": {"a": {"$each": [1, 2], "$position": 0, "$slice": -5}}},
        ['path: "a" push { values { int32_value: 1 } values { int32_value: 2 } position: 0 slice: -5 }'],
    ),
    ({"$push": {"a": {"$each": [], "$slice": 0}}}, ['path: "a" push { slice: 0 }']),
    ({"$addToSet": {"a": 1}}, ['path: "a" add_to_set { values { int32_value: 1 } }']),
    (
        {"$addToSet": {"a": {"$each": [1, "x"]}}},
        ['path: "a" add_to_set { values { int32_value: 1 } values { string_value: "x" } }'],
    ),
    ({"$pull": {"a": 1}}, ['path: "a" pull { values { int32_value: 1 } }']),
    ({"$pull": {"a": [1]}}, ['path: "a" pull { values { list_value { values { int32_value: 1 } } } }']),
    (
        {"$pull": {"a": {"x": 1}}},
        [
            'path: "a" pull { where { all_of { filters '
            '{ comparison { path: "x" operator: EQ value { int32_value: 1 } } } } } }'
        ],
    ),
    (
        {"$pull": {"a": {"$gt": 1}}},
        [
            'path: "a" pull { where { all_of { filters '
            '{ comparison { path: "" operator: GT value { int32_value: 1 } } } } } }'
        ],
    ),
    (
        {"$pull": {"a": re.compile("^x")}},
        ['path: "a" pull { where { all_of { filters { prefix { path: "" prefix: "x" } } } } }'],
    ),
    (
        {"$pullAll": {"a": [1, 2]}},
        ['path: "a" pull { values { int32_value: 1 } values { int32_value: 2 } }'],
    ),
    ({"$pullAll": {"a": []}}, ['path: "a" pull {}']),
    ({"$pop": {"a": 1}}, ['path: "a" pop { end: LAST }']),
    ({"$pop": {"a": -1}}, ['path: "a" pop { end: FIRST }']),
    ({"$currentDate": {"a": True}}, ['path: "a" current_date { type: DATE }']),
    ({"$currentDate": {"a": {"$type": "date"}}}, ['path: "a" current_date { type: DATE }']),
    ({"$currentDate": {"a": {"$type": "timestamp"}}}, ['path: "a" current_date { type: TIMESTAMP }']),
    (
        {"$set": {"a": 1}, "$inc": {"b": 2}},
        ['path: "a" set { int32_value: 1 }', 'path: "b" inc { int32_value: 2 }'],
    ),
]


def translated(update: Any) -> pb.Update:
    target = pb.Update()
    write_update(target, update)
    return target


@pytest.mark.parametrize(("update", "expected"), TRANSLATIONS, ids=lambda case: str(case)[:40])
def test_an_update_is_translated(update: dict[str, Any], expected: list[str]) -> None:
    text = " ".join(f"operators {{ {operator} }}" for operator in expected)
    assert translated(update) == text_format.Parse(text, pb.Update())


def test_every_operator_of_the_contract_is_reached() -> None:
    reached = {
        operator.WhichOneof("kind") for update, _ in TRANSLATIONS for operator in translated(update).operators
    }
    assert reached == {field.name for field in pb.UpdateOperator.DESCRIPTOR.oneofs_by_name["kind"].fields}


@pytest.mark.parametrize(
    ("update", "operator"),
    [
        ({"$bit": {"a": {"and": 1}}}, "$bit"),
        ({"$push": {"a": {"$each": [1], "$sort": 1}}}, "$sort"),
        ({"$addToSet": {"a": {"$each": [1], "$slice": 1}}}, "$slice"),
        ([{"$set": {"a": 1}}], "pipeline"),
        ({"$pull": {"a": {"$size": 1}}}, "$size"),
    ],
    ids=str,
)
def test_what_the_contract_has_no_word_for_is_refused_by_name(update: Any, operator: str) -> None:
    with pytest.raises(Unsupported, match=re.escape(operator)):
        translated(update)


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"a": 1},
        {"$set": 1},
        {"$set": {1: 2}},
        {"$set": {"a": Ellipsis}},
        {"$inc": {"a": "1"}},
        {"$inc": {"a": True}},
        {"$mul": {"a": None}},
        {"$rename": {"a": 1}},
        {"$push": {"a": {"$each": 1}}},
        {"$push": {"a": {"$slice": 1}}},
        {"$push": {"a": {"$each": [1], "$slice": "1"}}},
        {"$pullAll": {"a": 1}},
        {"$pop": {"a": 2}},
        {"$currentDate": {"a": False}},
        {"$currentDate": {"a": {"$type": "time"}}},
    ],
    ids=str,
)
def test_a_malformed_update_is_refused(update: Any) -> None:
    with pytest.raises(InvalidUpdate):
        translated(update)
