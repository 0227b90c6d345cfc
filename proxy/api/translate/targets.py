"""Which document a request means, and in which state: keys, filters, etags, orders and request ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from crossfade.v1 import document_pb2, storage_pb2
from proxy.api.translate.documents import read_document
from proxy.api.translate.fault import fault, inside, within
from proxy.api.translate.filters import check_path, read_filter
from proxy.api.translate.values import read_fields
from proxy.core.collection import Collection
from proxy.core.document import Document, Fields
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import EVERYTHING, Filter
from proxy.core.keys import Key, key_of, split_filter
from proxy.core.query import Order
from proxy.core.version import Version, parse_etag

_ASCENDING = {
    storage_pb2.DIRECTION_UNSPECIFIED: True,
    storage_pb2.DIRECTION_ASCENDING: True,
    storage_pb2.DIRECTION_DESCENDING: False,
}


@dataclass(frozen=True, slots=True)
class Target:
    """Which document a request means.

    `key` is None where neither the field `key` nor the filter's equalities give the whole key; `given` are
    the key's fields as the client wrote them (empty where the key came from the filter). `filter` is the
    whole filter, `rest` what of it is left to satisfy once the key is known.
    """

    key: Key | None
    given: Fields
    filter: Filter
    rest: Filter


Targeted: TypeAlias = (
    storage_pb2.GetRequest
    | storage_pb2.ReplaceRequest
    | storage_pb2.UpdateRequest
    | storage_pb2.DeleteRequest
)


def read_target(collection: Collection, request: Targeted) -> Target:
    """The document that a request means. Raises BadRequest."""
    filter = read_condition(request.filter) if request.HasField("filter") else EVERYTHING
    if request.HasField("key"):
        given = _read_key_fields(collection, request.key, "key")
        return Target(key_of(collection, given), given, filter, filter)
    key, rest = split_filter(collection, filter)
    return Target(key, {}, filter, rest)


def whole_key(collection: Collection, target: Target) -> Key:
    """The key of a target. Raises BadRequest (KEY_FIELD_MISSING) where the request does not give it."""
    if target.key is None:
        raise missing_key(collection)
    return target.key


def missing_key(collection: Collection) -> BadRequest:
    """The refusal of a request that does not say which document it means."""
    names = ", ".join(field.name for field in collection.key_fields)
    text = f"neither `key` nor the filter's equalities give the whole key: {names}"
    return fault(text, Reason.KEY_FIELD_MISSING, "key")


def read_key(collection: Collection, message: document_pb2.Document, field: str) -> Key:
    """The key in a message that holds the key fields and nothing else. Raises BadRequest."""
    return key_of(collection, _read_key_fields(collection, message, field))


def _read_key_fields(collection: Collection, message: document_pb2.Document, field: str) -> Fields:
    if message.bson:
        raise fault("a key is given as fields", Reason.INVALID_FIELD, f"{field}.bson")
    try:
        fields = read_fields(message.fields)
    except BadRequest as error:
        raise within(field, error)  # noqa: B904 - it is the same error
    names = [part.name for part in collection.key_fields]
    if any(name not in names for name in fields):
        name = next(name for name in fields if name not in names)
        text = f"{name!r} is not a key field of {collection.name}: these are {', '.join(sorted(names))}"
        raise fault(text, Reason.INVALID_ARGUMENT, f"{field}.{name}")
    return fields


def read_condition(message: storage_pb2.Filter) -> Filter:
    """The filter in a request's field `filter`."""
    try:
        return read_filter(message)
    except BadRequest as error:
        raise within("filter", error)  # noqa: B904 - it is the same error


def read_etag(text: str) -> tuple[Version, bytes] | None:
    """The version and op of an etag, None for an empty one. Raises BadRequest naming `etag`."""
    if not text:
        return None
    version, op = parse_etag(text)
    if len(op) not in (0, 16):
        raise fault("etag is not one that Crossfade gave", Reason.INVALID_FIELD, "etag")
    return version, op


def read_request_id(request_id: bytes) -> bytes:
    """A request id, or empty. Raises BadRequest for any other length than 16 bytes."""
    if len(request_id) not in (0, 16):
        text = f"a request id is 16 bytes, and this is {len(request_id)}"
        raise fault(text, Reason.INVALID_ARGUMENT, "request_id")
    return request_id


def read_orders(messages: Iterable[storage_pb2.Order]) -> tuple[Order, ...]:
    """The parts of an order. Raises BadRequest naming `order[i]`."""
    return tuple(_read_order(place, message) for place, message in enumerate(messages))


def _read_order(place: int, message: storage_pb2.Order) -> Order:
    with inside(f"order[{place}]"):
        ascending = _ASCENDING.get(message.direction)
        if ascending is None:
            text = f"the direction {message.direction} is not one that this server knows"
            raise fault(text, Reason.INVALID_ARGUMENT, "direction")
        with inside("path"):
            check_path(message.path, Reason.INVALID_ARGUMENT)
        return Order(message.path, ascending)


def read_size(value: int, field: str) -> int:
    """A size or limit. Raises BadRequest if it is negative."""
    if value < 0:
        raise fault(f"{field} may not be negative", Reason.INVALID_ARGUMENT, field)
    return value


def read_body(message: document_pb2.Document) -> Document:
    """The document in a request's field `document`."""
    with inside("document"):
        return read_document(message)
