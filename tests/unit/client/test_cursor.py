"""A cursor reads page after page, no more than it is asked for, and in the order asked for."""

from __future__ import annotations

import pytest

from crossfade import DESCENDING, AsyncClient, BadRequest, Freshness, Plan
from crossfade.codec import write_document
from crossfade.v1 import storage_pb2 as pb
from tests.unit.client.fake import FakeProxy


class Pages:
    """Answers queries over the numbers below `count` as a proxy would; every third page is empty."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked = 0

    def __call__(self, request: pb.QueryRequest) -> pb.QueryResponse:
        self.asked += 1
        start = int(request.page_token or 0)
        size = 0 if self.asked % 3 == 2 else request.page_size or 4
        response = pb.QueryResponse(plan=pb.Plan(index="work_queue", freshness=pb.FRESHNESS_STRONG))
        for number in range(start, min(start + size, self.count)):
            row = response.documents.add(etag=f"e{number}")
            write_document(row.document, {"n": number})
        response.next_page_token = str(start + size) if start + size < self.count else ""
        return response


@pytest.mark.parametrize("count", [0, 1, 4, 5, 23])
async def test_all_documents_come_once_and_in_order(
    proxy: FakeProxy, client: AsyncClient, count: int
) -> None:
    proxy.answer("Query", Pages(count))
    documents = [document async for document in client["jobs"].find({"a": 1})]
    assert [document["n"] for document in documents] == list(range(count))
    assert [document.etag for document in documents] == [f"e{n}" for n in range(count)]


@pytest.mark.parametrize(("limit", "batch"), [(1, 0), (4, 0), (10, 0), (10, 3), (100, 7), (0, 5)])
async def test_limit_and_batch_size(proxy: FakeProxy, client: AsyncClient, limit: int, batch: int) -> None:
    proxy.answer("Query", Pages(30))
    documents = await client["jobs"].find().limit(limit).batch_size(batch).to_list()
    assert [document["n"] for document in documents] == list(range(min(limit or 30, 30)))
    sizes = [request.page_size for request in proxy.requests]
    assert all(size <= (batch or limit) for size in sizes)
    assert limit == 0 or min(size for size in sizes) > 0


async def test_a_limit_holds_even_if_a_page_is_longer(proxy: FakeProxy, client: AsyncClient) -> None:
    response = pb.QueryResponse(documents=[pb.StoredDocument()] * 5, next_page_token="more")
    proxy.answer("Query", response)
    assert len(await client["jobs"].find(limit=3).to_list()) == 3
    assert len(proxy.requests) == 1


async def test_the_request_repeats_filter_and_order_on_every_page(
    proxy: FakeProxy, client: AsyncClient
) -> None:
    proxy.answer("Query", Pages(9))
    cursor = client["jobs"].find({"a": 1}).sort("due", DESCENDING)
    assert cursor.plan is None
    await cursor.to_list()
    assert len(proxy.requests) > 2
    first = proxy.requests[0]
    assert list(first.order) == [pb.Order(path="due", direction=pb.DIRECTION_DESCENDING)]
    for request in proxy.requests:
        assert (request.collection, request.filter, request.order) == ("jobs", first.filter, first.order)
    assert cursor.plan == Plan("work_queue", Freshness.STRONG)


async def test_to_list_takes_no_more_than_its_length(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Query", Pages(30))
    cursor = client["jobs"].find()
    assert len(await cursor.to_list(3)) == 3
    assert len(proxy.requests) == 1
    assert (await anext(cursor))["n"] == 3
    assert len(await cursor.to_list()) == 26
    assert await cursor.to_list() == []


async def test_batches_are_pages(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Query", Pages(6))
    cursor = client["jobs"].find()
    assert [len(await cursor.next_batch()) for _ in range(3)] == [4, 2, 0]


async def test_a_page_can_be_continued_in_another_request(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Query", Pages(6))
    first = await client["jobs"].find_page({"a": 1}, sort="due", page_size=2)
    assert ([document["n"] for document in first.documents], first.next_page_token) == ([0, 1], "2")
    await client["jobs"].find_page({"a": 1}, sort="due", page_token=first.next_page_token)
    assert proxy.requests[1].page_token == "2"


async def test_a_cursor_that_was_read_from_does_not_change(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Query", Pages(6))
    cursor = client["jobs"].find()
    await anext(cursor)
    with pytest.raises(BadRequest, match="read from already"):
        cursor.sort("a")
    with pytest.raises(BadRequest, match="read from already"):
        cursor.limit(1)
    with pytest.raises(BadRequest, match="read from already"):
        cursor.batch_size(1)


def test_a_negative_limit_is_refused_by_name(client: AsyncClient) -> None:
    """PyMongo reads a batch of so many then; here documents would be missing at the end of each page."""
    with pytest.raises(BadRequest, match="limit must be 0 or more, and is -5") as refused:
        client["jobs"].find(limit=-5)
    assert refused.value.field == "limit"
    with pytest.raises(BadRequest, match="batch_size must be 0 or more"):
        client["jobs"].find().batch_size(-1)


def test_a_direction_goes_with_one_field(client: AsyncClient) -> None:
    with pytest.raises(BadRequest, match="one field"):
        client["jobs"].find().sort([("a", 1)], -1)
