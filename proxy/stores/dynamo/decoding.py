"""DynamoDB attribute values and hints back to BSON values; what both mean is in `values`."""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import bson
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from proxy.core.document import OPTIONS, Value
from proxy.stores.dynamo.order import reorder
from proxy.stores.dynamo.values import (
    DOUBLE,
    EPOCH,
    INT32,
    INT64,
    MILLISECOND,
    REGEX_FLAGS,
    Attribute,
    Hint,
    Item,
    unescape_blank,
)

_WIDE = Context(prec=60, Emin=-9999, Emax=9999, traps=[InvalidOperation])
_REGEX = re.compile(r"/(.*)/([ilmsux]*)", re.S)


def decode_fields(
    item: Item, hints: Mapping[str, Hint], unescape: Callable[[str], str] = unescape_blank
) -> dict[str, Value]:
    """The inverse of `encode_fields`."""
    return {
        unescape(name): decode_value(item[name], hints.get(name)) for name in reorder(item, hints.get(""))
    }


def decode_value(attribute: Attribute, hint: Hint = None) -> Value:
    """The inverse of `encode_value`."""
    kind, content = next(iter(attribute.items()))
    if kind == "M":
        return decode_fields(content, hint if type(hint) is dict else {})
    if kind == "L":
        return _decode_list(content, hint if type(hint) is dict else {})
    if hint and type(hint) is str:
        try:
            return _HINTED[kind + hint[0]](content, hint[1:])
        except (KeyError, ValueError, ArithmeticError, BSONError):
            pass  # the item was edited: what it now says counts
    return _PLAIN[kind](content)


def _decode_list(elements: list[Attribute], hints: Mapping[str, Hint]) -> list[Value]:
    if not hints:
        return [decode_value(element) for element in elements]
    usual = hints.get("*")
    return [decode_value(element, hints.get(str(n), usual)) for n, element in enumerate(elements)]


def _decode_number(text: str) -> Value:
    """The plain reading: int32 or int64 if integral, else double, and Decimal128 only to keep all digits."""
    try:
        number = int(text)
    except ValueError:
        return _decode_fraction(text)
    if number in INT32:
        return number
    return Int64(number) if number in INT64 else _decode_fraction(text)


def _decode_fraction(text: str) -> Value:
    double = float(text)
    if len(text) < 18 or Decimal(repr(double)) == Decimal(text):
        return double
    try:
        return Decimal128(Decimal(text))
    except ArithmeticError:
        return double


def _decode_decimal128(text: str, exponent: str) -> Decimal128:
    number = _WIDE.quantize(Decimal(text), Decimal((0, (1,), int(exponent))))
    if number != Decimal(text):
        raise ValueError(f"{text} has more digits than its hint says")
    return Decimal128(number)


def _decode_double_text(text: str, _: str) -> float:
    if text.startswith("NaN:"):
        double: float = DOUBLE.unpack(bytes.fromhex(text[4:]))[0]
        return double
    return float(text)


def _decode_date(text: str, _: str) -> DatetimeMS:
    if len(text) != 24 or text[-1] != "Z":
        raise ValueError(f"{text} is no date of ours")
    return DatetimeMS((datetime.fromisoformat(text) - EPOCH) // MILLISECOND)


def _decode_int64(text: str, _: str) -> Int64:
    if int(text) not in INT64:
        raise ValueError(f"{text} is no int64")
    return Int64(text)


def _decode_regex(text: str, _: str) -> Regex[str]:
    found = _REGEX.fullmatch(text)
    if not found:
        raise ValueError(f"{text} is no regular expression of ours")
    return Regex(found[1], sum(REGEX_FLAGS[letter] for letter in set(found[2])))


def _decode_timestamp(text: str, _: str) -> Timestamp:
    return Timestamp(int(text) >> 32, int(text) & 0xFFFF_FFFF)


def _decode_negative_zero(text: str, _: str) -> float:
    if float(text):
        raise ValueError(f"{text} is not zero")
    return -0.0


def _decode_uuid(text: str, _: str) -> Binary:
    return Binary(UUID(text).bytes, 4)


def _decode_set(kind: str) -> Callable[[Iterable[Any]], list[Value]]:
    return lambda elements: [_PLAIN[kind](element) for element in elements]


_PLAIN: dict[str, Callable[[Any], Value]] = {
    "S": lambda text: text,
    "N": _decode_number,
    "BOOL": lambda value: value,
    "NULL": lambda _: None,
    "B": a2b_base64,
    # Never written by us; whoever else writes sets reads arrays.
    "SS": _decode_set("S"),
    "NS": _decode_set("N"),
    "BS": _decode_set("B"),
}

_HINTED: dict[str, Callable[[Any, str], Value]] = {
    "Nl": _decode_int64,
    "Nd": lambda text, _: float(text),
    "N-": _decode_negative_zero,
    "Nm": _decode_decimal128,
    "Nt": lambda text, _: DatetimeMS(int(_decode_int64(text, _))),
    "Ns": _decode_timestamp,
    "Sd": _decode_double_text,
    "Sm": lambda text, _: Decimal128(text),
    "St": _decode_date,
    "So": lambda text, _: ObjectId(text),
    "Su": _decode_uuid,
    "Sr": _decode_regex,
    "Sk": lambda text, _: {"MinKey": MinKey, "MaxKey": MaxKey}[text](),
    "Sc": lambda text, _: Code(text),
    "Bb": lambda text, subtype: Binary(a2b_base64(text), int(subtype, 16)),
    "Bx": lambda text, _: bson.decode(a2b_base64(text), OPTIONS)[""],
}
