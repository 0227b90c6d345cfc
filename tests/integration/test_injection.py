"""Nothing that a client sends reaches a store as code: each trick over a real connection to both real stores.

A trick that is refused must leave no trace; one that is data must come back as the data that it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crossfade.v1 import document_pb2
from crossfade.v1 import storage_pb2 as pb
from tests.fuzz import grammar
from tests.fuzz.twins import DYNAMO, MONGO, Twins, twins_in_a_thread

KEY = {"tenant": "a", "area": "b", "name": "n", "part": 1}
STORED = {"_id": "one", **KEY, "secret": 42}
KEYS = ("tenant", "area", "name", "part")


@pytest.fixture(scope="module")
def opened(mongodb_uri: str, dynamodb_endpoint: str) -> Iterator[Twins]:
    with twins_in_a_thread(mongodb_uri, dynamodb_endpoint) as twins:
        yield twins


@pytest.fixture
def twins(opened: Twins) -> Twins:
    """Each twin with one document."""
    opened.clear()
    for name in (MONGO, DYNAMO):
        answer = opened.ask("Insert", pb.InsertRequest(collection=name, document=grammar.document_of(STORED)))
        assert not answer.reason
    return opened


def key_message(**other: Any) -> document_pb2.Document:
    return grammar.document_of({**KEY, **other})


def updating(path: str, value: Any) -> pb.Update:
    return pb.Update(operators=[pb.UpdateOperator(path=path, set=grammar.value_of(value))])


def refused(twins: Twins, method: str, **request: Any) -> set[str]:
    """The reasons of both; nothing was written."""
    before, reasons = twins.stored(), set()
    for name in (MONGO, DYNAMO):
        kind = getattr(pb, f"{method}Request")
        answer = twins.ask(method, kind(collection=name, **request))
        assert answer.reason and answer.outcome == 1, answer
        reasons.add(answer.reason)
    assert twins.stored() == before
    return reasons


OPERATORS = ("$where", "$expr", "$function", "$gt", "$jsonSchema", "$", "$$ROOT")


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_as_a_path_is_refused(twins: Twins, name: str) -> None:
    condition = grammar.equal(name, "while (true) {}")
    assert refused(twins, "Query", filter=condition) == {"INVALID_FILTER"}
    assert refused(twins, "Delete", key=key_message(), filter=condition) == {"INVALID_FILTER"}
    assert refused(twins, "Update", key=key_message(), update=updating(name, 1)) == {"INVALID_UPDATE"}


@pytest.mark.parametrize(
    "value", [{"$gt": ""}, {"$ne": None}, {"$where": "1"}, {"$regex": "."}, [{"$gt": 0}]]
)
def test_an_operator_as_a_value_is_a_value(twins: Twins, value: Any) -> None:
    """The oldest trick: a password of {"$ne": null} must equal that document, and not differ from null."""
    for name in (MONGO, DYNAMO):
        for path in ("secret", "missing"):
            held = [grammar.equal(one, KEY[one]) for one in KEYS]
            parts = pb.FilterList(filters=[*held, grammar.equal(path, value)])
            condition = pb.Filter(all_of=parts)
            answer = twins.ask("Query", pb.QueryRequest(collection=name, filter=condition))
            assert (answer.reason, answer.facts) == ("", [])


@pytest.mark.parametrize("value", [{"$set": {"secret": 0}}, {"$gt": 1}, "$secret", "$$ROOT", {"$literal": 1}])
def test_what_looks_like_an_expression_is_stored_as_it_is(twins: Twins, value: Any) -> None:
    for name in (MONGO, DYNAMO):
        done = twins.ask(
            "Update", pb.UpdateRequest(collection=name, key=key_message(), update=updating("x", value))
        )
        found = twins.stub.Get(pb.GetRequest(collection=name, key=key_message())).document
        fields = {one.name: one.value for one in found.fields}
        assert not done.reason and fields["x"] == grammar.value_of(value)
        assert fields["secret"] == grammar.value_of(42)


RESERVED = ("_cf", "_ttl", "__cf", "_types", "_bson")


@pytest.mark.parametrize("name", RESERVED)
def test_a_field_named_like_ours_is_the_users_and_never_ours(twins: Twins, name: str) -> None:
    fake = {"e": 99, "r": 2**60, "op": b"x" * 16, "del": True, "t": "{}"}
    for store in (MONGO, DYNAMO):
        key = {**KEY, "part": 2}
        document = grammar.document_of({"_id": name, **key, name: fake})
        twins.ask("Insert", pb.InsertRequest(collection=store, document=document))
        got = twins.stub.Get(pb.GetRequest(collection=store, key=grammar.document_of(key)))
        assert got.document == document, (
            "a planted mark of ours would hide the document or change its version"
        )
        update = pb.UpdateRequest(collection=store, key=grammar.document_of(key), update=updating("n", 1))
        assert twins.ask("Update", update).facts[0][:2] == (True, True)


@pytest.mark.parametrize("path", ["_cf.e", "_cf", "_cf.del", "_cf.r"])
def test_an_update_does_not_reach_our_field(twins: Twins, path: str) -> None:
    """Whether it is refused or touches the user's own field of that name, the version stays ours."""
    for store in (MONGO, DYNAMO):
        before = twins.stub.Get(pb.GetRequest(collection=store, key=key_message()))
        request = pb.UpdateRequest(collection=store, key=key_message(), update=updating(path, 99))
        twins.ask("Update", request)
        after = twins.stub.Get(pb.GetRequest(collection=store, key=key_message()))
        assert after.HasField("document")
        fresh = twins.ask(
            "Update", pb.UpdateRequest(collection=store, key=key_message(), update=updating("n", 1))
        )
        assert fresh.facts[0][:2] == (True, True)
        assert before.document.fields[-1] == after.document.fields[len(before.document.fields) - 1]


PLACEHOLDERS = (
    "#n0",
    ":v0",
    "#0",
    ":0",
    "#k",
    ":e",
    "attribute_exists(secret)",
    "secret",
    "a.b",
    "a[0]",
    "size",
)


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_a_name_that_an_expression_uses_is_a_name(twins: Twins, name: str) -> None:
    for store in (MONGO, DYNAMO):
        key = {**KEY, "part": 3}
        document = grammar.document_of({"_id": 3, **key, name: ":v0"})
        assert not twins.ask("Insert", pb.InsertRequest(collection=store, document=document)).reason
        assert (
            twins.stub.Get(pb.GetRequest(collection=store, key=grammar.document_of(key))).document == document
        )


CLASHES = [
    ({"tenant": "a/b", "area": "c"}, {"tenant": "a", "area": "b/c"}),
    ({"tenant": "a~1b", "area": "c"}, {"tenant": "a/b", "area": "c"}),
    ({"tenant": "~0", "area": "c"}, {"tenant": "~", "area": "c"}),
    ({"tenant": "a", "area": "~e"}, {"tenant": "a", "area": "e"}),
    ({"name": "n/1"}, {"name": "n"}),
    ({"name": "n", "part": 10}, {"name": "n", "part": 1}),
    ({"name": "é"}, {"name": "e\u0301"}),
]


@pytest.mark.parametrize(("one", "other"), CLASHES, ids=str)
def test_keys_that_could_collide_are_two_documents(twins: Twins, one: Any, other: Any) -> None:
    for store in (MONGO, DYNAMO):
        for number, fields in enumerate((one, other)):
            document = grammar.document_of(
                {"_id": f"k{number}", **KEY, "area": "k", **fields, "mine": number}
            )
            assert not twins.ask("Insert", pb.InsertRequest(collection=store, document=document)).reason
        for number, fields in enumerate((one, other)):
            key = grammar.document_of({**KEY, "area": "k", **fields})
            found = twins.stub.Get(pb.GetRequest(collection=store, key=key)).document
            assert [one.value for one in found.fields if one.name == "mine"] == [grammar.value_of(number)]


@pytest.mark.parametrize("name", ["", "$where", "../jobs", "on_mongodb\0", "system.users", "on_mongodb.$cmd"])
def test_a_collection_is_one_that_is_declared_and_nothing_else(twins: Twins, name: str) -> None:
    before = twins.stored()
    for method, more in (
        ("Get", {"key": key_message()}),
        ("Insert", {"document": grammar.document_of(STORED)}),
    ):
        answer = twins.ask(method, getattr(pb, f"{method}Request")(collection=name, **more))
        assert answer.reason == "UNKNOWN_COLLECTION"
    assert twins.stored() == before
