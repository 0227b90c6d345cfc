"""The writes of a batch, as PyMongo names them, and how every write becomes a request of the contract."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from crossfade.codec import write_document
from crossfade.errors import BadRequest, Reason
from crossfade.filters import write_filter
from crossfade.updates import write_update
from crossfade.v1 import storage_pb2 as pb
from crossfade.values import ObjectId, RawDocument

Filter: TypeAlias = Mapping[str, Any]
Sort: TypeAlias = str | Sequence[tuple[str, int]] | Mapping[str, int]

ASCENDING = 1
DESCENDING = -1


class ReturnDocument(Enum):
    """Which image of a document find_one_and_... returns."""

    BEFORE = pb.RETURN_DOCUMENT_BEFORE
    AFTER = pb.RETURN_DOCUMENT_AFTER


@dataclass(frozen=True, slots=True)
class InsertOne:
    """Insert a document. `request_id`: 16 bytes, or None for a fresh one."""

    document: Mapping[str, Any]
    request_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class ReplaceOne:
    """Replace the document that the filter names by its key, if it satisfies the rest of the filter."""

    filter: Filter
    replacement: Mapping[str, Any]
    upsert: bool = False
    etag: str | None = None
    request_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class UpdateOne:
    """Update the document that the filter names by its key, if it satisfies the rest of the filter."""

    filter: Filter
    update: Mapping[str, Any]
    upsert: bool = False
    etag: str | None = None
    request_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class DeleteOne:
    """Delete the document that the filter names by its key, if it satisfies the rest of the filter."""

    filter: Filter
    etag: str | None = None
    request_id: bytes | None = None


Operation: TypeAlias = InsertOne | ReplaceOne | UpdateOne | DeleteOne


def new_request_id() -> bytes:
    """16 bytes that no other request has."""
    return os.urandom(16)


def fill_insert(request: pb.InsertRequest, insert: InsertOne) -> Any:
    """Fill a request, with an `_id` first if the document has none; returns the `_id`.

    The document itself stays as it is.
    """
    request.request_id = insert.request_id or new_request_id()
    document = insert.document
    inserted_id = document.get("_id")
    if "_id" not in document and not isinstance(document, RawDocument):
        inserted_id = ObjectId.new()
        document = {"_id": inserted_id, **document}
    write_document(request.document, document)
    return inserted_id


def fill_replace(request: pb.ReplaceRequest, replace: ReplaceOne) -> None:
    _fill_target(request, replace)
    if any(str(name).startswith("$") for name in list(replace.replacement)[:1]):
        raise BadRequest(
            "a replacement is a document, not operators; to change fields use update_one",
            Reason.INVALID_ARGUMENT,
            field="replacement",
        )
    write_document(request.document, replace.replacement)
    request.upsert = replace.upsert


def fill_update(request: pb.UpdateRequest, update: UpdateOne) -> None:
    _fill_target(request, update)
    write_update(request.update, update.update)
    request.upsert = update.upsert


def fill_delete(request: pb.DeleteRequest, delete: DeleteOne) -> None:
    _fill_target(request, delete)


def fill_order(orders: Any, sort: Sort | None) -> None:
    """Fill the repeated orders of a request from any of PyMongo's ways to say them."""
    for path, direction in _sort_pairs(sort):
        if direction not in (ASCENDING, DESCENDING):
            raise BadRequest(
                f"the direction of {path!r} is 1 or -1, not {direction!r}",
                Reason.INVALID_ARGUMENT,
                field="sort",
            )
        is_up = direction == ASCENDING
        orders.add(path=path, direction=pb.DIRECTION_ASCENDING if is_up else pb.DIRECTION_DESCENDING)


def _fill_target(
    request: pb.ReplaceRequest | pb.UpdateRequest | pb.DeleteRequest,
    write: ReplaceOne | UpdateOne | DeleteOne,
) -> None:
    write_filter(request.filter, write.filter)
    request.etag = write.etag or ""
    request.request_id = write.request_id or new_request_id()


def _sort_pairs(sort: Sort | None) -> Sequence[tuple[str, int]]:
    if sort is None:
        return ()
    if isinstance(sort, str):
        return ((sort, ASCENDING),)
    return tuple(sort.items()) if isinstance(sort, Mapping) else sort
