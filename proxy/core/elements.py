"""A BSON document's top-level elements as byte ranges: to strip, add and rename fields without decoding.

Invariant: bytes of an element that is not touched are never changed, whatever it holds (duplicate
names, invalid UTF-8, deprecated types). Source: bsonspec.org, version 1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from proxy.core.errors import Broken

_INT32 = struct.Struct("<i")

_FIXED = {
    0x01: 8,  # double
    0x06: 0,  # undefined
    0x07: 12,  # ObjectId
    0x08: 1,  # bool
    0x09: 8,  # date
    0x0A: 0,  # null
    0x10: 4,  # int32
    0x11: 8,  # timestamp
    0x12: 8,  # int64
    0x13: 16,  # decimal128
    0x7F: 0,  # max key
    0xFF: 0,  # min key
}
_LENGTH_PREFIXED = {  # what the int32 at the front of the value does not count
    0x02: 4,  # string
    0x03: 0,  # document
    0x04: 0,  # array
    0x05: 5,  # binary
    0x0C: 16,  # dbpointer
    0x0D: 4,  # code
    0x0E: 4,  # symbol
    0x0F: 0,  # code with scope
}


class Element(NamedTuple):
    """One top-level element: its name, and where it starts (at its type), its value, and its end."""

    name: bytes
    start: int
    value: int
    end: int


def elements(data: bytes) -> Iterator[Element]:
    """The top-level elements in stored order. Raises Broken when the bytes are not BSON."""
    at, last = 4, len(data) - 1
    while at < last:
        name_end = data.index(b"\0", at + 1)
        end = _end_of_value(data, data[at], name_end + 1)
        if end <= name_end:
            raise Broken("a stored value has a negative length")
        yield Element(data[at + 1 : name_end], at, name_end + 1, end)
        at = end


def join(parts: list[bytes]) -> bytes:
    """A document of the given elements, each as its whole bytes."""
    body = b"".join(parts)
    return _INT32.pack(len(body) + 5) + body + b"\0"


def append(data: bytes, name: bytes, embedded: bytes) -> bytes:
    """The document with one more element at its end: an embedded document."""
    size = len(data) + len(name) + len(embedded) + 2
    return b"".join((_INT32.pack(size), data[4:-1], b"\x03", name, b"\0", embedded, b"\0"))


def _end_of_value(data: bytes, kind: int, start: int) -> int:
    if kind in _FIXED:
        return start + _FIXED[kind]
    if kind in _LENGTH_PREFIXED:
        length: int = _INT32.unpack_from(data, start)[0]
        return start + length + _LENGTH_PREFIXED[kind]
    if kind == 0x0B:  # regex: pattern and options, each ended by NUL
        return data.index(b"\0", data.index(b"\0", start) + 1) + 1
    raise Broken(f"a stored value is of the unknown BSON type 0x{kind:02x}")
