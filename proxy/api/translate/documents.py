"""Documents to protobuf and back, to the byte; what protobuf's fields cannot carry travels as BSON."""

from __future__ import annotations

from collections.abc import Mapping

import bson
from bson import ObjectId, Regex

from crossfade.v1 import document_pb2 as pb
from proxy.api.translate.fault import fault
from proxy.api.translate.values import TooDeep, read_fields, write_fields
from proxy.core.document import Document, Value
from proxy.core.errors import Reason
from proxy.core.patching import id_first, with_id


def read_document(message: pb.Document) -> Document:
    """The document that a client sent. Raises BadRequest naming the field within it."""
    if not message.bson:
        return Document(read_fields(message.fields))
    try:
        return Document.from_bson(message.bson)
    except bson.errors.BSONError as error:
        raise fault(f"not one valid BSON document: {error}", Reason.INVALID_FIELD, "bson") from error
    except RecursionError as error:
        text = "the document is nested deeper than the stores allow"
        raise fault(text, Reason.DOCUMENT_TOO_DEEP, "bson") from error


def write_document(target: pb.Document, document: Document) -> None:
    """Fill a message: fields, and the BSON bytes only where the fields cannot reproduce them."""
    if document.raw is None:
        try:
            write_fields(target.fields.add, document.fields)
            return
        except TooDeep:
            del target.fields[:]
    target.bson = document.to_bson()
    _write_view(target, document.fields)


def identify(document: Document) -> Document:
    """The document as MongoDB would store it: `_id` first, a new ObjectId where there is none.

    Raises BadRequest (INVALID_FIELD) for an `_id` that MongoDB refuses: arrays and regular expressions.
    """
    if "_id" not in document.fields:
        return with_id(document, ObjectId())
    if isinstance(document.fields["_id"], list | Regex):
        raise fault("_id may be neither an array nor a regular expression", Reason.INVALID_FIELD, "_id")
    return document if next(iter(document.fields)) == "_id" else id_first(document)


def _write_view(target: pb.Document, fields: Mapping[str, Value]) -> None:
    """What can be shown of a document that travels as BSON: fields that are too deep are left out."""
    for name, value in fields.items():
        try:
            write_fields(target.fields.add, {name: value})
        except TooDeep:
            del target.fields[-1]
