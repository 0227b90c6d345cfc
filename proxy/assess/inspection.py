"""One document's bytes are read without ever failing, and everything about them that DynamoDB lacks is named.

What decodes and encodes back to the same bytes needs no look at the bytes; only the others are walked raw.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bson
from bson.dbref import DBRef
from bson.decimal128 import Decimal128

from proxy.assess.findings import Fault
from proxy.core.document import LENIENT, Document, Fields
from proxy.core.elements import elements
from proxy.core.errors import CrossfadeError

DEEPEST = 31
"""Levels of documents and arrays below a top-level field that DynamoDB takes, itself included."""

_SMALLEST, _LARGEST = 1e-130, 1e126
_TEXTS = frozenset({0x02, 0x0D, 0x0E})
_OUTDATED = frozenset({0x06, 0x0C, 0x0E})
_DOCUMENT, _ARRAY, _REGEX = 0x03, 0x04, 0x0B
_UNREADABLE = (
    bson.errors.BSONError,
    CrossfadeError,
    struct.error,
    ValueError,
    LookupError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """The document, or None where its bytes are no BSON, and what is odd about it."""

    document: Document | None
    faults: frozenset[Fault]


def inspect(raw: bytes) -> Inspection:
    """Never raises, whatever the bytes are."""
    try:
        document = Document.from_bson(raw)
        faults = set(_of_values(document.fields))
        if document.raw is not None:
            faults |= set(_of_bytes(raw)) or {Fault.ODD_BYTES}
    except _UNREADABLE:
        return Inspection(None, frozenset({Fault.UNREADABLE}))
    return Inspection(document, frozenset(faults))


def identity(raw: bytes) -> str:
    """The `_id` of a document in words, as far as its bytes tell."""
    try:
        for name, start, _, end in elements(raw):
            if name == b"_id":
                data = raw[start:end]
                body = (len(data) + 5).to_bytes(4, "little") + data + b"\0"
                return _shown(bson.decode(body, LENIENT)["_id"])
    except _UNREADABLE:
        pass
    return "(an unreadable _id)"


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | bytes | dict) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _of_values(fields: Fields) -> Iterator[Fault]:
    """By levels, so that no depth is too deep for Python."""
    level: list[Any] = [fields]
    depth = 0
    while level:
        if depth > DEEPEST:
            yield Fault.DEEP
        inner: list[Any] = []
        for holder in level:
            if type(holder) is dict:
                if "" in holder:
                    yield Fault.EMPTY_NAME
                values: Any = holder.values()
            else:
                values = holder
            for value in values:
                kind = type(value)
                if kind is dict or kind is list:
                    inner.append(value)
                elif kind is float:
                    if not _is_in_range(value):
                        yield Fault.NUMBER_RANGE
                elif kind is Decimal128:
                    if not _is_decimal_in_range(value):
                        yield Fault.NUMBER_RANGE
                elif kind is DBRef:
                    inner.append(dict(value.as_doc()))
        level = inner
        depth += 1


def _is_in_range(value: float) -> bool:
    return value == 0 or (math.isfinite(value) and _SMALLEST <= abs(value) < _LARGEST)


def _is_decimal_in_range(value: Decimal128) -> bool:
    number = value.to_decimal()
    return number.is_finite() and (not number or -130 <= number.adjusted() <= 125)


def _of_bytes(raw: bytes) -> Iterator[Fault]:
    """What decoding would hide. Raises where the bytes are no BSON."""
    waiting = [(raw, False)]
    while waiting:
        data, is_array = waiting.pop()
        names: set[bytes] = set()
        for place, (name, start, value, end) in enumerate(elements(data)):
            if name in names:
                yield Fault.DUPLICATE_NAMES
            elif is_array and name != b"%d" % place:
                yield Fault.ODD_BYTES
            names.add(name)
            kind = data[start]
            if not _is_utf8(name) or not _is_text_utf8(kind, data[value:end]):
                yield Fault.INVALID_UTF8
            if kind in _OUTDATED:
                yield Fault.OUTDATED_TYPE
            if kind in (_DOCUMENT, _ARRAY):
                waiting.append((data[value:end], kind == _ARRAY))


def _is_text_utf8(kind: int, value: bytes) -> bool:
    if kind in _TEXTS:
        return _is_utf8(value[4:])
    return kind != _REGEX or _is_utf8(value)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
