"""Native Python values to the contract's values and back, without loss and without detours.

Reading what was written gives an equal value of the same type, with three exceptions that lose
nothing: tuples come back as lists, naive datetimes (taken for UTC) as aware ones, and times are cut
to milliseconds, as BSON's are.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.struct_pb2 import NULL_VALUE

from crossfade.errors import InvalidDocument, Reason, Unsupported
from crossfade.foreign import native_from_bson
from crossfade.v1 import document_pb2 as pb
from crossfade.values import (
    Binary,
    Bson,
    DatetimeMS,
    Document,
    Int64,
    ObjectId,
    RawDocument,
    Regex,
    Timestamp,
)

MAX_DEPTH = 24
"""How deep maps and arrays may nest within a field (document.proto)."""

Fields = RepeatedCompositeFieldContainer[pb.Field]
Writer = Callable[[pb.Value, Any, int], None]


def write_document(target: pb.Document, document: Mapping[str, Any]) -> None:
    """Fill a message. Raises InvalidDocument naming the field that BSON cannot hold."""
    if isinstance(document, RawDocument):
        target.bson = document.bson
    else:
        write_fields(target.fields, document, MAX_DEPTH)


def write_fields(fields: Fields, document: Mapping[str, Any], depth: int) -> None:
    add = fields.add
    for name, value in document.items():
        field = add()
        try:
            field.name = name
            write_value(field.value, value, depth)
        except InvalidDocument as error:
            error.field = f"{name}.{error.field}" if error.field else name
            raise
        except (TypeError, ValueError) as error:
            raise InvalidDocument(str(error), Reason.INVALID_FIELD, field=str(name)) from error


def write_value(slot: pb.Value, value: Any, depth: int = MAX_DEPTH) -> None:
    """Fill a value. Raises InvalidDocument, TypeError or ValueError for what BSON cannot hold."""
    kind = type(value)
    if kind is str:
        slot.string_value = value
    elif kind is int:
        if -0x80000000 <= value <= 0x7FFFFFFF:
            slot.int32_value = value
        else:
            slot.int64_value = value
    elif kind is bool:
        slot.bool_value = value
    elif kind is float:
        slot.double_value = value
    elif value is None:
        slot.null_value = NULL_VALUE  # type: ignore[assignment]
    else:
        (_WRITERS.get(kind) or _learn_writer(kind))(slot, value, depth)


def read_document(message: pb.Document, etag: str | None = None) -> Document:
    """The document of a message; a RawDocument if its BSON is authoritative."""
    document = RawDocument(message.bson, _read_fields(message.fields)) if message.bson else Document()
    if not message.bson:
        for field in message.fields:
            value = field.value
            kind = value.WhichOneof("kind")
            document[field.name] = getattr(value, kind) if kind in _PLAIN else _reader_of(kind)(value)
    document.etag = etag
    return document


def read_value(value: pb.Value) -> Any:
    kind = value.WhichOneof("kind")
    return getattr(value, kind) if kind in _PLAIN else _reader_of(kind)(value)


def milliseconds_of(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down; a naive datetime is taken for UTC, as PyMongo does."""
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def datetime_of(milliseconds: int) -> datetime | DatetimeMS:
    """The aware datetime in UTC, or the bare number where datetime has no such year."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return DatetimeMS(milliseconds)


def _read_fields(fields: Fields) -> dict[str, Any]:
    return {field.name: read_value(field.value) for field in fields}


def _write_map(slot: pb.Value, value: Mapping[str, Any], depth: int) -> None:
    if isinstance(value, RawDocument):
        raise InvalidDocument("a RawDocument can only be written as a whole document", Reason.INVALID_FIELD)
    slot.map_value.SetInParent()
    write_fields(slot.map_value.fields, value, _descend(depth))


def _write_list(slot: pb.Value, value: Sequence[Any], depth: int) -> None:
    slot.list_value.SetInParent()
    add = slot.list_value.values.add
    depth = _descend(depth)
    for index, element in enumerate(value):
        try:
            write_value(add(), element, depth)
        except InvalidDocument as error:
            error.field = f"{index}.{error.field}" if error.field else str(index)
            raise
        except (TypeError, ValueError) as error:
            raise InvalidDocument(str(error), Reason.INVALID_FIELD, field=str(index)) from error


def _descend(depth: int) -> int:
    if depth == 0:
        raise InvalidDocument(f"maps and arrays nest more than {MAX_DEPTH} deep", Reason.DOCUMENT_TOO_DEEP)
    return depth - 1


def _write_decimal(slot: pb.Value, value: decimal.Decimal, depth: int) -> None:
    if value.is_nan() and len(value.as_tuple().digits):
        raise ValueError("a Decimal128 NaN has no payload")
    try:
        slot.decimal_value = str(_DECIMAL128.create_decimal(value))
    except decimal.DecimalException as error:
        raise ValueError(f"{value} does not fit a Decimal128") from error


def _write_binary(slot: pb.Value, value: Binary, depth: int) -> None:
    if value.subtype == 0:
        slot.bytes_value = bytes(value)
    elif value.subtype == 4 and len(value) == 16:
        slot.uuid_value = bytes(value)
    else:
        slot.binary_value.data = bytes(value)
        slot.binary_value.subtype = value.subtype


def _write_regex(slot: pb.Value, value: Regex, depth: int) -> None:
    if "\0" in value.pattern:
        raise ValueError("a regular expression holds no NUL")
    slot.regex_value.pattern = value.pattern
    slot.regex_value.options = "".join(sorted(value.options))


def _write_pattern(slot: pb.Value, value: re.Pattern[str], depth: int) -> None:
    options = "".join(letter for letter, flag in _FLAGS.items() if value.flags & flag)
    _write_regex(slot, Regex(value.pattern, options), depth)


def _write_timestamp(slot: pb.Value, value: Timestamp, depth: int) -> None:
    slot.timestamp_value.SetInParent()
    slot.timestamp_value.seconds = value.seconds
    slot.timestamp_value.increment = value.increment


def _set(attribute: str, convert: Callable[[Any], Any] = lambda value: value) -> Writer:
    def write(slot: pb.Value, value: Any, depth: int) -> None:
        setattr(slot, attribute, convert(value))

    return write


def _write_as(attribute: str) -> Callable[[Any], Any]:
    return lambda value: getattr(value, attribute)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = {"i": re.I, "l": re.L, "m": re.M, "s": re.S, "u": re.U, "x": re.X}
_DECIMAL128 = decimal.Context(
    prec=34,
    Emin=-6143,
    Emax=6144,
    clamp=1,
    traps=[decimal.Inexact, decimal.Overflow, decimal.InvalidOperation],
)

_WRITERS: dict[type, Writer] = {
    dict: _write_map,
    Document: _write_map,
    list: _write_list,
    tuple: _write_list,
    datetime: _set("date_ms_value", milliseconds_of),
    DatetimeMS: _set("date_ms_value", int),
    Int64: _set("int64_value", int),
    bytes: _set("bytes_value"),
    ObjectId: _set("object_id_value", _write_as("binary")),
    UUID: _set("uuid_value", _write_as("bytes")),
    decimal.Decimal: _write_decimal,
    Binary: _write_binary,
    Regex: _write_regex,
    re.Pattern: _write_pattern,
    Timestamp: _write_timestamp,
    Bson: _set("bson_value", _write_as("data")),
}


def _write_foreign(slot: pb.Value, value: Any, depth: int) -> None:
    write_value(slot, native_from_bson(value), depth)


def _write_base(base: type) -> Writer:
    return lambda slot, value, depth: write_value(slot, base(value), depth)


def _write_enum(slot: pb.Value, value: Enum, depth: int) -> None:
    write_value(slot, value.value, depth)


_BASES: tuple[tuple[type, Writer], ...] = (
    (Enum, _write_enum),
    (Mapping, _write_map),
    (str, _write_base(str)),
    (int, _write_base(int)),
    (float, _write_base(float)),
    (datetime, _set("date_ms_value", milliseconds_of)),
    (UUID, _set("uuid_value", _write_as("bytes"))),
    (decimal.Decimal, _write_decimal),
    (bytes | bytearray | memoryview, _set("bytes_value", bytes)),  # type: ignore[assignment]
    (list | tuple, _write_list),
)


def _learn_writer(kind: type) -> Writer:
    """The writer of a type met for the first time: one of the bson package's, or derived from a known one."""
    writer = _find_writer(kind)
    _WRITERS[kind] = writer
    return writer


def _find_writer(kind: type) -> Writer:
    if kind.__module__.partition(".")[0] == "bson":
        return _write_foreign
    for base, writer in _BASES:
        if issubclass(kind, base):
            return writer
    raise TypeError(f"a document cannot hold a {kind.__module__}.{kind.__qualname__}")


def _read_int64(value: pb.Value) -> int:
    number = value.int64_value
    return Int64(number) if -0x80000000 <= number <= 0x7FFFFFFF else number


_PLAIN = frozenset({"string_value", "int32_value", "bool_value", "double_value", "bytes_value"})

_READERS: dict[str, Callable[[pb.Value], Any]] = {
    "null_value": lambda value: None,
    "int64_value": _read_int64,
    "date_ms_value": lambda value: datetime_of(value.date_ms_value),
    "object_id_value": lambda value: ObjectId(value.object_id_value),
    "map_value": lambda value: _read_fields(value.map_value.fields),
    "list_value": lambda value: [read_value(element) for element in value.list_value.values],
    "uuid_value": lambda value: UUID(bytes=value.uuid_value),
    "decimal_value": lambda value: decimal.Decimal(value.decimal_value),
    "binary_value": lambda value: Binary(value.binary_value.data, value.binary_value.subtype),
    "regex_value": lambda value: Regex(value.regex_value.pattern, value.regex_value.options),
    "timestamp_value": lambda value: Timestamp(
        value.timestamp_value.seconds, value.timestamp_value.increment
    ),
    "bson_value": lambda value: Bson(value.bson_value),
}


def _reader_of(kind: str | None) -> Callable[[pb.Value], Any]:
    try:
        return _READERS[kind or ""]
    except KeyError:
        raise Unsupported(
            "a value of a kind that this client does not know",
            Reason.UNIMPLEMENTED,
            hint="install a newer crossfade",
        ) from None
