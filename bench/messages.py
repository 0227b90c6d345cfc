"""The requests of the benchmark as bytes: made before the clock starts, sent as they are."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from bench.documents import QUEUE, TENANTS, Operation, document_of, key_of
from crossfade.v1 import document_pb2, storage_pb2
from proxy.api.translate.documents import write_document
from proxy.core.document import Document, Fields

SERVICE = "/crossfade.v1.StorageService/"
METHODS = {
    Operation.READ: "Get",
    Operation.LIST: "Query",
    Operation.INSERT: "Insert",
    Operation.UPDATE: "Update",
    Operation.RESERVE: "FindOneAndUpdate",
    Operation.REPLACE: "Replace",
}
LATEST = 9_000_000_000_000


def message_of(fields: Fields) -> document_pb2.Document:
    message = document_pb2.Document()
    write_document(message, Document(fields))
    return message


def request_of(collection: str, operation: Operation, number: int, size_kb: float = 0.5) -> bytes:
    """One request; `number` is that of the document, for a list that of the tenant."""
    made: bytes = _MAKERS[operation](collection, number, size_kb).SerializeToString()
    return made


def _get(collection: str, number: int, size_kb: float) -> storage_pb2.GetRequest:
    return storage_pb2.GetRequest(collection=collection, key=message_of(key_of(number)))


def _query(collection: str, number: int, size_kb: float) -> storage_pb2.QueryRequest:
    tenant = f"tenant-{number % TENANTS}"
    request = storage_pb2.QueryRequest(collection=collection, page_size=20)
    _equal(request.filter, "tenant", tenant)
    return request


def _insert(collection: str, number: int, size_kb: float) -> storage_pb2.InsertRequest:
    return storage_pb2.InsertRequest(
        collection=collection, document=message_of(document_of(number, size_kb)), request_id=_op()
    )


def _replace(collection: str, number: int, size_kb: float) -> storage_pb2.ReplaceRequest:
    document = {name: value for name, value in document_of(number, size_kb).items() if name != "_id"}
    return storage_pb2.ReplaceRequest(
        collection=collection,
        key=message_of(key_of(number)),
        document=message_of(document),
        request_id=_op(),
    )


def _update(collection: str, number: int, size_kb: float) -> storage_pb2.UpdateRequest:
    """As the article's conditional write: only if the state is still the expected one."""
    request = storage_pb2.UpdateRequest(
        collection=collection, key=message_of(key_of(number)), request_id=_op()
    )
    _equal(request.filter, "state", "waiting")
    counted = request.update.operators.add(path="runs")
    counted.inc.int32_value = 1
    owned = request.update.operators.add(path="owner")
    owned.set.string_value = f"someone-{number}@example.com"
    return request


def _reserve(collection: str, number: int, size_kb: float) -> storage_pb2.FindOneAndUpdateRequest:
    request = storage_pb2.FindOneAndUpdateRequest(collection=collection, request_id=_op())
    both = request.filter.all_of.filters
    _equal(both.add(), "tenant", QUEUE)
    due = both.add().comparison
    due.path, due.operator = "due", storage_pb2.Comparison.LTE
    due.value.int64_value = LATEST
    request.order.add(path="due", direction=storage_pb2.DIRECTION_ASCENDING)
    later = request.update.operators.add(path="due")
    later.inc.int32_value = 60_000
    return request


def _equal(target: storage_pb2.Filter, path: str, value: str) -> None:
    target.comparison.path, target.comparison.operator = path, storage_pb2.Comparison.EQ
    target.comparison.value.string_value = value


def _op() -> bytes:
    return secrets.token_bytes(16)


_MAKERS: dict[Operation, Callable[[str, int, float], storage_pb2.GetRequest]] = {
    Operation.READ: _get,
    Operation.LIST: _query,  # type: ignore[dict-item] # any message will do
    Operation.INSERT: _insert,  # type: ignore[dict-item]
    Operation.UPDATE: _update,  # type: ignore[dict-item]
    Operation.RESERVE: _reserve,  # type: ignore[dict-item]
    Operation.REPLACE: _replace,  # type: ignore[dict-item]
}
