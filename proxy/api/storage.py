"""StorageService: each call is translated, handed to the pipeline within its deadline, and answered."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from crossfade.v1 import storage_pb2 as pb
from crossfade.v1 import storage_pb2_grpc
from proxy.api.deadline import Limit, TimedCall, budget
from proxy.api.fitting import MEGABYTE, SPARE, count_that_fits, size_of
from proxy.api.status import classify, code_of, detail_of
from proxy.api.translate import replies, targets, writes
from proxy.api.translate.fault import fault, inside
from proxy.core.collection import Collection
from proxy.core.errors import Outcome, Reason
from proxy.core.exchange import Page
from proxy.core.filter import EVERYTHING, Filter
from proxy.core.keys import Key
from proxy.core.matching import matches
from proxy.core.page_token import decode_token, encode_token
from proxy.core.planner import plan
from proxy.core.query import PageRequest, Plan
from proxy.core.version import Record
from proxy.core.write import Command
from proxy.flow.pipeline import Pipeline, Written

MAX_KEYS = 100
MAX_WRITES = 1000
CONCURRENT_WRITES = 16

Single: TypeAlias = pb.InsertRequest | pb.ReplaceRequest | pb.UpdateRequest | pb.DeleteRequest
Reader: TypeAlias = Callable[[Collection, Any], Command]

_READERS: Mapping[str, Reader] = {
    "insert": writes.read_insert,
    "replace": writes.read_replace,
    "update": writes.read_modify,
    "delete": writes.read_delete,
}


class StorageServicer(storage_pb2_grpc.StorageServiceServicer):
    """Serves the documents of the configured collections; raises `core.errors`, which the guard maps.

    `page_key` is the secret that makes page tokens, the same in all replicas; `default_deadline` in seconds
    is for calls without one; `max_message` is in bytes.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        page_key: bytes,
        default_deadline: float = 30.0,
        max_message: int = 16 * MEGABYTE,
    ) -> None:
        self._pipeline = pipeline
        self._most = max_message - SPARE
        self._page_key = page_key
        self._default = default_deadline

    async def Get(self, request: pb.GetRequest, context: TimedCall) -> pb.GetResponse:
        collection = self._pipeline.collection(request.collection)
        if not (request.HasField("key") or request.HasField("filter")):
            raise fault("a key or a filter is required", Reason.KEY_FIELD_MISSING, "key")
        target = targets.read_target(collection, request)
        orders = targets.read_orders(request.order)
        response = pb.GetResponse()
        async with Limit(self._budget(context), Outcome.NOT_APPLIED):
            if target.key is None:
                planned = plan(collection, target.filter, orders)
                replies.write_plan(response.plan, planned)
                found = await self._first(collection, planned)
            else:
                found = await self._read(collection, target.key, target.rest)
        replies.write_get(response, found)
        return response

    async def BatchGet(self, request: pb.BatchGetRequest, context: TimedCall) -> pb.BatchGetResponse:
        collection = self._pipeline.collection(request.collection)
        if not 1 <= len(request.keys) <= MAX_KEYS:
            raise fault(f"a batch has 1 to {MAX_KEYS} keys", Reason.INVALID_ARGUMENT, "keys")
        keys = [
            targets.read_key(collection, message, f"keys[{place}]")
            for place, message in enumerate(request.keys)
        ]
        async with Limit(self._budget(context), Outcome.NOT_APPLIED):
            records = await self._pipeline.get(collection.name, keys)
        response = pb.BatchGetResponse()
        for record in records:
            replies.write_get(response.results.add(), record)
        if size_of(response.results, self._most) > self._most:
            raise fault("these documents do not fit into one answer: ask for fewer keys", field="keys")
        return response

    async def Query(self, request: pb.QueryRequest, context: TimedCall) -> pb.QueryResponse:
        collection = self._pipeline.collection(request.collection)
        orders = targets.read_orders(request.order)
        planned = plan(collection, _filter_of(request), orders)
        page = self._read_page(collection, planned, request)
        async with Limit(self._budget(context), Outcome.NOT_APPLIED):
            found, response = await self._page_that_fits(collection, planned, page)
        replies.write_plan(response.plan, planned)
        if found.next is not None:
            token = encode_token(self._page_key, collection.name, planned, found.next)
            response.next_page_token = token
        return response

    async def Count(self, request: pb.CountRequest, context: TimedCall) -> pb.CountResponse:
        collection = self._pipeline.collection(request.collection)
        limit = targets.read_size(request.limit, "limit")
        planned = plan(collection, _filter_of(request))
        async with Limit(self._budget(context), Outcome.NOT_APPLIED):
            count = await self._pipeline.count(collection.name, planned)
        response = pb.CountResponse(count=min(count, limit) if limit else count)
        replies.write_plan(response.plan, planned)
        return response

    async def Insert(self, request: pb.InsertRequest, context: TimedCall) -> pb.WriteResponse:
        return await self._single(request.collection, "insert", request, self._budget(context))

    async def Replace(self, request: pb.ReplaceRequest, context: TimedCall) -> pb.WriteResponse:
        return await self._single(request.collection, "replace", request, self._budget(context))

    async def Update(self, request: pb.UpdateRequest, context: TimedCall) -> pb.WriteResponse:
        return await self._single(request.collection, "update", request, self._budget(context))

    async def Delete(self, request: pb.DeleteRequest, context: TimedCall) -> pb.WriteResponse:
        return await self._single(request.collection, "delete", request, self._budget(context))

    async def FindOneAndUpdate(
        self, request: pb.FindOneAndUpdateRequest, context: TimedCall
    ) -> pb.WriteResponse:
        collection = self._pipeline.collection(request.collection)
        wanted = request.return_document or pb.RETURN_DOCUMENT_BEFORE
        op = _op_of(request.request_id)
        reservation = writes.read_reservation(collection, request)
        orders = targets.read_orders(request.order)
        if reservation.modify is not None:
            work = self._pipeline.write(collection.name, reservation.modify, op)
        else:
            planned = plan(collection, reservation.filter, orders)
            work = self._pipeline.take_first(collection.name, planned, reservation.update, op)
        return await _answer(work, self._budget(context), op, wanted)

    async def BatchWrite(self, request: pb.BatchWriteRequest, context: TimedCall) -> pb.BatchWriteResponse:
        self._pipeline.collection(request.collection)
        batch = [_read_write(request.collection, place, write) for place, write in _writes_of(request)]
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._budget(context)

        async def attempt(place: int) -> pb.BatchWriteResult:
            kind, single = batch[place]
            try:
                with inside(f"writes[{place}].{kind}"):
                    return pb.BatchWriteResult(
                        response=await self._single(request.collection, kind, single, ends - loop.time())
                    )
            except Exception as exception:
                return _failed(exception, request.collection)

        results = await (_in_turn if request.ordered else _side_by_side)(attempt, len(batch))
        return pb.BatchWriteResponse(results=results)

    async def _single(self, name: str, kind: str, request: Single, seconds: float) -> pb.WriteResponse:
        collection = self._pipeline.collection(name)
        op = _op_of(request.request_id)
        command = _READERS[kind](collection, request)
        work = self._pipeline.write(name, command, op)
        return await _answer(work, seconds, op, request.return_document)

    async def _read(self, collection: Collection, key: Key, rest: Filter) -> Record | None:
        [record] = await self._pipeline.get(collection.name, [key])
        if record is None or record.document is None or rest == EVERYTHING:
            return record
        return record if matches(rest, record.document.fields) else None

    async def _first(self, collection: Collection, planned: Plan) -> Record | None:
        """The first row; a page may be empty before the end."""
        page = PageRequest(limit=1, scan_budget=collection.settings.scan_budget)
        while True:
            found = await self._pipeline.query(collection.name, planned, page)
            if found.records or found.next is None:
                return found.records[0] if found.records else None
            page = replace(page, after=found.next)

    async def _page_that_fits(
        self, collection: Collection, planned: Plan, page: PageRequest
    ) -> tuple[Page, pb.QueryResponse]:
        """The page, read again with fewer rows if it is larger than a message may be."""
        while True:
            found = await self._pipeline.query(collection.name, planned, page)
            response = pb.QueryResponse()
            replies.write_page(response, found)
            size = size_of(response.documents, self._most)
            if size <= self._most or len(response.documents) <= 1:
                return found, response
            page = replace(page, limit=count_that_fits(response.documents, size, self._most))

    def _read_page(self, collection: Collection, planned: Plan, request: pb.QueryRequest) -> PageRequest:
        settings = collection.settings
        size = targets.read_size(request.page_size, "page_size") or settings.page_size
        token = request.page_token
        after = decode_token(self._page_key, collection.name, planned, token) if token else None
        return PageRequest(min(size, settings.max_page_size), after, settings.scan_budget)

    def _budget(self, context: TimedCall) -> float:
        return budget(context, self._default)


async def _answer(
    work: Awaitable[Written], seconds: float, op: bytes, wanted: pb.ReturnDocument
) -> pb.WriteResponse:
    async with Limit(seconds, Outcome.UNKNOWN, op):
        written = await work
    response = pb.WriteResponse()
    replies.write_written(response, written, wanted)
    return response


def _op_of(request_id: bytes) -> bytes:
    """The op of a write: the request id, or fresh bytes, so that even a call that times out can name it."""
    return targets.read_request_id(request_id) or secrets.token_bytes(16)


def _filter_of(request: pb.QueryRequest | pb.CountRequest) -> Filter:
    return targets.read_condition(request.filter) if request.HasField("filter") else EVERYTHING


def _writes_of(request: pb.BatchWriteRequest) -> enumerate[pb.Write]:
    if not 1 <= len(request.writes) <= MAX_WRITES:
        raise fault(f"a batch has 1 to {MAX_WRITES} writes", Reason.INVALID_ARGUMENT, "writes")
    return enumerate(request.writes)


def _read_write(collection: str, place: int, write: pb.Write) -> tuple[str, Single]:
    """The kind and request of one write; a malformed one fails the batch before anything is tried."""
    kind = write.WhichOneof("kind")
    with inside(f"writes[{place}]"):
        if kind is None:
            raise fault("the write has no kind that this server knows", Reason.INVALID_ARGUMENT)
        single: Single = getattr(write, kind)
        if single.collection not in ("", collection):
            text = f"the batch is about {collection!r}, not {single.collection!r}"
            raise fault(text, Reason.INVALID_ARGUMENT, f"{kind}.collection")
    return kind, single


def _failed(exception: Exception, collection: str) -> pb.BatchWriteResult:
    error = classify(exception, writes=True)
    return pb.BatchWriteResult(
        error=pb.BatchWriteError(
            code=code_of(error).value[0], message=error.message, detail=detail_of(error, collection)
        )
    )


Attempt: TypeAlias = Callable[[int], Awaitable[pb.BatchWriteResult]]


async def _in_turn(attempt: Attempt, count: int) -> list[pb.BatchWriteResult]:
    """One after another, up to the first that fails."""
    results: list[pb.BatchWriteResult] = []
    for place in range(count):
        results.append(await attempt(place))
        if results[-1].HasField("error"):
            break
    return results


async def _side_by_side(attempt: Attempt, count: int) -> list[pb.BatchWriteResult]:
    """All of them, a few at a time."""
    slots = asyncio.Semaphore(CONCURRENT_WRITES)

    async def one(place: int) -> pb.BatchWriteResult:
        async with slots:
            return await attempt(place)

    return list(await asyncio.gather(*map(one, range(count))))
