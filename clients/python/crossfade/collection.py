"""One collection, with the methods and the filters of a PyMongo collection.

A write names its document by a filter whose equalities contain the collection's whole key; what
remains of the filter is a precondition, and a document that does not satisfy it is not matched.
Reads take any filter that the key or a declared index serves. Every method takes `timeout` in
seconds for the whole call, retries included; every write takes a `request_id` of 16 bytes, makes
one if it is given none, and may be repeated with it without being applied twice. All methods raise
errors of `crossfade.errors` and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from crossfade.batches import write_all
from crossfade.codec import read_document, write_document
from crossfade.cursor import AsyncCursor
from crossfade.filters import write_filter
from crossfade.operations import (
    DeleteOne,
    Filter,
    InsertOne,
    Operation,
    ReplaceOne,
    ReturnDocument,
    Sort,
    UpdateOne,
    fill_delete,
    fill_insert,
    fill_order,
    fill_replace,
    fill_update,
    new_request_id,
)
from crossfade.results import (
    BulkWriteResult,
    DeleteResult,
    InsertManyResult,
    InsertOneResult,
    Page,
    UpdateResult,
    delete_result,
    insert_result,
    plan_of,
    update_result,
)
from crossfade.transport import Repeat, Transport
from crossfade.updates import write_update
from crossfade.v1 import storage_pb2 as pb
from crossfade.v1.storage_pb2_grpc import StorageServiceStub
from crossfade.values import Document

if TYPE_CHECKING:
    from crossfade.v1.storage_pb2_grpc import StorageServiceAsyncStub


class AsyncCollection:
    """A collection as the proxy knows it by name. Cheap to make; made by `client["name"]`."""

    def __init__(self, name: str, transport: Transport) -> None:
        self.name = name
        self._transport = transport
        self._stub: StorageServiceAsyncStub = StorageServiceStub(transport.channel)

    async def find_one(
        self, filter: Filter | None = None, *, sort: Sort | None = None, timeout: float | None = None
    ) -> Document | None:
        """The document that the filter names by its key, else the first in order that satisfies it.

        None if there is none.
        """
        request = pb.GetRequest(collection=self.name)
        if filter is not None:
            write_filter(request.filter, filter)
        fill_order(request.order, sort)
        return _found(await self._transport.call(self._stub.Get, request, timeout=timeout))

    async def find_many(
        self, keys: Sequence[Filter], *, timeout: float | None = None
    ) -> list[Document | None]:
        """The documents of the given keys, in that order; None where there is none.

        A key is a mapping of all the key fields. At most 100 of them.
        """
        request = pb.BatchGetRequest(collection=self.name)
        for key in keys:
            write_document(request.keys.add(), key)
        response = await self._transport.call(self._stub.BatchGet, request, timeout=timeout)
        return [_found(result) for result in response.results]

    def find(
        self,
        filter: Filter | None = None,
        *,
        sort: Sort | None = None,
        limit: int = 0,
        batch_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncCursor:
        """A cursor over the documents that satisfy the filter. `timeout` is for each page."""
        return AsyncCursor(self.find_page, filter, sort, limit, batch_size, timeout)

    async def find_page(
        self,
        filter: Filter | None = None,
        *,
        sort: Sort | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Page:
        """One page, for lists that go on in another request; continue with the page's `next_page_token`."""
        request = pb.QueryRequest(collection=self.name, page_size=page_size, page_token=page_token)
        if filter is not None:
            write_filter(request.filter, filter)
        fill_order(request.order, sort)
        response = await self._transport.call(self._stub.Query, request, timeout=timeout)
        documents = [read_document(row.document, row.etag) for row in response.documents]
        return Page(documents, response.next_page_token, plan_of(response.plan))

    async def count_documents(
        self, filter: Filter | None = None, *, limit: int = 0, timeout: float | None = None
    ) -> int:
        """How many documents satisfy the filter, counting no further than `limit` (0: all).

        Costs as much as reading them.
        """
        request = pb.CountRequest(collection=self.name, limit=limit)
        if filter is not None:
            write_filter(request.filter, filter)
        return (await self._transport.call(self._stub.Count, request, timeout=timeout)).count

    async def insert_one(
        self,
        document: Filter,
        *,
        request_id: bytes | None = None,
        timeout: float | None = None,
    ) -> InsertOneResult:
        """Insert a document; one without `_id` gets an ObjectId, and is itself left as it is.

        Raises AlreadyExists if a document has the key.
        """
        request = pb.InsertRequest(collection=self.name)
        inserted_id = fill_insert(request, InsertOne(document, request_id))
        response = await self._transport.call(self._stub.Insert, request, writes=True, timeout=timeout)
        return insert_result(response, inserted_id)

    async def insert_many(
        self, documents: Iterable[Filter], *, ordered: bool = True, timeout: float | None = None
    ) -> InsertManyResult:
        """Insert several documents, each on its own. Raises BulkWriteError if any fails."""
        result = await self.bulk_write(
            [InsertOne(document) for document in documents], ordered=ordered, timeout=timeout
        )
        ids = [one.inserted_id for one in result.results.values() if isinstance(one, InsertOneResult)]
        return InsertManyResult(ids, result)

    async def replace_one(
        self,
        filter: Filter,
        replacement: Filter,
        *,
        upsert: bool = False,
        etag: str | None = None,
        request_id: bytes | None = None,
        timeout: float | None = None,
    ) -> UpdateResult:
        """Replace a whole document. Raises EtagMismatch if `etag` is given and no longer the document's."""
        request = pb.ReplaceRequest(collection=self.name)
        fill_replace(request, ReplaceOne(filter, replacement, upsert, etag, request_id))
        return update_result(
            await self._transport.call(self._stub.Replace, request, writes=True, timeout=timeout)
        )

    async def update_one(
        self,
        filter: Filter,
        update: Filter,
        *,
        upsert: bool = False,
        etag: str | None = None,
        request_id: bytes | None = None,
        timeout: float | None = None,
    ) -> UpdateResult:
        """Apply update operators to one document, atomically. Raises EtagMismatch as replace_one does."""
        request = pb.UpdateRequest(collection=self.name)
        fill_update(request, UpdateOne(filter, update, upsert, etag, request_id))
        return update_result(
            await self._transport.call(self._stub.Update, request, writes=True, timeout=timeout)
        )

    async def delete_one(
        self,
        filter: Filter,
        *,
        etag: str | None = None,
        request_id: bytes | None = None,
        timeout: float | None = None,
    ) -> DeleteResult:
        """Delete one document. Raises EtagMismatch as replace_one does."""
        request = pb.DeleteRequest(collection=self.name)
        fill_delete(request, DeleteOne(filter, etag, request_id))
        return delete_result(
            await self._transport.call(self._stub.Delete, request, writes=True, timeout=timeout)
        )

    async def find_one_and_update(
        self,
        filter: Filter,
        update: Filter,
        *,
        sort: Sort | None = None,
        upsert: bool = False,
        return_document: ReturnDocument = ReturnDocument.BEFORE,
        request_id: bytes | None = None,
        timeout: float | None = None,
    ) -> Document | None:
        """Update the first document in order that satisfies the filter, exclusively, and return it.

        None if none does. The filter need not name the key: this is how a worker reserves the next
        job. Because the proxy cannot recognise the repeated request then, the client repeats it
        only if it certainly was not applied.
        """
        request = pb.FindOneAndUpdateRequest(
            collection=self.name,
            upsert=upsert,
            return_document=return_document.value,
            request_id=request_id or new_request_id(),
        )
        write_filter(request.filter, filter)
        write_update(request.update, update)
        fill_order(request.order, sort)
        response = await self._transport.call(
            self._stub.FindOneAndUpdate,
            request,
            repeat=Repeat.UNAPPLIED,
            writes=True,
            timeout=timeout,
        )
        return _image(response, return_document)

    async def find_one_and_replace(
        self,
        filter: Filter,
        replacement: Filter,
        *,
        upsert: bool = False,
        return_document: ReturnDocument = ReturnDocument.BEFORE,
        etag: str | None = None,
        request_id: bytes | None = None,
        timeout: float | None = None,
    ) -> Document | None:
        """As replace_one, but returns the document before or after; None if there was none."""
        request = pb.ReplaceRequest(collection=self.name, return_document=return_document.value)
        fill_replace(request, ReplaceOne(filter, replacement, upsert, etag, request_id))
        response = await self._transport.call(self._stub.Replace, request, writes=True, timeout=timeout)
        return _image(response, return_document)

    async def find_one_and_delete(
        self,
        filter: Filter,
        *,
        etag: str | None = None,
        request_id: bytes | None = None,
        timeout: float | None = None,
    ) -> Document | None:
        """As delete_one, but returns the deleted document; None if there was none."""
        request = pb.DeleteRequest(collection=self.name, return_document=pb.RETURN_DOCUMENT_BEFORE)
        fill_delete(request, DeleteOne(filter, etag, request_id))
        response = await self._transport.call(self._stub.Delete, request, writes=True, timeout=timeout)
        return _image(response, ReturnDocument.BEFORE)

    async def bulk_write(
        self,
        operations: Sequence[Operation],
        *,
        ordered: bool = True,
        timeout: float | None = None,
    ) -> BulkWriteResult:
        """Run any number of writes, each on its own; an ordered batch stops at the first that fails.

        Raises BulkWriteError if any fails, with the results of the others. Sent in pieces of at
        most 1000 writes; `timeout` is for each.
        """

        async def send(request: pb.BatchWriteRequest) -> pb.BatchWriteResponse:
            return await self._transport.call(self._stub.BatchWrite, request, writes=True, timeout=timeout)

        return await write_all(send, self.name, operations, ordered)


def _found(response: pb.GetResponse) -> Document | None:
    if not response.HasField("document"):
        return None
    return read_document(response.document, response.etag)


def _image(response: pb.WriteResponse, return_document: ReturnDocument) -> Document | None:
    """The image asked for; a repeated request has no image before, and says what is there now instead."""
    if return_document is ReturnDocument.BEFORE:
        return read_document(response.before) if response.HasField("before") else None
    return read_document(response.after, response.etag) if response.HasField("after") else None
