"""Every BSON value becomes a natural DynamoDB attribute value and a hint that leads back to it, to the byte.

A hint is None where the plain inverse already gives the value back (most strings, numbers, bools, lists).
Hints mirror the document as JSON: a short string for a scalar; a map of hints for a map, whose key `""` is
the field order; for a list a map by element number, whose key `"*"` is the default and where `""` says none.
A hint that does not fit its value, because somebody edited the item, is ignored.
"""

from __future__ import annotations

import re
import struct
from binascii import b2a_base64
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

Attribute: TypeAlias = dict[str, Any]
"""One attribute value in DynamoDB's JSON: `{"S": "text"}`, `{"N": "1"}`, `{"B": "<base64>"}` ..."""

Item: TypeAlias = dict[str, Attribute]

Hint: TypeAlias = Any
"""None, a short string, or a map of hints: what JSON can hold."""

DEEPEST = 31
"""So many levels of maps and lists fit under an attribute; what is deeper is kept as BSON (measured)."""

INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
DOUBLE = struct.Struct(">d")
REGEX_FLAGS = {"i": re.I, "l": re.L, "m": re.M, "s": re.S, "u": re.U, "x": re.X}


def to_base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def escape_blank(name: str) -> str:
    """DynamoDB takes no empty names, so `""`, `"_"`, `"__"`... get one underscore more, no others do."""
    return name if name.strip("_") else name + "_"


def unescape_blank(name: str) -> str:
    """The inverse of `escape_blank`."""
    return name if name.strip("_") else name[:-1]
