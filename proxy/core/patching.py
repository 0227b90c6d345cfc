"""A changed document that keeps the bytes of every top-level field which did not change.

It matters only for documents that carry `raw` (duplicate names, invalid UTF-8, deprecated types): what the
fields cannot reproduce survives, as long as the change does not touch it.
"""

from __future__ import annotations

from bson import Timestamp, encode

from proxy.core.document import OPTIONS, Document, Fields, Value
from proxy.core.elements import Element, elements, join
from proxy.core.errors import BadRequest, Reason
from proxy.core.ordering import MISSING

_ID = b"_id"
_EMPTY_TIME = Timestamp(0, 0)


def patch(document: Document, fields: Fields) -> Document:
    """The document with these fields, which an update made of its own.

    Raises BadRequest (INVALID_UPDATE) naming a changed field whose present value only the bytes can tell.
    """
    if document.raw is None:
        return Document(fields)
    present = list(elements(document.raw))
    names = [element.name.decode(errors="replace") for element in present]
    parts = [
        _part(document, element, name, names, fields) for element, name in zip(present, names, strict=True)
    ]
    added = [_encode(name, value) for name, value in fields.items() if name not in document.fields]
    return Document.from_bson(join(parts + added))


def settle(document: Document, now: int) -> Document:
    """A document that arrives whole, as MongoDB stores it: `_id` first, empty timestamps at its top filled.

    `now`: the clock, in milliseconds since 1970. MongoDB leaves the empty timestamps of updates alone.
    """
    empty = [name for name, value in document.fields.items() if _is_empty_time(value) and name != "_id"]
    if not empty or document.raw is not None:
        return id_first(document)
    return id_first(Document({**document.fields, **dict.fromkeys(empty, Timestamp(now // 1000, 1))}))


def _is_empty_time(value: Value) -> bool:
    return type(value) is Timestamp and value == _EMPTY_TIME


def id_first(document: Document) -> Document:
    """The document with `_id` before all else, where MongoDB keeps it."""
    if document.raw is not None:
        parts = sorted(elements(document.raw), key=lambda element: element.name != _ID)
        return Document.from_bson(join([document.raw[part.start : part.end] for part in parts]))
    if "_id" not in document.fields or next(iter(document.fields)) == "_id":
        return document
    return Document({"_id": document.fields["_id"], **document.fields})


def with_id(document: Document, value: Value) -> Document:
    """A document without `_id`, with this one before all else."""
    if document.raw is None:
        return Document({"_id": value, **document.fields})
    return Document.from_bson(join([_encode("_id", value), document.raw[4:-1]]))


def _part(document: Document, element: Element, name: str, names: list[str], fields: Fields) -> bytes:
    """What becomes of one stored element."""
    assert document.raw is not None
    stored = document.raw[element.start : element.end]
    before, after = document.fields[name], fields.get(name, MISSING)
    if after is before or (after is not MISSING and _encode(name, after) == _encode(name, before)):
        return stored
    if names.count(name) > 1 or _encode(name, before) != stored:
        message = f"{name!r} holds what no field of an update can express: replace the whole document"
        raise BadRequest(message, Reason.INVALID_UPDATE, field=name)
    return b"" if after is MISSING else _encode(name, after)


def _encode(name: str, value: Value) -> bytes:
    return encode({name: value}, codec_options=OPTIONS)[4:-1]
