"""The operator engine against the real mongod: the same bytes from updates, the same documents by filters.

The cases are generated from seeds (`operator_cases`). To run others, or more of them::

    ENGINE_SEEDS=5,6 ENGINE_ROUNDS=50 pytest tests/integration/test_operator_engine.py
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import bson
import pytest
from bson import DatetimeMS, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure

from proxy.core.document import OPTIONS
from proxy.core.errors import BadRequest
from proxy.core.filter import Comparator, Compare, Filter, check_filter
from proxy.core.matching import matches
from proxy.core.modification import modify
from proxy.core.ordering import compare, equal
from proxy.core.update import CurrentDate, Inc, Pop, Pull, Push, Rename, Set, Unset, Update, check
from tests.integration.operator_cases import NUMBERS, OTHERS, Cases, Fields, mongo_filter, mongo_update

SEEDS = [int(seed) for seed in os.environ.get("ENGINE_SEEDS", "1,2,3").split(",")]
ROUNDS = int(os.environ.get("ENGINE_ROUNDS", "1"))
UPDATES_PER_ROUND = 1500
DOCUMENTS_PER_ROUND = 80
FILTERS_PER_ROUND = 300

RAW = OPTIONS.with_options(document_class=RawBSONDocument)
Mongo = Collection[Any]
Engine = Callable[..., Fields]


@dataclass(frozen=True)
class UpdateCase:
    """One update of one document, in both forms."""

    document: Fields
    update: Update
    mongo: Fields


@pytest.fixture
def mongo(mongodb_uri: str, unique_name: str) -> Iterator[Mongo]:
    with MongoClient[Any](mongodb_uri) as client:
        yield client.get_database(unique_name).get_collection("cases", codec_options=OPTIONS)
        client.drop_database(unique_name)


def rounds(seed: int) -> Iterator[Cases]:
    return (Cases(seed * 1_000_003 + number) for number in range(ROUNDS))


# updates


def update_cases(cases: Cases) -> Iterator[UpdateCase]:
    for _ in range(UPDATES_PER_ROUND):
        update = cases.update()
        mongo = mongo_update(update)
        if mongo is not None:
            yield UpdateCase(cases.document(), update, mongo)


def apply_in_mongo(mongo: Mongo, cases: list[UpdateCase], inserting: bool) -> list[bytes | None]:
    """The BSON of every document after its update; None where MongoDB refused."""
    mongo.drop()
    if not inserting:
        mongo.insert_many([{"_id": number, **case.document} for number, case in enumerate(cases)])
    requests = [UpdateOne({"_id": i}, case.mongo, upsert=inserting) for i, case in enumerate(cases)]
    refused: set[int] = set()
    try:
        mongo.bulk_write(requests, ordered=False)
    except BulkWriteError as error:
        refused = {each["index"] for each in error.details["writeErrors"]}
    found = {
        document["_id"]: bytes(document.raw) for document in mongo.with_options(codec_options=RAW).find()
    }
    return [None if number in refused else found[number] for number in range(len(cases))]


def apply_in_engine(engine: Engine, fields: Fields, case: UpdateCase, inserting: bool) -> Fields | None:
    try:
        check(case.update)
        return engine(case.update, fields, inserting=inserting, now=0)
    except BadRequest:
        return None


def value_at(fields: Any, path: str) -> Any:
    for part in path.split("."):
        fields = fields[int(part) if isinstance(fields, list) else part]
    return fields


def with_clock_of(theirs: bytes, ours: Fields, update: Update) -> Fields:
    """Our result with the times that MongoDB's clock gave; their types must be the same."""
    for operator in update:
        if isinstance(operator, CurrentDate):
            time = value_at(bson.decode(theirs, OPTIONS), operator.path)
            assert isinstance(time, Timestamp if operator.as_timestamp else DatetimeMS)
            ours = modify((Set(operator.path, time),), ours, inserting=False, now=0)
    return ours


def differences_in_updates(
    mongo: Mongo, cases: list[UpdateCase], inserting: bool, engine: Engine = modify
) -> list[str]:
    found = []
    for number, theirs in enumerate(apply_in_mongo(mongo, cases, inserting)):
        case = cases[number]
        before = {"_id": number} if inserting else {"_id": number, **case.document}
        fields: Fields = bson.decode(bson.encode(before, codec_options=OPTIONS), OPTIONS)
        ours = apply_in_engine(engine, fields, case, inserting)
        if ours is not None and theirs is not None:
            ours = with_clock_of(theirs, ours, case.update)
        if theirs != (None if ours is None else bson.encode(ours, codec_options=OPTIONS)):
            result = "a refusal" if theirs is None else bson.decode(theirs, OPTIONS)
            found.append(f"{case.update}\n of {fields}\n is {ours}\n not {result}")
        assert bson.encode(fields, codec_options=OPTIONS) == bson.encode(before, codec_options=OPTIONS)
    return found


@pytest.mark.parametrize("inserting", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_updates_give_the_bytes_that_mongodb_gives(mongo: Mongo, seed: int, inserting: bool) -> None:
    for cases in rounds(seed):
        found = differences_in_updates(mongo, list(update_cases(cases)), inserting)
        assert not found, f"seed {seed}: {len(found)} differences, such as\n" + "\n\n".join(found[:3])


def test_a_wrong_engine_would_be_noticed(mongo: Mongo) -> None:
    def in_given_order(update: Update, fields: Fields, *, inserting: bool, now: int) -> Fields:
        for operator in update:
            fields = modify((operator,), fields, inserting=inserting, now=now)
        return fields

    assert differences_in_updates(mongo, list(update_cases(Cases(1))), inserting=False, engine=in_given_order)


@pytest.mark.parametrize(
    "part", ["01", "4294967295", "4294967296", "1" * 5000, "0" * 5000 + "1", "+1", "1_0", "\u0661"]
)
def test_what_counts_as_an_index_is_the_same(mongo: Mongo, part: str) -> None:
    path = f"a.{part}"
    updates: list[Update] = [
        *((Set(path, 1),), (Unset(path),), (Inc(f"{path}.b", 1),), (Push(path, ()),), (Pop(path, True),)),
        *((Pull(path, (1,)),), (Rename(path, "b"),), (Rename("a", f"b.{part}"),)),
    ]
    documents: list[Fields] = [{"a": [1]}, {"a": {}}, {}]
    cases = [
        UpdateCase(fields, update, mongo_update(update) or {}) for fields in documents for update in updates
    ]
    assert not differences_in_updates(mongo, cases, inserting=False)


# filters


def ids_in_mongo(mongo: Mongo, filter: Filter) -> set[int] | None:
    try:
        return {document["_id"] for document in mongo.find(mongo_filter(filter), {"_id": 1})}
    except OperationFailure:
        return None


def ids_in_engine(documents: list[Fields], filter: Filter) -> set[int] | None:
    try:
        check_filter(filter)
    except BadRequest:
        return None
    return {document["_id"] for document in documents if matches(filter, document)}


def store(mongo: Mongo, contents: list[Fields]) -> list[Fields]:
    """The documents as stored, numbered from 0."""
    mongo.drop()
    mongo.insert_many([{"_id": number, **fields} for number, fields in enumerate(contents)])
    return list(mongo.find().sort("_id", 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_filters_select_what_mongodb_selects(mongo: Mongo, seed: int) -> None:
    selected = 0
    for cases in rounds(seed):
        documents = store(mongo, [cases.document() for _ in range(DOCUMENTS_PER_ROUND)])
        for filter in (cases.filter() for _ in range(FILTERS_PER_ROUND)):
            ours, theirs = ids_in_engine(documents, filter), ids_in_mongo(mongo, filter)
            assert ours == theirs, f"seed {seed}: {filter} selects {ours}, not {theirs}, of {documents}"
            selected += len(theirs or ())
    share = selected / (ROUNDS * DOCUMENTS_PER_ROUND * FILTERS_PER_ROUND)
    assert 0.1 < share < 0.6, f"the cases say little: filters select {share:.0%} of the documents"


def test_every_comparison_with_every_value_selects_the_same(mongo: Mongo) -> None:
    values = [*NUMBERS, *OTHERS]
    documents = store(
        mongo, [{}, *({"a": value} for value in values), *({"a": [value, 1]} for value in values)]
    )
    for comparator, value in product(Comparator, values):
        filter = Compare("a", comparator, value)
        ours, theirs = ids_in_engine(documents, filter), ids_in_mongo(mongo, filter)
        if theirs is None or not isinstance(value, bson.Regex):  # of regexes we refuse more
            assert ours == theirs, f"{filter}: {ours} instead of {theirs}"


# order


@pytest.mark.parametrize("seed", SEEDS)
def test_values_sort_as_in_mongodb(mongo: Mongo, seed: int) -> None:
    cases = Cases(seed)
    values = [*NUMBERS, *OTHERS, *(cases.value() for _ in range(200))]
    pairs = [(left, right) for left in values for right in cases.random.sample(values, 20)]
    ours = [sign(compare(left, right)) for left, right in pairs]
    wrong = [
        (pair, mine)
        for pair, mine, theirs in zip(pairs, ours, orders(mongo, pairs), strict=True)
        if mine != theirs
    ]
    assert not wrong, f"seed {seed}: {wrong[:3]}"
    assert {equal(*pair) for pair in pairs} == {True, False}


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


def orders(mongo: Mongo, pairs: list[tuple[Any, Any]]) -> list[int]:
    """What `$cmp` makes of every pair."""
    store(mongo, [{"left": left, "right": right} for left, right in pairs])
    stages: list[Fields] = [{"$sort": {"_id": 1}}, {"$project": {"order": {"$cmp": ["$left", "$right"]}}}]
    return [document["order"] for document in mongo.aggregate(stages)]
