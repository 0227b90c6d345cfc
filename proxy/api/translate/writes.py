"""Write requests to the commands of the core: every document gets its `_id` and key here, or is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bson import ObjectId

from crossfade.v1 import storage_pb2
from proxy.api.translate.documents import identify, read_document
from proxy.api.translate.fault import fault, inside, within
from proxy.api.translate.targets import (
    Target,
    missing_key,
    read_condition,
    read_etag,
    read_target,
    whole_key,
)
from proxy.api.translate.updates import read_update
from proxy.core.collection import Collection, KeyField
from proxy.core.document import Document, Fields, Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import Comparator, Compare, Filter
from proxy.core.keys import Key, conjuncts, fields_of, key_of, split_filter, typed
from proxy.core.modification import modify
from proxy.core.update import Operator, Set, SetOnInsert, Update, check, paths
from proxy.core.write import Delete, Insert, Modify, Precondition, Replace

_WITH_BEFORE = (storage_pb2.RETURN_DOCUMENT_BEFORE, storage_pb2.RETURN_DOCUMENT_BOTH)


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a FindOneAndUpdate asks for; `modify` where its filter names one document by its whole key."""

    filter: Filter
    update: Update
    modify: Modify | None


def read_insert(collection: Collection, request: storage_pb2.InsertRequest) -> Insert:
    """The insert of a request; from here on the document has an `_id`."""
    document = _read_body(request)
    key = key_of(collection, document.fields)
    with inside("document"):
        return Insert(key, identify(document))


def read_replace(collection: Collection, request: storage_pb2.ReplaceRequest) -> Replace:
    """The replace of a request; key fields that its document lacks are filled in.

    A document without `_id` stays so: it keeps the present one's, or gets a new one if it is inserted.
    """
    document = _read_body(request)
    target = read_target(collection, request)
    precondition = _read_precondition(request, target)
    key = target.key or key_of(collection, document.fields)
    document = _fill_key(collection, document, {**fields_of(collection, key), **target.given})
    if key_of(collection, document.fields) != key:
        text = "the document's key fields are not those of `key`; a key never changes"
        raise fault(text, Reason.KEY_FIELD_CHANGED, "document")
    if "_id" in document.fields:
        with inside("document"):
            document = identify(document)
    new_id = ObjectId() if request.upsert else None
    return Replace(key, document, precondition, request.upsert, new_id)


def read_modify(collection: Collection, request: storage_pb2.UpdateRequest) -> Modify:
    """The update of a request; with `upsert` it says what an absent document starts from."""
    update = _read_update(request)
    target = read_target(collection, request)
    precondition = _read_precondition(request, target)
    key = whole_key(collection, target)
    keep_key(collection, update, key)
    seed = _plant(update, target.given, target.filter) if request.upsert else None
    wants_before = request.return_document in _WITH_BEFORE
    return Modify(key, update, precondition, request.upsert, seed, wants_before)


def read_reservation(collection: Collection, request: storage_pb2.FindOneAndUpdateRequest) -> Reservation:
    """The filter and update of a FindOneAndUpdate. Raises BadRequest."""
    update = _read_update(request)
    if not request.HasField("filter"):
        raise fault("a filter is required", Reason.INVALID_FILTER, "filter")
    filter = read_condition(request.filter)
    key, rest = split_filter(collection, filter)
    if key is None and request.upsert:
        raise missing_key(collection)
    keep_key(collection, update, key)
    by_key = None if key is None else _by_key(key, update, filter, rest, request.upsert)
    return Reservation(filter, update, by_key)


def keep_key(collection: Collection, update: Update, key: Key | None) -> None:
    """Raises BadRequest (KEY_FIELD_CHANGED) for an update that could change a key field.

    Setting one to the value that it has anyway is harmless, and allowed where the key is known.
    """
    if not _touches_key(collection, update):
        return
    known = key.values if key else [None] * len(collection.key_fields)
    values = {field.name: (field, value) for field, value in zip(collection.key_fields, known, strict=True)}
    for place, operator in enumerate(update):
        for path in paths((operator,)):
            name = path.partition(".")[0]
            if name in values and not _sets(operator, *values[name]):
                text = (
                    f"{path} is part of the key, which never changes: delete the document and insert another"
                )
                raise fault(text, Reason.KEY_FIELD_CHANGED, f"update.operators[{place}]")


def _touches_key(collection: Collection, update: Update) -> bool:
    names = [field.name for field in collection.key_fields]
    return any(path.partition(".")[0] in names for path in paths(update))


def read_delete(collection: Collection, request: storage_pb2.DeleteRequest) -> Delete:
    """The delete of a request."""
    target = read_target(collection, request)
    etag = read_etag(request.etag)
    return Delete(whole_key(collection, target), Precondition(target.rest, etag))


def _sets(operator: Operator, field: KeyField, value: Value) -> bool:
    if not isinstance(operator, Set | SetOnInsert) or operator.path != field.name or value is None:
        return False
    return bool(typed(field.type, operator.value) == value)


def _by_key(key: Key, update: Update, filter: Filter, rest: Filter, upsert: bool) -> Modify:
    seed = _plant(update, {}, filter) if upsert else None
    return Modify(key, update, Precondition(rest), upsert, seed, wants_before=True)


def _read_body(request: storage_pb2.InsertRequest | storage_pb2.ReplaceRequest) -> Document:
    if not request.HasField("document"):
        raise fault("a document is required", Reason.INVALID_ARGUMENT, "document")
    with inside("document"):
        return read_document(request.document)


def _read_update(
    request: storage_pb2.UpdateRequest | storage_pb2.FindOneAndUpdateRequest,
) -> Update:
    try:
        return read_update(request.update)
    except BadRequest as error:
        raise within("update", error)  # noqa: B904 - it is the same error


def _read_precondition(
    request: storage_pb2.ReplaceRequest | storage_pb2.UpdateRequest, target: Target
) -> Precondition:
    if request.etag and request.upsert:
        text = "an etag names a document that exists, so it does not go with upsert"
        raise fault(text, Reason.INVALID_ARGUMENT, "upsert")
    return Precondition(target.rest, read_etag(request.etag))


def _fill_key(collection: Collection, document: Document, values: Mapping[str, Value]) -> Document:
    lacking = [field.name for field in collection.key_fields if field.name not in document.fields]
    if not lacking:
        return document
    if document.raw is not None:
        raise fault("a document sent as BSON has all its key fields", Reason.KEY_FIELD_MISSING, lacking[0])
    identity = {"_id": document.fields["_id"]} if "_id" in document.fields else {}
    return Document({**identity, **{name: values[name] for name in lacking}, **document.fields})


def _plant(update: Update, key: Fields, filter: Filter) -> Document:
    """What an upsert starts from: an `_id`, the key as given, and the equalities of the filter.

    Raises BadRequest (INVALID_FILTER) when two equalities contradict each other, as MongoDB does.
    """
    equalities = tuple(Set(path, value) for path, value in _equalities(filter) if path not in key)
    fields = {**key, **_grow(equalities)}
    if "_id" in fields or any(operator.path == "_id" for operator in update):
        return Document(fields)
    return Document({"_id": ObjectId(), **fields})


def _grow(equalities: tuple[Set, ...]) -> Fields:
    if not equalities:
        return {}
    try:
        check(equalities)
        return modify(equalities, {}, inserting=True, now=0)
    except BadRequest as error:
        text = f"an upsert cannot start from this filter: {error.message}"
        raise fault(text, Reason.INVALID_FILTER, "filter") from error


def _equalities(filter: Filter) -> Iterable[tuple[str, Value]]:
    for condition in conjuncts(filter):
        if isinstance(condition, Compare) and condition.comparator is Comparator.EQ:
            yield condition.path, condition.value
