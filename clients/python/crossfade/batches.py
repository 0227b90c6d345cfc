"""A batch of any length, sent in pieces that a proxy takes, with one result a write.

Invariant: every write that was tried has either a result or an error at its position.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossfade.answers import error_from_batch
from crossfade.errors import BulkWriteError, CrossfadeError
from crossfade.operations import (
    DeleteOne,
    InsertOne,
    Operation,
    ReplaceOne,
    UpdateOne,
    fill_delete,
    fill_insert,
    fill_replace,
    fill_update,
)
from crossfade.results import (
    BulkWriteResult,
    WriteResult,
    bulk_result,
    delete_result,
    insert_result,
    update_result,
)
from crossfade.v1 import storage_pb2 as pb

MAX_WRITES = 1000
MAX_BYTES = 2 * 1024 * 1024

Send = Callable[[pb.BatchWriteRequest], Awaitable[pb.BatchWriteResponse]]


@dataclass(slots=True)
class _Piece:
    """Some consecutive writes of the batch, from the position `start` on, and the `_id`s of the inserts."""

    start: int
    request: pb.BatchWriteRequest
    ids: list[Any] = field(default_factory=list)
    size: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.ids) >= MAX_WRITES or self.size >= MAX_BYTES

    def add(self, operation: Operation) -> None:
        write = self.request.writes.add()
        self.ids.append(_fill(write, operation))
        self.size += write.ByteSize()


async def write_all(
    send: Send, collection: str, operations: Sequence[Operation], ordered: bool
) -> BulkWriteResult:
    """Send every piece, or up to the first failure if ordered. Raises BulkWriteError if any write failed.

    If the very first piece cannot be sent, its own error is raised.
    """
    results: dict[int, WriteResult] = {}
    errors: dict[int, CrossfadeError] = {}
    pieces = list(_split(collection, operations, ordered))  # a mistake shows before anything is sent
    for piece in pieces:
        try:
            response = await send(piece.request)
        except CrossfadeError as error:
            if piece.start == 0:
                raise
            errors |= {piece.start + offset: error for offset in range(len(piece.ids))}
        else:
            _collect(piece, operations, response, results, errors)
        if errors and ordered:
            break
    if errors:
        raise BulkWriteError(errors, bulk_result(results))
    return bulk_result(results)


def _split(collection: str, operations: Sequence[Operation], ordered: bool) -> Iterator[_Piece]:
    piece: _Piece | None = None
    for position, operation in enumerate(operations):
        if piece is None:
            piece = _Piece(position, pb.BatchWriteRequest(collection=collection, ordered=ordered))
        piece.add(operation)
        if piece.is_full:
            yield piece
            piece = None
    if piece is not None:
        yield piece


def _collect(
    piece: _Piece,
    operations: Sequence[Operation],
    response: pb.BatchWriteResponse,
    results: dict[int, WriteResult],
    errors: dict[int, CrossfadeError],
) -> None:
    """Note each write's result; an ordered piece that stopped has fewer results than writes."""
    for position, (answer, inserted_id) in enumerate(
        zip(response.results, piece.ids, strict=False), piece.start
    ):
        if answer.HasField("error"):
            errors[position] = error_from_batch(answer.error)
        else:
            results[position] = _result_of(operations[position], answer.response, inserted_id)


def _fill(write: pb.Write, operation: Operation) -> Any:
    """Fill one write; returns the `_id` of an insert."""
    if isinstance(operation, InsertOne):
        return fill_insert(write.insert, operation)
    if isinstance(operation, ReplaceOne):
        return fill_replace(write.replace, operation)
    if isinstance(operation, UpdateOne):
        return fill_update(write.update, operation)
    return fill_delete(write.delete, operation)


def _result_of(operation: Operation, response: pb.WriteResponse, inserted_id: Any) -> WriteResult:
    if isinstance(operation, InsertOne):
        return insert_result(response, inserted_id)
    if isinstance(operation, DeleteOne):
        return delete_result(response)
    return update_result(response)
