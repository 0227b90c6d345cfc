"""StorageService over a real connection, on memory stores: every call does what the contract says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import grpc
import pytest
from bson import ObjectId

from crossfade.v1 import document_pb2, error_pb2
from crossfade.v1 import storage_pb2 as pb
from proxy.api.status import TRAILER
from proxy.api.translate.documents import read_document
from proxy.core.document import Fields
from proxy.core.keys import Key
from proxy.core.stage import Stage, StoreName
from tests.integration.api_server import Served, detail_in, serving
from tests.unit.api.samples import message_of


@pytest.fixture
async def proxy() -> AsyncIterator[Served]:
    async with serving(Stage.MONGO_PRIMARY) as served:
        yield served


def key(name: str = "a", tenant: str = "t") -> document_pb2.Document:
    return message_of({"tenant": tenant, "name": name})


def compare(path: str, value: object, operator: pb.Comparison.Operator = pb.Comparison.EQ) -> pb.Filter:
    [field] = message_of({"": value}).fields
    return pb.Filter(comparison=pb.Comparison(path=path, operator=operator, value=field.value))


def both(*filters: pb.Filter) -> pb.Filter:
    return pb.Filter(all_of=pb.FilterList(filters=filters))


def setting(path: str, value: object) -> pb.Update:
    [field] = message_of({"": value}).fields
    return pb.Update(operators=[pb.UpdateOperator(path=path, set=field.value)])


def fields_of(message: document_pb2.Document) -> Fields:
    return read_document(message).fields


async def insert(proxy: Served, name: str = "a", **fields: object) -> pb.WriteResponse:
    document = message_of({"tenant": "t", "name": name, **fields})
    return await proxy.storage.Insert(pb.InsertRequest(collection="jobs", document=document))


async def get(proxy: Served, name: str = "a") -> pb.GetResponse:
    return await proxy.storage.Get(pb.GetRequest(collection="jobs", key=key(name)))


async def test_an_inserted_document_is_read_back_with_an_id_first(proxy: Served) -> None:
    written = await insert(proxy, n=1)
    assert written.inserted
    assert not written.matched
    assert written.modified
    assert written.mirror == pb.MIRROR_APPLIED
    assert len(written.op) == 16
    found = await get(proxy)
    assert found.etag == written.etag
    fields = fields_of(found.document)
    assert list(fields) == ["_id", "tenant", "name", "n"]
    assert isinstance(fields["_id"], ObjectId)
    mirror = proxy.tables["jobs"][StoreName.DYNAMODB].records
    assert mirror[Key(("t", "a"))].document is not None


async def test_finding_nothing_is_a_result(proxy: Served) -> None:
    found = await get(proxy, "missing")
    assert not found.HasField("document")
    assert found.etag == ""


async def test_get_by_filter_takes_the_key_from_its_equalities(proxy: Served) -> None:
    await insert(proxy, n=1)
    by_key = both(compare("name", "a"), compare("tenant", "t"))
    found = await proxy.storage.Get(pb.GetRequest(collection="jobs", filter=by_key))
    assert fields_of(found.document)["n"] == 1
    assert not found.HasField("plan")
    unmet = both(by_key, compare("n", 2))
    found = await proxy.storage.Get(pb.GetRequest(collection="jobs", filter=unmet))
    assert not found.HasField("document")
    found = await proxy.storage.Get(pb.GetRequest(collection="jobs", key=key(), filter=compare("n", 2)))
    assert not found.HasField("document")


async def test_get_the_first_in_order(proxy: Served) -> None:
    for name, due in (("a", 3), ("b", 1), ("c", 2)):
        await insert(proxy, name, due=due)
    request = pb.GetRequest(
        collection="jobs",
        filter=both(compare("tenant", "t"), compare("due", 1, pb.Comparison.GTE)),
        order=[pb.Order(path="due")],
    )
    found = await proxy.storage.Get(request)
    assert fields_of(found.document)["name"] == "b"
    assert found.plan.index == "by_due"
    assert found.plan.freshness == pb.FRESHNESS_STRONG


async def test_batch_get_answers_in_the_order_of_the_keys(proxy: Served) -> None:
    await insert(proxy, "a", n=1)
    await insert(proxy, "b", n=2)
    keys = [key("b"), key("missing"), key("a"), key("b")]
    answer = await proxy.storage.BatchGet(pb.BatchGetRequest(collection="jobs", keys=keys))
    found = [fields_of(r.document)["n"] if r.HasField("document") else None for r in answer.results]
    assert found == [2, None, 1, 2]


async def test_query_goes_on_from_page_to_page_and_counts(proxy: Served) -> None:
    for number in range(7):
        await insert(proxy, f"job{number}")
    request = pb.QueryRequest(collection="jobs", filter=compare("tenant", "t"), page_size=3)
    names: list[str] = []
    pages = 0
    while True:
        answer = await proxy.storage.Query(request)
        names += [fields_of(row.document)["name"] for row in answer.documents]
        pages += 1
        assert all(row.etag for row in answer.documents)
        assert answer.plan.index == "key"
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert names == [f"job{number}" for number in range(7)]
    assert pages == 3
    counted = await proxy.storage.Count(pb.CountRequest(collection="jobs", filter=compare("tenant", "t")))
    assert counted.count == 7
    limited = pb.CountRequest(collection="jobs", filter=compare("tenant", "t"), limit=5)
    assert (await proxy.storage.Count(limited)).count == 5


async def test_replace_keeps_the_id_and_fills_in_the_key(proxy: Served) -> None:
    await insert(proxy, n=1)
    before = fields_of((await get(proxy)).document)
    request = pb.ReplaceRequest(
        collection="jobs",
        key=key(),
        document=message_of({"n": 2}),
        return_document=pb.RETURN_DOCUMENT_BOTH,
    )
    written = await proxy.storage.Replace(request)
    assert written.matched
    assert written.modified
    assert not written.inserted
    assert fields_of(written.before) == before
    assert fields_of(written.after) == {"_id": before["_id"], "tenant": "t", "name": "a", "n": 2}


async def test_replace_takes_the_key_from_the_document_and_upserts(proxy: Served) -> None:
    document = message_of({"tenant": "t", "name": "new", "n": 1})
    request = pb.ReplaceRequest(collection="jobs", document=document)
    assert not (await proxy.storage.Replace(request)).matched
    request.upsert = True
    written = await proxy.storage.Replace(request)
    assert written.inserted
    assert "_id" in fields_of((await get(proxy, "new")).document)


async def test_update_returns_what_is_asked_for(proxy: Served) -> None:
    await insert(proxy, n=1)
    request = pb.UpdateRequest(
        collection="jobs", key=key(), update=setting("n", 2), return_document=pb.RETURN_DOCUMENT_BEFORE
    )
    written = await proxy.storage.Update(request)
    assert fields_of(written.before)["n"] == 1
    assert not written.HasField("after")
    again = await proxy.storage.Update(request)
    assert again.matched
    assert not again.modified


async def test_update_upserts_from_the_filters_equalities(proxy: Served) -> None:
    request = pb.UpdateRequest(
        collection="jobs",
        filter=both(compare("tenant", "t"), compare("name", "up"), compare("deep.er", "x")),
        update=setting("n", 1),
        upsert=True,
        return_document=pb.RETURN_DOCUMENT_AFTER,
    )
    written = await proxy.storage.Update(request)
    assert written.inserted
    fields = fields_of(written.after)
    assert isinstance(fields.pop("_id"), ObjectId)
    assert fields == {"tenant": "t", "name": "up", "deep": {"er": "x"}, "n": 1}


async def test_a_set_of_the_key_to_itself_is_harmless(proxy: Served) -> None:
    await insert(proxy)
    request = pb.UpdateRequest(collection="jobs", key=key(), update=setting("name", "a"))
    assert (await proxy.storage.Update(request)).matched


async def test_an_unmet_filter_is_a_result_and_a_wrong_etag_an_error(proxy: Served) -> None:
    written = await insert(proxy, n=1)
    request = pb.UpdateRequest(collection="jobs", key=key(), filter=compare("n", 9), update=setting("n", 2))
    answer = await proxy.storage.Update(request)
    assert not answer.matched
    assert answer.mirror == pb.MIRROR_NONE
    assert answer.op == b""
    fresh = pb.UpdateRequest(collection="jobs", key=key(), etag=written.etag, update=setting("n", 2))
    assert (await proxy.storage.Update(fresh)).matched
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await proxy.storage.Update(fresh)
    assert caught.value.code() is grpc.StatusCode.ABORTED
    assert detail_in(caught.value).reason == error_pb2.ERROR_REASON_ETAG_MISMATCH


async def test_a_repeated_request_returns_the_first_result(proxy: Served) -> None:
    request_id = os.urandom(16)
    request = pb.InsertRequest(
        collection="jobs", document=message_of({"tenant": "t", "name": "once"}), request_id=request_id
    )
    first = await proxy.storage.Insert(request)
    stored = proxy.writes()
    again = await proxy.storage.Insert(request)
    assert again.repeated
    assert again.etag == first.etag
    assert again.op == first.op == request_id
    assert proxy.writes() == stored


async def test_an_insert_over_a_document_fails(proxy: Served) -> None:
    await insert(proxy)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await insert(proxy)
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    detail = detail_in(caught.value)
    assert detail.outcome == error_pb2.OUTCOME_NOT_APPLIED
    assert detail.collection == "jobs"
    assert len(detail.op) == 16


async def test_delete_leaves_nothing_to_be_seen(proxy: Served) -> None:
    await insert(proxy, n=1)
    request = pb.DeleteRequest(collection="jobs", key=key(), return_document=pb.RETURN_DOCUMENT_BEFORE)
    written = await proxy.storage.Delete(request)
    assert written.matched
    assert written.modified
    assert written.etag == ""
    assert fields_of(written.before)["n"] == 1
    assert not (await get(proxy)).HasField("document")
    assert not (await proxy.storage.Delete(request)).matched


async def test_find_one_and_update_reserves_each_job_once(proxy: Served) -> None:
    for number in range(5):
        await insert(proxy, f"job{number}", due=number)
    request = pb.FindOneAndUpdateRequest(
        collection="jobs",
        filter=both(compare("tenant", "t"), compare("due", 100, pb.Comparison.LT)),
        order=[pb.Order(path="due")],
        update=setting("due", 1000),
    )
    taken = await asyncio.gather(*(proxy.storage.FindOneAndUpdate(request) for _ in range(8)))
    names = [fields_of(t.before)["name"] for t in taken if t.matched]
    assert sorted(names) == [f"job{number}" for number in range(5)]
    assert sum(not t.matched for t in taken) == 3


async def test_find_one_and_update_by_whole_key_may_upsert_and_repeat(proxy: Served) -> None:
    request = pb.FindOneAndUpdateRequest(
        collection="jobs",
        filter=both(compare("tenant", "t"), compare("name", "one")),
        update=setting("n", 1),
        upsert=True,
        return_document=pb.RETURN_DOCUMENT_AFTER,
        request_id=os.urandom(16),
    )
    assert (await proxy.storage.FindOneAndUpdate(request)).inserted
    assert (await proxy.storage.FindOneAndUpdate(request)).repeated


async def test_a_batch_has_a_result_for_each_write(proxy: Served) -> None:
    await insert(proxy, "taken")
    writes = [
        pb.Write(insert=pb.InsertRequest(document=message_of({"tenant": "t", "name": name})))
        for name in ("x", "taken", "y")
    ]
    writes.append(pb.Write(update=pb.UpdateRequest(key=key("x"))))  # no update in it
    answer = await proxy.storage.BatchWrite(pb.BatchWriteRequest(collection="jobs", writes=writes))
    assert [result.WhichOneof("kind") for result in answer.results] == [
        "response",
        "error",
        "response",
        "error",
    ]
    assert answer.results[1].error.detail.reason == error_pb2.ERROR_REASON_ALREADY_EXISTS
    assert answer.results[1].error.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
    assert answer.results[3].error.detail.field == "writes[3].update.update.operators"


async def test_an_ordered_batch_stops_at_the_first_error(proxy: Served) -> None:
    names = ("x", "x", "y")
    writes = [
        pb.Write(insert=pb.InsertRequest(document=message_of({"tenant": "t", "name": name})))
        for name in names
    ]
    request = pb.BatchWriteRequest(collection="jobs", writes=writes, ordered=True)
    answer = await proxy.storage.BatchWrite(request)
    assert [result.WhichOneof("kind") for result in answer.results] == ["response", "error"]
    assert not (await get(proxy, "y")).HasField("document")


async def test_a_deadline_tells_that_the_outcome_is_unknown_and_which_op(proxy: Served) -> None:
    store = proxy.app.lanes["jobs"].stores[StoreName.MONGODB]
    never = asyncio.Event()
    store._pause = never.wait  # type: ignore[attr-defined] # a store that hangs
    request_id = os.urandom(16)
    request = pb.InsertRequest(
        collection="jobs", document=message_of({"tenant": "t", "name": "slow"}), request_id=request_id
    )
    detail = await told_at_the_deadline(lambda: proxy.storage.Insert(request, timeout=0.5))
    assert detail.outcome == error_pb2.OUTCOME_UNKNOWN
    assert detail.op == request_id
    read = pb.GetRequest(collection="jobs", key=key())
    detail = await told_at_the_deadline(lambda: proxy.storage.Get(read, timeout=0.5))
    assert detail.outcome == error_pb2.OUTCOME_NOT_APPLIED


async def told_at_the_deadline(call: Callable[[], Awaitable[object]]) -> error_pb2.ErrorDetail:
    """What the proxy tells 20 ms before the deadline; where the machine was too busy for that, once more."""
    for _ in range(10):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        if TRAILER in dict(cast(Any, caught.value.trailing_metadata() or ())):
            return detail_in(caught.value)
    raise AssertionError("the proxy told nothing in ten calls")
