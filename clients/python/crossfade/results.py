"""What a write did: PyMongo's result objects, with what Crossfade knows besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from crossfade.v1 import storage_pb2 as pb
from crossfade.values import Document


class Mirror(Enum):
    """The fate of the mirror write at the moment of the reply.

    DEFERRED is no error: the reconciler heals it.
    """

    UNSPECIFIED = 0
    NONE = 1
    APPLIED = 2
    DEFERRED = 3


class Freshness(Enum):
    """STRONG sees every write acknowledged before; EVENTUAL may miss documents just written."""

    UNSPECIFIED = 0
    STRONG = 1
    EVENTUAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """What every write tells.

    `etag` names the document's state after the write ("" if there is none), `op` is the 16-byte id
    of the operation, `was_repeated` means that an earlier request of the same id did it.
    """

    etag: str = ""
    op: bytes = b""
    mirror: Mirror = Mirror.UNSPECIFIED
    was_repeated: bool = False

    @property
    def acknowledged(self) -> bool:
        """Always true: Crossfade has no writes without acknowledgement."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertOneResult(WriteResult):
    """What insert_one did; `inserted_id` is the document's `_id`."""

    inserted_id: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateResult(WriteResult):
    """What update_one and replace_one did: the counts are 0 or 1.

    `upserted` tells whether the document was inserted; `matched_count` is then 0.
    """

    matched_count: int
    modified_count: int
    upserted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteResult(WriteResult):
    """What delete_one did: the count is 0 or 1."""

    deleted_count: int


@dataclass(frozen=True, slots=True)
class BulkWriteResult:
    """What a batch did; `results` maps the positions of the writes that succeeded to what each did."""

    inserted_count: int
    matched_count: int
    modified_count: int
    deleted_count: int
    upserted_count: int
    results: dict[int, WriteResult] = field(repr=False)


@dataclass(frozen=True, slots=True)
class InsertManyResult:
    """What insert_many did; `inserted_ids` are the documents' `_id`s, in order."""

    inserted_ids: Sequence[Any]
    result: BulkWriteResult


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query was served: by which index ("key", "scan"), and how fresh."""

    index: str
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class Page:
    """Documents in order; `next_page_token` continues after them, "" at the end."""

    documents: list[Document]
    next_page_token: str
    plan: Plan


def update_result(response: pb.WriteResponse) -> UpdateResult:
    return UpdateResult(
        matched_count=int(response.matched),
        modified_count=int(response.modified and not response.inserted),
        upserted=response.inserted,
        **_common(response),
    )


def delete_result(response: pb.WriteResponse) -> DeleteResult:
    return DeleteResult(deleted_count=int(response.matched), **_common(response))


def insert_result(response: pb.WriteResponse, inserted_id: Any) -> InsertOneResult:
    return InsertOneResult(inserted_id=inserted_id, **_common(response))


def plan_of(plan: pb.Plan) -> Plan:
    return Plan(plan.index, Freshness(plan.freshness))


def bulk_result(results: dict[int, WriteResult]) -> BulkWriteResult:
    """Add up what the writes of a batch did."""
    updates = [result for result in results.values() if isinstance(result, UpdateResult)]
    return BulkWriteResult(
        inserted_count=sum(isinstance(result, InsertOneResult) for result in results.values()),
        matched_count=sum(result.matched_count for result in updates),
        modified_count=sum(result.modified_count for result in updates),
        deleted_count=sum(
            result.deleted_count for result in results.values() if isinstance(result, DeleteResult)
        ),
        upserted_count=sum(result.upserted for result in updates),
        results=results,
    )


def _common(response: pb.WriteResponse) -> dict[str, Any]:
    return {
        "etag": response.etag,
        "op": response.op,
        "mirror": Mirror(response.mirror),
        "was_repeated": response.repeated,
    }
