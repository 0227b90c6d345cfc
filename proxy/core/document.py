"""A document is an ordered map of BSON values that reproduces its stored bytes exactly.

The value model is that of the `bson` package (docs/decisions/0001): `int` is an int32 where it fits and an
int64 otherwise, `bson.Int64` is always an int64, dates are `DatetimeMS`, a UUID is `Binary` of subtype 4.
Field order counts. Where the decoded fields cannot reproduce the bytes (duplicate names, invalid UTF-8,
deprecated types), `raw` keeps them and is authoritative; `fields` is then a best-effort view.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion

Value: TypeAlias = Any
"""One BSON value, as the module docstring describes."""

Fields: TypeAlias = dict[str, Value]

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict,
    tz_aware=False,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)
LENIENT = OPTIONS.with_options(unicode_decode_error_handler="replace")


class Document:
    """One user's document, without Crossfade's own metadata. Treated as immutable.

    `fields` maps names to values in stored order; `raw` is None, or the BSON bytes that the fields cannot
    reproduce. Two documents are equal when their BSON bytes are: the strictest comparison there is.
    """

    __slots__ = ("_bson", "fields", "raw")

    def __init__(self, fields: Fields, raw: bytes | None = None) -> None:
        self.fields = fields
        self.raw = raw
        self._bson = raw

    @classmethod
    def from_bson(cls, data: bytes) -> Document:
        """Decode BSON bytes; keeps them as `raw` when the fields do not lead back to them."""
        try:
            fields = bson.decode(data, OPTIONS)
        except bson.errors.InvalidBSON:
            return cls(bson.decode(data, LENIENT), data)
        if bson.encode(fields, codec_options=OPTIONS) != data:
            return cls(fields, data)
        return cls.exactly(fields, data)

    @classmethod
    def exactly(cls, fields: Fields, data: bytes) -> Document:
        """The fields of which it is known already that they lead back to these bytes."""
        document = cls(fields)
        document._bson = data
        return document

    def to_bson(self) -> bytes:
        """The document's BSON bytes, encoded once."""
        if self._bson is None:
            self._bson = bson.encode(self.fields, codec_options=OPTIONS)
        return self._bson

    def get(self, path: str) -> Value:
        """The value at a dotted path through embedded documents, or None; arrays are not entered."""
        value: Value = self.fields
        for name in path.split("."):
            if not isinstance(value, Mapping):
                return None
            value = value.get(name)
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self.to_bson() == other.to_bson()

    def __hash__(self) -> int:
        return hash(self.to_bson())

    def __repr__(self) -> str:
        return f"Document({self.fields!r})"
