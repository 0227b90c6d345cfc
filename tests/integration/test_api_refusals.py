"""Bad input is refused by name, with nothing written anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import bson
import grpc
import pytest
from bson import ObjectId, Regex
from google.protobuf.message import Message

from crossfade.v1 import document_pb2, error_pb2
from crossfade.v1 import storage_pb2 as pb
from proxy.core.stage import Stage
from tests.integration.api_server import Served, detail_in, serving
from tests.integration.test_api_storage import both, compare, key, setting
from tests.unit.api.samples import message_of

JOB = {"tenant": "t", "name": "a"}
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def proxy() -> AsyncIterator[Served]:
    """A proxy that holds one document, so that a write that slips through finds something to change."""
    async with serving(Stage.MONGO_PRIMARY) as served:
        await served.storage.Insert(pb.InsertRequest(collection="jobs", document=message_of({**JOB, "n": 1})))
        yield served


async def refused(proxy: Served, request: Message) -> tuple[grpc.StatusCode, error_pb2.ErrorDetail]:
    """The status and detail of a call that must fail, after checking that nothing was stored."""
    stored = proxy.writes()
    method = type(request).__name__.removesuffix("Request")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(proxy.storage, method)(request)
    assert proxy.writes() == stored
    detail = detail_in(caught.value)
    assert detail.outcome == error_pb2.OUTCOME_NOT_APPLIED
    return caught.value.code(), detail


def value(**kind: Any) -> document_pb2.Value:
    return document_pb2.Value(**kind)


def document(name: str, given: document_pb2.Value) -> document_pb2.Document:
    """A whole job with one more field of this value."""
    message = message_of(dict(JOB))
    message.fields.add(name=name, value=given)
    return message


def insert(message: document_pb2.Document, **more: Any) -> pb.InsertRequest:
    return pb.InsertRequest(collection="jobs", document=message, **more)


def update(*operators: pb.UpdateOperator, **more: Any) -> pb.UpdateRequest:
    return pb.UpdateRequest(
        **{"collection": "jobs", "key": key(), "update": pb.Update(operators=operators), **more}
    )


def get(filter: pb.Filter) -> pb.GetRequest:
    return pb.GetRequest(collection="jobs", key=key(), filter=filter)


def query(**more: Any) -> pb.QueryRequest:
    return pb.QueryRequest(**{"collection": "jobs", "filter": compare("tenant", "t"), **more})


SET = setting("n", 2)
BATCH = pb.Write(insert=pb.InsertRequest(document=message_of({"tenant": "t", "name": "new"})))

REFUSALS: dict[str, tuple[Message, str, str]] = {
    # documents
    "no document": (pb.InsertRequest(collection="jobs"), "INVALID_ARGUMENT", "document"),
    "unset value": (insert(document("x", value())), "INVALID_FIELD", "document.fields[2].value"),
    "field twice": (
        insert(document("name", value(bool_value=True))),
        "INVALID_FIELD",
        "document.fields[2].name",
    ),
    "NUL in a name": (
        insert(document("a\0", value(bool_value=True))),
        "INVALID_FIELD",
        "document.fields[2].name",
    ),
    "short ObjectId": (
        insert(document("x", value(object_id_value=b"1"))),
        "INVALID_FIELD",
        "document.fields[2].value.object_id_value",
    ),
    "deep unset value": (
        insert(document("x", value(map_value={"fields": [{"name": "y"}]}))),
        "INVALID_FIELD",
        "document.fields[2].value.map_value.fields[0].value",
    ),
    "broken BSON": (insert(document_pb2.Document(bson=b"junk")), "INVALID_FIELD", "document.bson"),
    "an array as _id": (insert(message_of({"_id": [1], **JOB})), "INVALID_FIELD", "document._id"),
    "a regex as _id": (insert(message_of({"_id": Regex("a"), **JOB})), "INVALID_FIELD", "document._id"),
    # keys
    "key field missing": (insert(message_of({"tenant": "t"})), "KEY_FIELD_MISSING", "name"),
    "key field of another type": (insert(message_of({"tenant": "t", "name": 1})), "KEY_FIELD_TYPE", "name"),
    "key too long": (insert(message_of({"tenant": "t", "name": "x" * 1025})), "KEY_TOO_LONG", "name"),
    "key of no fields": (update(key=document_pb2.Document(), update=SET), "KEY_FIELD_MISSING", "tenant"),
    "key with another field": (
        update(key=message_of({**JOB, "n": 1}), update=SET),
        "INVALID_ARGUMENT",
        "key.n",
    ),
    "key as BSON": (
        update(key=document_pb2.Document(bson=bson.encode(JOB)), update=SET),
        "INVALID_FIELD",
        "key.bson",
    ),
    "neither key nor filter": (pb.GetRequest(collection="jobs"), "KEY_FIELD_MISSING", "key"),
    "filter without the whole key": (
        pb.DeleteRequest(collection="jobs", filter=compare("tenant", "t")),
        "KEY_FIELD_MISSING",
        "key",
    ),
    "another key in the document": (
        pb.ReplaceRequest(collection="jobs", key=key(), document=message_of({"tenant": "t", "name": "b"})),
        "KEY_FIELD_CHANGED",
        "document",
    ),
    "another _id": (
        pb.ReplaceRequest(collection="jobs", key=key(), document=message_of({"_id": ObjectId(), **JOB})),
        "INVALID_FIELD",
        "_id",
    ),
    "an update of the key": (update(update=setting("name", "b")), "KEY_FIELD_CHANGED", "update.operators[0]"),
    "an update below the key": (
        update(
            pb.UpdateOperator(path="n", inc=value(int32_value=1)), pb.UpdateOperator(path="name.x", unset={})
        ),
        "KEY_FIELD_CHANGED",
        "update.operators[1]",
    ),
    "a rename onto the key": (
        update(pb.UpdateOperator(path="n", rename="tenant")),
        "KEY_FIELD_CHANGED",
        "update.operators[0]",
    ),
    # filters
    "filter without kind": (get(pb.Filter()), "INVALID_FILTER", "filter"),
    "inner filter without kind": (
        get(both(compare("n", 1), pb.Filter())),
        "INVALID_FILTER",
        "filter.all_of.filters[1]",
    ),
    "unset operator": (
        get(pb.Filter(comparison=pb.Comparison(path="n", value=value(int32_value=1)))),
        "INVALID_FILTER",
        "filter.comparison.operator",
    ),
    "operator from the future": (
        get(pb.Filter(comparison=pb.Comparison(path="n", operator=99, value=value(int32_value=1)))),  # type: ignore[arg-type]
        "INVALID_FILTER",
        "filter.comparison.operator",
    ),
    "empty path": (get(compare("", 1)), "INVALID_FILTER", "filter.comparison.path"),
    "an operator as path": (
        get(both(compare("$where", "1"))),
        "INVALID_FILTER",
        "filter.all_of.filters[0].comparison.path",
    ),
    "NUL in a path": (get(compare("a\0", 1)), "INVALID_FILTER", "filter.comparison.path"),
    "a regex as operand": (get(compare("n", Regex("."))), "INVALID_FILTER", "filter.comparison"),
    "an operand without kind": (
        get(pb.Filter(in_values=pb.In(path="n", values=[value(int32_value=1), value()]))),
        "INVALID_FIELD",
        "filter.in_values.values[1]",
    ),
    "any of nothing": (get(pb.Filter(any_of=pb.FilterList())), "INVALID_FILTER", "filter.any_of.filters"),
    "none of nothing": (get(pb.Filter(none_of=pb.FilterList())), "INVALID_FILTER", "filter.none_of.filters"),
    # updates
    "no update": (pb.UpdateRequest(collection="jobs", key=key()), "INVALID_UPDATE", "update.operators"),
    "operator without kind": (
        update(pb.UpdateOperator(path="n", unset={}), pb.UpdateOperator(path="m")),
        "INVALID_UPDATE",
        "update.operators[1]",
    ),
    "operator without path": (
        update(pb.UpdateOperator(set=value(int32_value=1))),
        "INVALID_UPDATE",
        "update.operators[0].path",
    ),
    "positional operator": (update(update=setting("a.$[]", 1)), "INVALID_UPDATE", "update.operators[0]"),
    "conflicting paths": (
        update(
            pb.UpdateOperator(path="a", set=value(int32_value=1)),
            pb.UpdateOperator(path="a.b", set=value(int32_value=1)),
        ),
        "CONFLICTING_PATHS",
        "update.operators[1]",
    ),
    "increment by a string": (
        update(pb.UpdateOperator(path="n", inc=value(string_value="1"))),
        "INVALID_UPDATE",
        "update.operators[0]",
    ),
    "set to a value without kind": (
        update(pb.UpdateOperator(path="n", set=value())),
        "INVALID_FIELD",
        "update.operators[0].set",
    ),
    "push of nothing": (
        update(pb.UpdateOperator(path="l", push=pb.Push())),
        "INVALID_UPDATE",
        "update.operators[0].push.values",
    ),
    "pull of nothing": (
        update(pb.UpdateOperator(path="l", pull=pb.Pull())),
        "INVALID_UPDATE",
        "update.operators[0].pull",
    ),
    "pull of both": (
        update(
            pb.UpdateOperator(path="l", pull=pb.Pull(values=[value(int32_value=1)], where=compare("a", 1)))
        ),
        "INVALID_UPDATE",
        "update.operators[0].pull",
    ),
    "pop without end": (
        update(pb.UpdateOperator(path="l", pop=pb.Pop())),
        "INVALID_UPDATE",
        "update.operators[0].pop.end",
    ),
    "a field below a number": (update(update=setting("n.x", 1)), "INVALID_UPDATE", "n.x"),
    # preconditions and repetition
    "an etag that is none": (update(update=SET, etag="nonsense!"), "INVALID_FIELD", "etag"),
    "an etag cut short": (update(update=SET, etag="AAAA"), "INVALID_FIELD", "etag"),
    "etag and upsert": (update(update=SET, etag="A" * 43, upsert=True), "INVALID_ARGUMENT", "upsert"),
    "a short request id": (update(update=SET, request_id=b"short"), "INVALID_ARGUMENT", "request_id"),
    "a long request id": (
        insert(message_of(dict(JOB)), request_id=b"x" * 17),
        "INVALID_ARGUMENT",
        "request_id",
    ),
    # queries
    "negative page size": (query(page_size=-1), "INVALID_ARGUMENT", "page_size"),
    "negative limit": (pb.CountRequest(collection="jobs", limit=-1), "INVALID_ARGUMENT", "limit"),
    "a page token that is none": (query(page_token="nonsense"), "INVALID_PAGE_TOKEN", "page_token"),
    "an order without path": (query(order=[pb.Order()]), "INVALID_ARGUMENT", "order[0].path"),
    "a direction from the future": (
        query(order=[pb.Order(path="name"), pb.Order(path="due", direction=9)]),  # type: ignore[arg-type]
        "INVALID_ARGUMENT",
        "order[1].direction",
    ),
    "upsert of a reservation": (
        pb.FindOneAndUpdateRequest(collection="jobs", filter=compare("tenant", "t"), update=SET, upsert=True),
        "KEY_FIELD_MISSING",
        "key",
    ),
    "a reservation without filter": (
        pb.FindOneAndUpdateRequest(collection="jobs", update=SET),
        "INVALID_FILTER",
        "filter",
    ),
    "an upsert that contradicts itself": (
        update(filter=both(compare("x", 1), compare("x", 2)), key=key("new"), update=SET, upsert=True),
        "INVALID_FILTER",
        "filter",
    ),
    # batches
    "an empty batch": (pb.BatchWriteRequest(collection="jobs"), "INVALID_ARGUMENT", "writes"),
    "a batch too large": (
        pb.BatchWriteRequest(collection="jobs", writes=[BATCH] * 1001),
        "INVALID_ARGUMENT",
        "writes",
    ),
    "a write without kind": (
        pb.BatchWriteRequest(collection="jobs", writes=[BATCH, pb.Write()]),
        "INVALID_ARGUMENT",
        "writes[1]",
    ),
    "a write of another collection": (
        pb.BatchWriteRequest(
            collection="jobs", writes=[BATCH, pb.Write(delete=pb.DeleteRequest(collection="numbered"))]
        ),
        "INVALID_ARGUMENT",
        "writes[1].delete.collection",
    ),
    "too many keys": (
        pb.BatchGetRequest(collection="jobs", keys=[key()] * 101),
        "INVALID_ARGUMENT",
        "keys",
    ),
    "a bad key among keys": (
        pb.BatchGetRequest(collection="jobs", keys=[key(), message_of({**JOB, "n": 1})]),
        "INVALID_ARGUMENT",
        "keys[1].n",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_bad_input_is_refused_by_name(proxy: Served, case: str) -> None:
    request, reason, field = REFUSALS[case]
    code, detail = await refused(proxy, request)
    assert error_pb2.ErrorReason.Name(detail.reason) == f"ERROR_REASON_{reason}"
    assert detail.field == field
    assert code is INVALID


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 1e300])
async def test_a_number_that_no_key_can_hold_is_refused(proxy: Served, number: float) -> None:
    request = pb.InsertRequest(collection="numbered", document=message_of({"n": number}))
    code, detail = await refused(proxy, request)
    assert code is INVALID
    assert detail.reason == error_pb2.ERROR_REASON_KEY_FIELD_TYPE
    assert detail.field == "n"


async def test_an_unknown_collection_is_not_found(proxy: Served) -> None:
    code, detail = await refused(proxy, pb.InsertRequest(collection="nope", document=message_of(dict(JOB))))
    assert code is grpc.StatusCode.NOT_FOUND
    assert detail.reason == error_pb2.ERROR_REASON_UNKNOWN_COLLECTION
    assert detail.field == "collection"


async def test_a_query_that_no_index_serves_names_the_index(proxy: Served) -> None:
    code, detail = await refused(proxy, query(filter=compare("state", "x")))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert detail.reason == error_pb2.ERROR_REASON_NO_INDEX
    assert "state" in detail.hint


async def test_a_token_is_good_for_its_own_query_alone(proxy: Served) -> None:
    for name in ("b", "c"):
        message = message_of({"tenant": "t", "name": name, "due": 1})
        await proxy.storage.Insert(insert(message))
    token = (await proxy.storage.Query(query(page_size=1))).next_page_token
    assert token
    elsewhere = query(filter=compare("tenant", "u"), page_token=token)
    forged = query(page_token=token[:-2] + ("AA" if token[-2:] != "AA" else "BB"))
    for request in (elsewhere, forged):
        code, detail = await refused(proxy, request)
        assert code is INVALID
        assert detail.reason == error_pb2.ERROR_REASON_INVALID_PAGE_TOKEN


async def raw_call(proxy: Served, method: str, data: bytes) -> grpc.aio.AioRpcError:
    """The failure of a call whose message is these bytes, whatever they are."""
    call = proxy.channel.unary_unary(f"/crossfade.v1.StorageService/{method}", None, None)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(data)
    return caught.value


@pytest.mark.parametrize("method", ["Get", "Query", "Insert", "Update", "BatchWrite"])
async def test_invalid_utf8_and_junk_are_bad_requests_too(proxy: Served, method: str) -> None:
    stored = proxy.writes()
    for data in (b"\x0a\x02\xff\xfe", b"\xff\xff\xff", b"\x0a\x7fcut"):
        failure = await raw_call(proxy, method, data)
        assert failure.code() is INVALID
        assert detail_in(failure).reason == error_pb2.ERROR_REASON_INVALID_ARGUMENT
    assert proxy.writes() == stored


async def test_a_message_over_the_limit_is_refused(proxy: Served) -> None:
    message = document("big", value(bytes_value=b"x" * (17 * 1024 * 1024)))
    stored = proxy.writes()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await proxy.storage.Insert(insert(message))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert proxy.writes() == stored
