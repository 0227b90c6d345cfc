"""Records to MongoDB documents and back: the metadata `_cf` comes and goes, user data stays to the byte.

A stored document is the user's, with names that look like ours escaped, and one more element::

    {..., "_cf": {e: epoch int64, r: revision int64, op: binary, ops: [binary, ...], del: date}}

`del` is on tombstones only; a tombstone keeps `_id` and the key fields. A document without `_cf` is
legacy. A `_cf` of any other shape is the user's own, from before the proxy: it reads as the user's
field of that name, and the first proxied write stores it escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp

from proxy.core.collection import Collection, KeyField
from proxy.core.document import OPTIONS, Document, Fields, Value
from proxy.core.elements import append, elements, join
from proxy.core.keys import Key, typed
from proxy.core.version import LEGACY, Record, Version

META = "_cf"


class Stored(RawBSONDocument):
    """A document as MongoDB holds it. Always true, so that the driver never decodes it to ask."""

    def __bool__(self) -> bool:
        return True


RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
"""Reading with these options leaves the decoding to this module."""

_RESERVED = re.compile(r"_+cf")
_ESCAPED = re.compile(r"__+cf")
_META_NAME = b"_cf"
_ESCAPED_MARK = b"__cf\0"  # in the bytes of every document that has an escaped name
_RESERVED_MARK = b"_cf\0"
_EMBEDDED = 0x03
_ZERO = Timestamp(0, 0)


def escape_name(name: str) -> str:
    """A user's top-level name as stored: one more underscore where it looks like ours."""
    if name[:1] != "_":
        return name
    return "_" + name if _RESERVED.fullmatch(name) else name


def escape_path(path: str) -> str:
    """A dotted path as stored: only its first component can look like ours."""
    head, dot, rest = path.partition(".")
    return escape_name(head) + dot + rest


class RecordCodec:
    """The codec of one collection: it knows the key fields, and so how tombstones look."""

    def __init__(self, collection: Collection) -> None:
        self._key_fields = collection.key_fields
        self._stored_names = tuple(escape_name(field.name) for field in collection.key_fields)

    def encode(self, record: Record) -> Stored:
        """The stored form. `_id` goes first, as MongoDB would put it; a legacy record has no `_cf`."""
        data = self._body(record)
        if not record.is_legacy or record.op or record.is_tombstone:
            data = append(data, _META_NAME, bson.encode(_meta_of(record)))
        return Stored(data, RAW)

    def decode(self, stored: RawBSONDocument) -> Record:
        """The record in a stored document, decoded once."""
        raw = bytes(stored.raw)
        fields = _plain_fields(raw)
        if fields is None:
            return self._decode_exotic(raw)
        meta = fields.pop(META) if is_meta(fields.get(META)) else None
        if _ESCAPED_MARK in raw:
            fields = {_unescape_name(name): value for name, value in fields.items()}
        elif meta is None:
            return self._record(None, Document.exactly(fields, raw))
        return self._record(meta, Document(fields))

    def key_of(self, fields: Fields) -> Key:
        """The key in a user's fields; a value that is not of the declared type stays as it is."""
        return Key(tuple([_key_value(field, fields.get(field.name)) for field in self._key_fields]))

    def _body(self, record: Record) -> bytes:
        if record.document is None:
            return bson.encode(dict(zip(self._stored_names, record.key.values, strict=True)))
        data = record.document.to_bson()
        return _id_first(_rename(data, escape_name) if _RESERVED_MARK in data else data)

    def _decode_exotic(self, raw: bytes) -> Record:
        meta: Fields | None = None
        parts = []
        for element in elements(raw):
            if element.name == _META_NAME and raw[element.start] == _EMBEDDED:
                meta = bson.decode(raw[element.value : element.end], OPTIONS)
            else:
                parts.append(raw[element.start : element.end])
        user = join(parts) if is_meta(meta) else raw
        document = Document.from_bson(_rename(user, _unescape_name))
        return self._record(meta if is_meta(meta) else None, document)

    def _record(self, meta: Fields | None, document: Document) -> Record:
        key = self.key_of(document.fields)
        if meta is None:
            return Record(key, LEGACY, b"", (), document)
        deleted = meta.get("del")
        return Record(
            key=key,
            version=version_in(meta),
            op=meta["op"],
            ops=tuple(meta.get("ops", ())),
            document=document if deleted is None else None,
            deleted_at=None if deleted is None else int(deleted),
        )


def is_meta(value: Any) -> bool:
    """True for a `_cf` that we wrote, not one of the user's."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("e"), int)
        and isinstance(value.get("r"), int)
        and isinstance(value.get("op"), bytes)
        and isinstance(value.get("ops", []), list)
        and isinstance(value.get("del"), DatetimeMS | None)
    )


def version_in(meta: Mapping[str, Any]) -> Version:
    """The version that a `_cf` tells (see `is_meta`)."""
    return Version(int(meta["e"]), int(meta["r"]))


def with_id_first(document: Document) -> Document:
    """The document as MongoDB stores an insert: `_id` at the front, a new ObjectId where there is none."""
    names = iter(document.fields)
    if next(names, None) == "_id":
        return document
    if document.raw is not None:
        return Document.from_bson(_id_first(_with_id(document.raw)))
    identity = document.fields["_id"] if "_id" in document.fields else ObjectId()
    return Document({"_id": identity} | document.fields)


def with_identity(document: Stored, identity: ObjectId) -> Stored:
    """A stored document without `_id`, given one."""
    return Stored(_prepend_id(bytes(document.raw), identity), RAW)


def holds_zero_timestamp(document: Document) -> bool:
    """True when the server would fill in a top-level Timestamp(0, 0) on insert and replace."""
    return any(value == _ZERO for value in document.fields.values())


def _key_value(field: KeyField, value: Value) -> Value:
    if type(value) is str:  # its own normal form, and by far the most frequent
        return value
    normal = typed(field.type, value)
    return value if normal is None else normal


def _meta_of(record: Record) -> Fields:
    epoch, revision = record.version
    meta: Fields = {
        "e": Int64(epoch),
        "r": Int64(revision),
        "op": record.op,
        "ops": list(record.ops),
    }
    if record.deleted_at is not None:
        meta["del"] = DatetimeMS(record.deleted_at)
    return meta


def _plain_fields(raw: bytes) -> Fields | None:
    """The decoded fields, or None where they would not lead back to the same bytes."""
    try:
        fields = bson.decode(raw, OPTIONS)
    except bson.errors.InvalidBSON:
        return None
    return fields if bson.encode(fields, codec_options=OPTIONS) == raw else None


def _unescape_name(name: str) -> str:
    return name[1:] if _ESCAPED.fullmatch(name) else name


def _rename(data: bytes, change: Callable[[str], str]) -> bytes:
    """The document with its top-level names changed, byte by byte and nothing else."""
    parts = []
    for name, start, value, end in elements(data):
        new = change(name.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        parts.append(data[start : start + 1] + new + b"\0" + data[value:end])
    return join(parts)


def _id_first(data: bytes) -> bytes:
    if data[5:9] == b"_id\0":
        return data
    found = [data[part.start : part.end] for part in elements(data) if part.name == b"_id"]
    others = [data[part.start : part.end] for part in elements(data) if part.name != b"_id"]
    return join(found + others) if found else data


def _with_id(data: bytes) -> bytes:
    if any(part.name == b"_id" for part in elements(data)):
        return data
    return _prepend_id(data, ObjectId())


def _prepend_id(data: bytes, identity: ObjectId) -> bytes:
    return join([b"\x07_id\0" + identity.binary, data[4:-1]])
