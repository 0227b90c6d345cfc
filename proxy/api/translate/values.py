"""BSON values to protobuf `Value` and back, without loss; an unknown kind is refused, never taken for null.

Tables by oneof case and by Python type, for these run for every field of every document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import DecimalException
from typing import Any, NoReturn

import bson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef

from crossfade.v1 import document_pb2 as pb
from proxy.api.translate.fault import fault, within
from proxy.core.document import OPTIONS, Fields, Value
from proxy.core.errors import BadRequest, Reason

MAX_DEPTH = 24
"""Documents nested deeper travel as BSON, for protobuf's parsers give up at 100 nested messages."""

_FLAGS = {"i": re.I, "l": re.L, "m": re.M, "s": re.S, "u": re.U, "x": re.X}


class TooDeep(Exception):
    """A value is nested deeper than protobuf can carry."""


def read_value(message: pb.Value) -> Value:
    """The BSON value of a message. Raises BadRequest naming the field below it."""
    kind = message.WhichOneof("kind")
    if kind is None:
        raise _unknown_kind()
    return _READERS[kind](message)


def read_fields(fields: Iterable[pb.Field]) -> Fields:
    """The fields in order. Raises BadRequest for duplicate names and names that BSON cannot hold."""
    found: Fields = {}
    readers = _READERS
    try:
        for field in fields:
            name = field.name
            if name in found or "\0" in name:
                _refuse_name(name)
            value = field.value
            kind = value.WhichOneof("kind")
            found[name] = readers[kind](value)
    except KeyError:
        raise within(f"fields[{len(found)}].value", _unknown_kind()) from None
    except BadRequest as error:
        step = "" if error.field == "name" else ".value"
        raise within(f"fields[{len(found)}]{step}", error)  # noqa: B904 - it is the same error
    return found


def read_values(values: Iterable[pb.Value]) -> list[Value]:
    """The values in order; a fault's path begins with its index: `[2]`."""
    found: list[Value] = []
    try:
        for message in values:
            kind = message.WhichOneof("kind")
            found.append(_READERS[kind](message))
    except KeyError:
        raise within(f"[{len(found)}]", _unknown_kind()) from None
    except BadRequest as error:
        raise within(f"[{len(found)}]", error)  # noqa: B904 - it is the same error
    return found


def write_fields(add: Callable[[], pb.Field], fields: Mapping[str, Value], depth: int = 0) -> None:
    """Append the fields to a repeated field, given its `add`. Raises TooDeep beyond 24 levels."""
    writers = _WRITERS
    for name, value in fields.items():
        field = add()
        field.name = name
        writers[type(value)](field.value, value, depth)


def write_value(target: pb.Value, value: Value, depth: int = 0) -> None:
    """Fill a message with a BSON value. Raises TooDeep beyond 24 levels."""
    _WRITERS[type(value)](target, value, depth)


def _unknown_kind() -> BadRequest:
    return fault("the value has no kind that this server knows", Reason.INVALID_FIELD)


def _refuse_name(name: str) -> NoReturn:
    if "\0" in name:
        raise fault("a field's name may not contain U+0000", Reason.INVALID_FIELD, "name")
    raise fault(f"the field {name!r} occurs twice in one document", Reason.INVALID_FIELD, "name")


# Reading: one function a kind.


def _read_object_id(message: pb.Value) -> ObjectId:
    if len(message.object_id_value) != 12:
        raise fault("an ObjectId has exactly 12 bytes", Reason.INVALID_FIELD, "object_id_value")
    return ObjectId(message.object_id_value)


def _read_uuid(message: pb.Value) -> Binary:
    if len(message.uuid_value) != 16:
        raise fault("a UUID has exactly 16 bytes", Reason.INVALID_FIELD, "uuid_value")
    return Binary(message.uuid_value, 4)


def _read_decimal(message: pb.Value) -> Decimal128:
    try:
        return Decimal128(message.decimal_value)
    except (DecimalException, ValueError, TypeError):
        text = "not a decimal that 128 bits can hold exactly"
        raise fault(text, Reason.INVALID_FIELD, "decimal_value") from None


def _read_binary(message: pb.Value) -> bytes:
    binary = message.binary_value
    if binary.subtype > 255:
        raise fault("a binary subtype is 0 to 255", Reason.INVALID_FIELD, "binary_value.subtype")
    return Binary(binary.data, binary.subtype) if binary.subtype else binary.data


def _read_regex(message: pb.Value) -> Regex[str]:
    pattern, options = message.regex_value.pattern, message.regex_value.options
    if "\0" in pattern:
        raise fault("a pattern may not contain U+0000", Reason.INVALID_FIELD, "regex_value.pattern")
    if list(options) != sorted(set(options) & _FLAGS.keys()):
        text = "options are letters of ilmsux, in alphabetical order, each once"
        raise fault(text, Reason.INVALID_FIELD, "regex_value.options")
    return Regex(pattern, sum(_FLAGS[option] for option in options))


def _read_timestamp(message: pb.Value) -> Timestamp:
    return Timestamp(message.timestamp_value.seconds, message.timestamp_value.increment)


def _read_bson(message: pb.Value) -> Value:
    try:
        holder = bson.decode(message.bson_value, OPTIONS)
        is_faithful = list(holder) == [""] and bson.encode(holder) == message.bson_value
    except (bson.errors.BSONError, RecursionError):
        is_faithful = False
    if not is_faithful:
        text = 'not the BSON bytes of {"": value}, or of a type that only Document.bson can carry'
        raise fault(text, Reason.INVALID_FIELD, "bson_value")
    return holder[""]


def _read_map(message: pb.Value) -> Fields:
    try:
        return read_fields(message.map_value.fields)
    except BadRequest as error:
        raise within("map_value", error)  # noqa: B904 - it is the same error


def _read_list(message: pb.Value) -> list[Value]:
    try:
        return read_values(message.list_value.values)
    except BadRequest as error:
        raise within("list_value.values", error)  # noqa: B904 - it is the same error


_READERS: dict[str, Callable[[pb.Value], Value]] = {
    "null_value": lambda message: None,
    "bool_value": lambda message: message.bool_value,
    "int32_value": lambda message: message.int32_value,
    "int64_value": lambda message: Int64(message.int64_value),
    "double_value": lambda message: message.double_value,
    "string_value": lambda message: message.string_value,
    "date_ms_value": lambda message: DatetimeMS(message.date_ms_value),
    "object_id_value": _read_object_id,
    "map_value": _read_map,
    "list_value": _read_list,
    "bytes_value": lambda message: message.bytes_value,
    "uuid_value": _read_uuid,
    "decimal_value": _read_decimal,
    "binary_value": _read_binary,
    "regex_value": _read_regex,
    "timestamp_value": _read_timestamp,
    "bson_value": _read_bson,
}


# Writing: one function a Python type.


def _write_null(target: pb.Value, value: None, depth: int) -> None:
    target.null_value = 0  # type: ignore[assignment]


def _write_bool(target: pb.Value, value: bool, depth: int) -> None:
    target.bool_value = value


def _write_int(target: pb.Value, value: int, depth: int) -> None:
    if -0x80000000 <= value <= 0x7FFFFFFF:
        target.int32_value = value
    else:
        target.int64_value = value


def _write_int64(target: pb.Value, value: Int64, depth: int) -> None:
    target.int64_value = value


def _write_double(target: pb.Value, value: float, depth: int) -> None:
    target.double_value = value


def _write_string(target: pb.Value, value: str, depth: int) -> None:
    target.string_value = value


def _write_date(target: pb.Value, value: DatetimeMS, depth: int) -> None:
    target.date_ms_value = int(value)


def _write_object_id(target: pb.Value, value: ObjectId, depth: int) -> None:
    target.object_id_value = value.binary


def _write_bytes(target: pb.Value, value: bytes, depth: int) -> None:
    target.bytes_value = value


def _write_binary(target: pb.Value, value: Binary, depth: int) -> None:
    if value.subtype == 4 and len(value) == 16:
        target.uuid_value = bytes(value)
    elif value.subtype == 0:
        target.bytes_value = bytes(value)
    else:
        target.binary_value.data = bytes(value)
        target.binary_value.subtype = value.subtype


def _write_decimal(target: pb.Value, value: Decimal128, depth: int) -> None:
    text = str(value)
    if Decimal128(text).bid == value.bid:
        target.decimal_value = text
    else:
        _write_bson(target, value, depth)


def _write_regex(target: pb.Value, value: Regex[Any], depth: int) -> None:
    if not isinstance(value.pattern, str):
        _write_bson(target, value, depth)
        return
    target.regex_value.pattern = value.pattern
    target.regex_value.options = "".join(o for o, flag in _FLAGS.items() if value.flags & flag)


def _write_timestamp(target: pb.Value, value: Timestamp, depth: int) -> None:
    target.timestamp_value.SetInParent()
    target.timestamp_value.seconds = value.time
    target.timestamp_value.increment = value.inc


def _write_bson(target: pb.Value, value: Value, depth: int) -> None:
    target.bson_value = bson.encode({"": value}, codec_options=OPTIONS)


def _write_map(target: pb.Value, value: Mapping[str, Value], depth: int) -> None:
    if depth == MAX_DEPTH:
        raise TooDeep
    target.map_value.SetInParent()
    write_fields(target.map_value.fields.add, value, depth + 1)


def _write_reference(target: pb.Value, value: DBRef, depth: int) -> None:
    _write_map(target, value.as_doc(), depth)


def _write_list(target: pb.Value, value: list[Value], depth: int) -> None:
    if depth == MAX_DEPTH:
        raise TooDeep
    target.list_value.SetInParent()
    add, writers = target.list_value.values.add, _WRITERS
    for element in value:
        writers[type(element)](add(), element, depth + 1)


_WRITERS: dict[type, Callable[[pb.Value, Any, int], None]] = {
    type(None): _write_null,
    bool: _write_bool,
    int: _write_int,
    Int64: _write_int64,
    float: _write_double,
    str: _write_string,
    DatetimeMS: _write_date,
    ObjectId: _write_object_id,
    dict: _write_map,
    list: _write_list,
    bytes: _write_bytes,
    Binary: _write_binary,
    Decimal128: _write_decimal,
    Regex: _write_regex,
    Timestamp: _write_timestamp,
    Code: _write_bson,
    MinKey: _write_bson,
    MaxKey: _write_bson,
    DBRef: _write_reference,
}
