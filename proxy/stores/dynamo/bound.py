"""An upper bound of what a document takes in DynamoDB, hints included, for a tenth of what measuring costs.

Never less than the document's attributes and hints will take; a few per cent more for most. What it cannot
bound (rare types, very deep documents) it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.timestamp import Timestamp

from proxy.core.document import Document, Value
from proxy.stores.dynamo.values import DEEPEST

_HINT = 6  # bytes of a scalar's, in quotes; those of decimals have an exponent
_CONTAINER = 3 + 2 + 8  # itself, the braces of its hints, and the key of its order or default
_IN_JSON = 4  # quotes, colon and comma around a name in the hints
_PLACE = 7  # of a field in the order, or of an element in the hints: digits and a comma
_WIDEST = 6  # bytes that JSON may make of one of a name's
_NO_HINT = frozenset((str, bool, type(None), int, bytes))
"""Types whose values lead back to themselves."""


class Unbounded(Exception):
    """The document holds something that has to be encoded to know its size."""


def most_bytes(document: Document) -> int | None:
    """So many bytes at most, besides metadata, synthetic keys and entries in indexes; None where that is
    not known."""
    try:
        return _fields(document.fields, 1) + len(document.raw or b"")
    except Unbounded:
        return None


def _fields(fields: Mapping[str, Value], depth: int) -> int:
    total = _CONTAINER + (len(fields) if len(fields) <= 62 else _PLACE * len(fields))  # the order
    for name, value in fields.items():
        kind = type(value)
        bare, hinted = _NAMES.get(name) or _name(name)
        total += (bare if kind in _NO_HINT else hinted) + (_BOUNDS.get(kind) or _unbounded)(value, depth)
    return total


def _name(name: str) -> tuple[int, int]:
    """What the name takes in the item, and in the item and the hints. DynamoDB counts a byte for each
    element, and escaping takes another."""
    is_plain = name.isidentifier() and name[0] != "_"
    length = len(name.encode()) + (not is_plain)
    found = length + 1, length + 1 + length * (1 if is_plain else _WIDEST) + _IN_JSON
    if len(_NAMES) < _KNOWN and length < 100:
        _NAMES[name] = found
    return found


_KNOWN = 4096
_NAMES: dict[str, tuple[int, int]] = {}
"""Documents of a collection share their names."""


def _string(value: str, depth: int) -> int:
    return len(value) if value.isascii() else len(value.encode())


def _binary(value: bytes, depth: int) -> int:
    return max(len(value), 36) + _HINT  # a UUID is text


def _map(value: Mapping[str, Value], depth: int) -> int:
    if depth > DEEPEST:
        raise Unbounded
    return _fields(value, depth + 1)


def _list(value: list[Value], depth: int) -> int:
    if depth > DEEPEST:
        raise Unbounded
    bounds, inner = _BOUNDS, depth + 1
    total = _CONTAINER + len(value)
    if not _NO_HINT.issuperset(map(type, value)):  # then each may be told apart from the usual one
        total += (_IN_JSON + _PLACE) * len(value)
    return total + sum([(bounds.get(type(element)) or _unbounded)(element, inner) for element in value])


def _unbounded(value: Value, depth: int) -> int:
    raise Unbounded


_BOUNDS: dict[type, Callable[[Any, int], int]] = {
    str: _string,
    bool: lambda value, depth: 1,
    type(None): lambda value, depth: 1,
    int: lambda value, depth: 12,
    Int64: lambda value, depth: 12 + _HINT,
    float: lambda value, depth: 24 + _HINT,
    DatetimeMS: lambda value, depth: 24 + _HINT,
    ObjectId: lambda value, depth: 24 + _HINT,
    Timestamp: lambda value, depth: 12 + _HINT,
    Decimal128: lambda value, depth: 45 + 6 + _HINT,
    bytes: _binary,
    Binary: _binary,
    dict: _map,
    list: _list,
}
