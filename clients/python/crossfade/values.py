"""The Python values of BSON types that Python itself has no type for; each is immutable and equal
by content.

Everything else is a native value: None, bool, int (an int32 where it fits, else an int64), float,
str, bytes, decimal.Decimal, datetime.datetime (aware, UTC), uuid.UUID, list and dict.
"""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn, Self


class Int64(int):
    """An int64, also where the number would fit an int32."""

    __slots__ = ()


class Binary(bytes):
    """Binary data of a subtype other than 0 (which is plain bytes) and 4 (which is uuid.UUID)."""

    subtype: int

    def __new__(cls, data: bytes, subtype: int = 0) -> Self:
        if not 0 <= subtype <= 255:
            raise ValueError("a binary subtype is 0 to 255")
        binary = super().__new__(cls, data)
        binary.subtype = subtype
        return binary

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Binary):
            return bytes.__eq__(self, other) and self.subtype == other.subtype
        return self.subtype == 0 and bytes.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((bytes(self), self.subtype)) if self.subtype else bytes.__hash__(self)

    def __repr__(self) -> str:
        return f"Binary({bytes(self)!r}, {self.subtype})"


@dataclass(frozen=True, slots=True, order=True)
class ObjectId:
    """MongoDB's 12-byte id: `ObjectId.new()`, `ObjectId.parse("5099...")` or `ObjectId(twelve_bytes)`."""

    binary: bytes

    def __post_init__(self) -> None:
        if type(self.binary) is not bytes or len(self.binary) != 12:
            raise ValueError("an ObjectId is 12 bytes; use ObjectId.parse for its 24 hex digits")

    @classmethod
    def new(cls) -> Self:
        """An id that no one else has: seconds, five bytes of this process, a counter."""
        count = next(_COUNTER) & 0xFFFFFF
        return cls(int(time.time()).to_bytes(4, "big") + _process() + count.to_bytes(3, "big"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The id of 24 hexadecimal digits. Raises ValueError."""
        return cls(bytes.fromhex(text))

    @property
    def generation_time(self) -> datetime:
        """When the id was made, to the second."""
        return datetime.fromtimestamp(int.from_bytes(self.binary[:4], "big"), UTC)

    def __str__(self) -> str:
        return self.binary.hex()

    def __repr__(self) -> str:
        return f"ObjectId.parse({str(self)!r})"


@dataclass(frozen=True, slots=True, order=True)
class DatetimeMS:
    """A date as milliseconds since 1970 (UTC): what a date outside the years 1 to 9999 is read as."""

    milliseconds: int

    def __int__(self) -> int:
        return self.milliseconds


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression as a value, with options such as "im". For a filter use {"$regex": "^prefix"}."""

    pattern: str
    options: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """MongoDB's internal timestamp. For a time of day use datetime."""

    seconds: int
    increment: int


@dataclass(frozen=True, slots=True)
class Bson:
    """A value of any other BSON type (MinKey, MaxKey, code): the BSON bytes of {"": value}."""

    data: bytes


class Document(dict[str, Any]):
    """A document as read: a dict that also knows the `etag` of its state (None if the read did not
    tell).

    It equals any dict with the same content. Order is that of the stored document.
    """

    __slots__ = ("etag",)
    etag: str | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.etag = None


class RawDocument(Document):
    """A document that Python's values cannot reproduce exactly, with its authoritative BSON bytes
    in `bson`.

    What it shows as a dict is a best-effort view, so it cannot be changed; writing it writes
    `bson`. Take `dict(document)` to change the view, knowing that what it does not show is lost.
    """

    __slots__ = ("bson",)
    bson: bytes

    def __init__(self, bson: bytes, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bson = bson

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a RawDocument cannot be changed; change dict(document) and lose its bson")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


_COUNTER = itertools.count(int.from_bytes(os.urandom(3), "big"))
_PROCESS: dict[int, bytes] = {}


def _process() -> bytes:
    """Five random bytes, others in every process, forked ones included."""
    return _PROCESS.get(os.getpid()) or _PROCESS.setdefault(os.getpid(), os.urandom(5))
