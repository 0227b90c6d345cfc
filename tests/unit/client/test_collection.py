"""What each method of a collection asks of the proxy, and what it makes of the answer."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from crossfade import (
    DESCENDING,
    AsyncClient,
    BadRequest,
    Broken,
    BulkWriteError,
    DeleteOne,
    Document,
    InsertOne,
    InvalidDocument,
    Mirror,
    ObjectId,
    Outcome,
    RawDocument,
    ReplaceOne,
    ReturnDocument,
    UpdateOne,
)
from crossfade.codec import write_document
from crossfade.filters import write_filter
from crossfade.updates import write_update
from crossfade.v1 import document_pb2
from crossfade.v1 import storage_pb2 as pb
from tests.unit.client.fake import Failure, FakeProxy

KEY = {"deployment_key": "auth0", "webtask_name": "mywebtask"}
CHANGE = {"$set": {"data": 1}, "$inc": {"version": 1}}
WRITTEN = pb.WriteResponse(
    matched=True, modified=True, etag="e2", op=b"o" * 16, mirror=pb.MIRROR_DEFERRED, repeated=True
)


def message(document: dict[str, Any]) -> document_pb2.Document:
    target = document_pb2.Document()
    write_document(target, document)
    return target


def condition(filter: dict[str, Any]) -> pb.Filter:
    target = pb.Filter()
    write_filter(target, filter)
    return target


def change(update: dict[str, Any]) -> pb.Update:
    target = pb.Update()
    write_update(target, update)
    return target


async def test_find_one_asks_for_the_first_that_satisfies_the_filter(
    proxy: FakeProxy, client: AsyncClient
) -> None:
    proxy.answer("Get", pb.GetResponse(document=message({"a": 1}), etag="e1"))
    found = await client["jobs"].find_one(KEY, sort=[("due", 1), ("name", DESCENDING)])
    assert found == {"a": 1}
    assert isinstance(found, Document)
    assert found.etag == "e1"
    assert proxy.requests == [
        pb.GetRequest(
            collection="jobs",
            filter=condition(KEY),
            order=[
                pb.Order(path="due", direction=pb.DIRECTION_ASCENDING),
                pb.Order(path="name", direction=pb.DIRECTION_DESCENDING),
            ],
        )
    ]


async def test_find_one_is_none_where_there_is_none(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Get", pb.GetResponse())
    assert await client["jobs"].find_one() is None
    assert proxy.requests == [pb.GetRequest(collection="jobs")]


async def test_find_many_keeps_the_order_of_the_keys(proxy: FakeProxy, client: AsyncClient) -> None:
    results = [pb.GetResponse(document=message({"a": 1}), etag="e"), pb.GetResponse()]
    proxy.answer("BatchGet", pb.BatchGetResponse(results=results))
    assert await client["jobs"].find_many([{"k": 1}, {"k": 2}]) == [{"a": 1}, None]
    assert proxy.requests == [
        pb.BatchGetRequest(collection="jobs", keys=[message({"k": 1}), message({"k": 2})])
    ]


async def test_count_documents(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Count", pb.CountResponse(count=7))
    assert await client["jobs"].count_documents(KEY, limit=10) == 7
    assert proxy.requests == [pb.CountRequest(collection="jobs", filter=condition(KEY), limit=10)]


async def test_insert_one_gives_an_id_and_leaves_the_document(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Insert", pb.WriteResponse(inserted=True, etag="e1", mirror=pb.MIRROR_APPLIED))
    document = {"a": 1}
    result = await client["jobs"].insert_one(document, request_id=b"r" * 16)
    assert document == {"a": 1}
    assert isinstance(result.inserted_id, ObjectId)
    assert (result.etag, result.mirror, result.was_repeated) == ("e1", Mirror.APPLIED, False)
    sent = message({"_id": result.inserted_id, "a": 1})
    assert proxy.requests == [pb.InsertRequest(collection="jobs", document=sent, request_id=b"r" * 16)]


@pytest.mark.parametrize("_id", ["mine", None, 0])
async def test_insert_one_keeps_an_id_that_is_given(proxy: FakeProxy, client: AsyncClient, _id: Any) -> None:
    proxy.answer("Insert", pb.WriteResponse(inserted=True))
    result = await client["jobs"].insert_one({"a": 1, "_id": _id})
    assert result.inserted_id == _id
    assert proxy.requests[0].document == message({"a": 1, "_id": _id})


async def test_insert_one_writes_a_raw_document_as_it_is(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Insert", pb.WriteResponse(inserted=True))
    await client["jobs"].insert_one(RawDocument(b"bytes", {"a": 1}))
    assert proxy.requests[0].document == document_pb2.Document(bson=b"bytes")


async def test_replace_one(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Replace", WRITTEN)
    result = await client["jobs"].replace_one(KEY, {"b": 1}, upsert=True, etag="e1", request_id=b"r" * 16)
    assert (result.matched_count, result.modified_count, result.upserted) == (1, 1, False)
    assert (result.etag, result.op, result.mirror, result.was_repeated) == (
        "e2",
        b"o" * 16,
        Mirror.DEFERRED,
        True,
    )
    assert result.acknowledged
    assert proxy.requests == [
        pb.ReplaceRequest(
            collection="jobs",
            filter=condition(KEY),
            etag="e1",
            document=message({"b": 1}),
            upsert=True,
            request_id=b"r" * 16,
        )
    ]


async def test_replace_one_refuses_operators(proxy: FakeProxy, client: AsyncClient) -> None:
    with pytest.raises(BadRequest, match="update_one"):
        await client["jobs"].replace_one(KEY, {"$set": {"a": 1}})
    assert proxy.requests == []


async def test_update_one(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Update", pb.WriteResponse(inserted=True, modified=True))
    result = await client["jobs"].update_one(KEY, CHANGE, upsert=True, request_id=b"r" * 16)
    assert (result.matched_count, result.modified_count, result.upserted) == (0, 0, True)
    assert proxy.requests == [
        pb.UpdateRequest(
            collection="jobs", filter=condition(KEY), update=change(CHANGE), upsert=True, request_id=b"r" * 16
        )
    ]


async def test_delete_one(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Delete", pb.WriteResponse())
    result = await client["jobs"].delete_one(KEY, etag="e1", request_id=b"r" * 16)
    assert result.deleted_count == 0
    assert proxy.requests == [
        pb.DeleteRequest(collection="jobs", filter=condition(KEY), etag="e1", request_id=b"r" * 16)
    ]


@pytest.mark.parametrize(
    ("image", "wanted"),
    [(ReturnDocument.BEFORE, ({"n": 1}, None)), (ReturnDocument.AFTER, ({"n": 2}, "e2"))],
)
async def test_find_one_and_update_returns_the_image_asked_for(
    proxy: FakeProxy, client: AsyncClient, image: ReturnDocument, wanted: tuple[Any, Any]
) -> None:
    proxy.answer(
        "FindOneAndUpdate",
        pb.WriteResponse(matched=True, before=message({"n": 1}), after=message({"n": 2}), etag="e2"),
    )
    due = {"deployment_key": "auth0", "due": {"$lte": 5}}
    found = await client["jobs"].find_one_and_update(
        due, CHANGE, sort={"due": 1}, return_document=image, request_id=b"r" * 16
    )
    assert found is not None
    assert (found, found.etag) == wanted
    assert proxy.requests == [
        pb.FindOneAndUpdateRequest(
            collection="jobs",
            filter=condition(due),
            order=[pb.Order(path="due", direction=pb.DIRECTION_ASCENDING)],
            update=change(CHANGE),
            return_document=image.value,
            request_id=b"r" * 16,
        )
    ]


async def test_find_one_and_replace_and_delete(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Replace", pb.WriteResponse(inserted=True, after=message({"n": 2}), etag="e2"))
    proxy.answer("Delete", pb.WriteResponse(matched=True, before=message({"n": 2})))
    jobs = client["jobs"]
    after = await jobs.find_one_and_replace(KEY, {"n": 2}, upsert=True, return_document=ReturnDocument.AFTER)
    assert after == {"n": 2}
    assert await jobs.find_one_and_replace(KEY, {"n": 2}) is None
    assert await jobs.find_one_and_delete(KEY) == {"n": 2}
    images = [request.return_document for request in proxy.requests]
    assert images == [pb.RETURN_DOCUMENT_AFTER, pb.RETURN_DOCUMENT_BEFORE, pb.RETURN_DOCUMENT_BEFORE]


async def test_bulk_write_adds_up_what_its_writes_did(proxy: FakeProxy, client: AsyncClient) -> None:
    responses = [
        pb.WriteResponse(inserted=True),
        pb.WriteResponse(inserted=True, modified=True),
        pb.WriteResponse(matched=True),
        pb.WriteResponse(matched=True, modified=True),
    ]
    results = [pb.BatchWriteResult(response=response) for response in responses]
    proxy.answer("BatchWrite", pb.BatchWriteResponse(results=results))
    result = await client["jobs"].bulk_write(
        [
            InsertOne({"_id": 1}),
            ReplaceOne(KEY, {"b": 1}, upsert=True),
            UpdateOne(KEY, CHANGE),
            DeleteOne(KEY, etag="e1"),
        ],
        ordered=False,
    )
    counts = (result.inserted_count, result.matched_count, result.modified_count, result.deleted_count)
    assert (*counts, result.upserted_count) == (1, 1, 0, 1, 1)
    (request,) = proxy.requests
    assert (request.collection, request.ordered) == ("jobs", False)
    assert [write.WhichOneof("kind") for write in request.writes] == ["insert", "replace", "update", "delete"]
    ids = [getattr(write, write.WhichOneof("kind")).request_id for write in request.writes]
    assert len(set(ids)) == 4
    assert {len(request_id) for request_id in ids} == {16}


async def test_insert_many_tells_the_ids_in_order(proxy: FakeProxy, client: AsyncClient) -> None:
    inserted = pb.BatchWriteResult(response=pb.WriteResponse(inserted=True))
    proxy.answer("BatchWrite", pb.BatchWriteResponse(results=[inserted, inserted]))
    result = await client["jobs"].insert_many({"_id": n} for n in (1, 2))
    assert result.inserted_ids == [1, 2]
    assert result.result.inserted_count == 2
    assert proxy.requests[0].ordered


def answer_all(request: pb.BatchWriteRequest) -> pb.BatchWriteResponse:
    inserted = pb.BatchWriteResult(response=pb.WriteResponse(inserted=True))
    return pb.BatchWriteResponse(results=[inserted] * len(request.writes))


async def test_a_long_batch_is_sent_in_pieces(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("BatchWrite", answer_all)
    result = await client["jobs"].insert_many({"_id": n} for n in range(2500))
    assert result.inserted_ids == list(range(2500))
    assert [len(request.writes) for request in proxy.requests] == [1000, 1000, 500]
    proxy.requests.clear()
    await client["jobs"].insert_many({"data": "x" * 400_000} for _ in range(15))
    assert [len(request.writes) for request in proxy.requests] == [6, 6, 3]


@pytest.mark.parametrize(("ordered", "pieces"), [(True, 2), (False, 3)])
async def test_a_piece_that_fails_leaves_the_results_of_the_others(
    proxy: FakeProxy, client: AsyncClient, ordered: bool, pieces: int
) -> None:
    proxy.answer("BatchWrite", answer_all, Failure(grpc.StatusCode.INTERNAL), answer_all)
    with pytest.raises(BulkWriteError) as caught:
        await client["jobs"].insert_many(({"_id": n} for n in range(2001)), ordered=ordered)
    assert set(caught.value.errors) == set(range(1000, 2000))
    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(proxy.requests) == pieces
    assert caught.value.result.inserted_count == (1000 if ordered else 1001)


async def test_a_first_piece_that_fails_raises_its_own_error(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("BatchWrite", Failure(grpc.StatusCode.INTERNAL))
    with pytest.raises(Broken):
        await client["jobs"].insert_many([{"_id": 1}])


async def test_a_mistake_in_a_long_batch_shows_before_anything_is_sent(
    proxy: FakeProxy, client: AsyncClient
) -> None:
    documents: list[dict[str, Any]] = [{"_id": n} for n in range(1500)]
    with pytest.raises(InvalidDocument):
        await client["jobs"].insert_many([*documents, {"_id": object()}])
    assert proxy.requests == []


async def test_an_empty_batch_does_nothing(proxy: FakeProxy, client: AsyncClient) -> None:
    assert (await client["jobs"].bulk_write([])).results == {}
    assert proxy.requests == []


@pytest.mark.parametrize("sort", ["due", [("due", 1)], {"due": 1}, (("due", 1),)], ids=str)
async def test_an_order_can_be_said_in_every_way_of_pymongo(
    proxy: FakeProxy, client: AsyncClient, sort: Any
) -> None:
    proxy.answer("Get", pb.GetResponse())
    await client["jobs"].find_one(KEY, sort=sort)
    assert list(proxy.requests[0].order) == [pb.Order(path="due", direction=pb.DIRECTION_ASCENDING)]


async def test_a_direction_is_up_or_down(client: AsyncClient) -> None:
    with pytest.raises(BadRequest, match="1 or -1"):
        await client["jobs"].find_one(KEY, sort={"due": 2})


def test_a_collection_is_made_once(client: AsyncClient) -> None:
    assert client["jobs"] is client.get_collection("jobs")
    assert client["jobs"].name == "jobs"
