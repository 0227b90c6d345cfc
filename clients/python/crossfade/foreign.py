"""Accepts the values of PyMongo's `bson` package, so that code which still makes them can write
them.

Nothing of that package is imported: its values are recognised by the names of their types.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from typing import Any

from crossfade.values import Binary, Bson, DatetimeMS, Int64, ObjectId, Regex, Timestamp

_MIN_KEY = Bson(b"\x07\x00\x00\x00\xff\x00\x00")
_MAX_KEY = Bson(b"\x07\x00\x00\x00\x7f\x00\x00")


def _regex(value: Any) -> Regex:
    flags = {"i": re.I, "l": re.L, "m": re.M, "s": re.S, "u": re.U, "x": re.X}
    if not isinstance(value.pattern, str):
        raise TypeError("a regular expression of bytes cannot be stored")
    return Regex(value.pattern, "".join(letter for letter, flag in flags.items() if value.flags & flag))


def _code(value: Any) -> Bson:
    if value.scope is not None:
        raise TypeError("JavaScript code with a scope can only be written as a RawDocument")
    text = str(value).encode() + b"\0"
    body = b"\x0d\x00" + len(text).to_bytes(4, "little") + text + b"\0"
    return Bson((len(body) + 4).to_bytes(4, "little") + body)


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "ObjectId": lambda value: ObjectId(value.binary),
    "Int64": Int64,
    "Decimal128": lambda value: decimal.Decimal(str(value)),
    "Binary": lambda value: Binary(bytes(value), value.subtype),
    "DatetimeMS": lambda value: DatetimeMS(int(value)),
    "Regex": _regex,
    "Timestamp": lambda value: Timestamp(value.time, value.inc),
    "MinKey": lambda value: _MIN_KEY,
    "MaxKey": lambda value: _MAX_KEY,
    "Code": _code,
    "SON": dict,
}


def native_from_bson(value: Any) -> Any:
    """The value of this package for one of `bson`'s. Raises TypeError if there is none (DBRef)."""
    convert = _CONVERSIONS.get(type(value).__name__)
    if convert is None:
        raise TypeError(f"a document cannot hold a bson.{type(value).__name__}")
    return convert(value)
