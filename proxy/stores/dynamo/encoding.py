"""BSON values to DynamoDB attribute values and hints; what both mean is in `values`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

import bson
import orjson
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from proxy.core.document import OPTIONS, Value
from proxy.stores.dynamo.order import order_of
from proxy.stores.dynamo.values import (
    DEEPEST,
    DOUBLE,
    EPOCH,
    INT64,
    MILLISECOND,
    REGEX_FLAGS,
    Attribute,
    Hint,
    Item,
    escape_blank,
    to_base64,
)

_Encoded: TypeAlias = tuple[Attribute, Hint]

_DATES = range(-62_135_596_800_000, 253_402_300_800_000)  # years 1 to 9999
_SMALLEST, _LARGEST = 1e-130, 1e126
_PLAIN_NAN = bytes.fromhex("7ff8000000000000")


def encode_value(value: Value, depth: int = 1) -> _Encoded:
    """The attribute value and its hint; `depth` is the level a map or list here would be on."""
    return (_ENCODERS.get(type(value)) or _encode_foreign)(value, depth)


def encode_fields(
    fields: Mapping[str, Value], escape: Callable[[str], str] = escape_blank, depth: int = 1
) -> tuple[Item, dict[str, Hint]]:
    """The attributes of a (sub)document by escaped name, and their hints, field order among them."""
    item: Item = {}
    hints: dict[str, Hint] = {}
    encoders = _ENCODERS
    for name, value in fields.items():
        name = escape(name)
        item[name], hint = (encoders.get(type(value)) or _encode_foreign)(value, depth)
        if hint is not None:
            hints[name] = hint
    order = order_of(item)
    if order is not None:
        hints[""] = order
    return item, hints


def _encode_int(value: int, depth: int) -> _Encoded:
    return {"N": str(value)}, None


def _encode_int64(value: Int64, depth: int) -> _Encoded:
    # Not `in INT32`: a range looks for a subclass of int one by one.
    return {"N": str(value)}, "l" if -(2**31) <= value < 2**31 else None


def _encode_double(value: float, depth: int) -> _Encoded:
    if value.is_integer():
        return _encode_integral(value)
    if _SMALLEST <= abs(value) < _LARGEST:
        return {"N": repr(value)}, None
    return {"S": _double_text(value)}, "d"


def _encode_integral(value: float) -> _Encoded:
    """Exact where an int64 could be equal, so that equal numbers are one key (see core.keytext)."""
    if not value and DOUBLE.pack(value)[0]:
        return {"N": "0"}, "-0"
    if abs(value) < _LARGEST:
        exact = int(value)
        return {"N": str(exact) if exact in INT64 else repr(value)}, "d"
    return {"S": repr(value)}, "d"


def _double_text(value: float) -> str:
    if value == value:
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))
    bits = DOUBLE.pack(value)
    return "NaN" if bits == _PLAIN_NAN else f"NaN:{bits.hex()}"


def _encode_decimal128(value: Decimal128, depth: int) -> _Encoded:
    number = value.to_decimal()
    if Decimal128(str(number)).bid != value.bid:
        return _encode_opaque(value)  # one of the encodings that mean the same number
    if not number.is_finite() or (not number and number.is_signed()):
        return {"S": str(number)}, "m"
    exponent = number.as_tuple().exponent
    if not number:
        return {"N": "0"}, f"m{exponent}"
    if -130 <= number.adjusted() <= 125:
        return {"N": str(number)}, f"m{exponent}"
    return {"S": str(number)}, "m"


def _encode_date(value: DatetimeMS, depth: int) -> _Encoded:
    milliseconds = int(value)
    if milliseconds in _DATES:
        text = (EPOCH + milliseconds * MILLISECOND).isoformat(timespec="milliseconds")
        return {"S": text[:23] + "Z"}, "t"
    return {"N": str(milliseconds)}, "t"


def _encode_binary(value: Binary, depth: int) -> _Encoded:
    if value.subtype == 0:
        return {"B": to_base64(value)}, None
    if value.subtype == 4 and len(value) == 16:
        return {"S": str(UUID(bytes=bytes(value)))}, "u"
    return {"B": to_base64(value)}, f"b{value.subtype:x}"


def _encode_regex(value: Regex[Any], depth: int) -> _Encoded:
    if not isinstance(value.pattern, str):
        return _encode_foreign(value, depth)
    flags = "".join(letter for letter, flag in REGEX_FLAGS.items() if value.flags & flag)
    return {"S": f"/{value.pattern}/{flags}"}, "r"


def _encode_code(value: Code, depth: int) -> _Encoded:
    return ({"S": str(value)}, "c") if value.scope is None else _encode_opaque(value)


def _encode_map(value: Mapping[str, Value], depth: int) -> _Encoded:
    if depth > DEEPEST:
        return _encode_opaque(value)
    item, hints = encode_fields(value, depth=depth + 1)
    return {"M": item}, hints or None


def _encode_list(value: list[Value], depth: int) -> _Encoded:
    if depth > DEEPEST:
        return _encode_opaque(value)
    encoded = [encode_value(element, depth + 1) for element in value]
    return {"L": [attribute for attribute, _ in encoded]}, _list_hint([hint for _, hint in encoded])


def _list_hint(hints: list[Hint]) -> Hint:
    if not any(hints):
        return None
    usual = _most_common(hints)
    by_number = {str(n): hint or "" for n, hint in enumerate(hints) if hint != usual}
    return {"*": usual, **by_number} if usual else by_number


def _most_common(hints: list[Hint]) -> Hint:
    if all(hint == hints[0] for hint in hints):
        return hints[0]
    texts = Counter(orjson.dumps(hint, option=orjson.OPT_SORT_KEYS) for hint in hints)
    return orjson.loads(texts.most_common(1)[0][0])


def _encode_opaque(value: Value) -> _Encoded:
    return {"B": to_base64(bson.encode({"": value}, codec_options=OPTIONS))}, "x"


def _encode_foreign(value: Value, depth: int) -> _Encoded:
    """Subclasses and whatever else bson knows to encode, by way of the plain type that it reads back."""
    if isinstance(value, DBRef):
        return _encode_map(value.as_doc(), depth)
    plain = bson.decode(bson.encode({"": value}, codec_options=OPTIONS), OPTIONS)[""]
    return _ENCODERS.get(type(plain), _encode_last_resort)(plain, depth)


def _encode_last_resort(value: Value, depth: int) -> _Encoded:
    return _encode_foreign(value, depth) if isinstance(value, DBRef) else _encode_opaque(value)


_ENCODERS: dict[type, Callable[[Any, int], _Encoded]] = {
    str: lambda value, depth: ({"S": value}, None),
    bool: lambda value, depth: ({"BOOL": value}, None),
    type(None): lambda value, depth: ({"NULL": True}, None),
    bytes: lambda value, depth: ({"B": to_base64(value)}, None),
    ObjectId: lambda value, depth: ({"S": str(value)}, "o"),
    Timestamp: lambda value, depth: ({"N": str(value.time << 32 | value.inc)}, "s"),
    MinKey: lambda value, depth: ({"S": "MinKey"}, "k"),
    MaxKey: lambda value, depth: ({"S": "MaxKey"}, "k"),
    int: _encode_int,
    Int64: _encode_int64,
    float: _encode_double,
    Decimal128: _encode_decimal128,
    DatetimeMS: _encode_date,
    Binary: _encode_binary,
    Regex: _encode_regex,
    Code: _encode_code,
    dict: _encode_map,
    list: _encode_list,
}
