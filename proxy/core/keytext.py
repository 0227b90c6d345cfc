"""The text of a key never collides, keeps equality and prefixes, and keeps order within a full prefix.

A part (partition or sort) of several fields joins its components by `/`. In every component but the last
`~` becomes `~0` and `/` becomes `~1`; the last is raw but for a leading `~`, which becomes `~0`. Components
that are not strings carry a tag (`~n` `~d` `~o` `~t` `~f`) that no string can begin with. So
`auth0/mycontainer` stays as it is, and within a fixed prefix the texts sort as the last component does.

A part of one field needs no tag, as its type is declared: numbers are DynamoDB numbers, dates and ObjectIds
the very texts that documents hold them by, strings raw but for a leading `~`. The empty string, which
DynamoDB refuses in a key, is a U+0000 and so stays the smallest; strings that begin with U+0000 get one more.
So one attribute has one text, be it partition key of one index and sort key of another.

Across different components before the last, the order of the texts is NOT the order of the values
(`a-b/x` < `a/x`): whoever promises that order has to sort (see `Plan.is_in_text_order`).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from proxy.core.collection import FieldType, Index, KeyField
from proxy.core.document import Value
from proxy.core.errors import BadRequest, Reason

KeyText: TypeAlias = str | int | Decimal
"""What DynamoDB holds in a key attribute: a string (S), or a number (N, written by `str`)."""

PARTITION_LIMIT = 2048
"""UTF-8 bytes of a partition key, DynamoDB's limit; of index keys too."""
SORT_LIMIT = 1024
"""UTF-8 bytes of a sort key, DynamoDB's limit; of index keys too."""

_INT64 = range(-(2**63), 2**63)
_EPOCH = datetime.datetime(1970, 1, 1)
_MILLISECOND = datetime.timedelta(milliseconds=1)


def encode_partition(index: Index, values: Sequence[Value]) -> KeyText:
    """The partition key of normalised values, one a field. Raises BadRequest (KEY_TOO_LONG)."""
    text = _encode(index.partition, values)
    return _within(text, PARTITION_LIMIT, index.partition, values)


def encode_sort(index: Index, values: Sequence[Value]) -> KeyText:
    """The sort key of normalised values, one a field. Raises BadRequest (KEY_TOO_LONG)."""
    text = _encode(index.sort, values)
    return _within(text, SORT_LIMIT, index.sort, values)


def decode_partition(index: Index, text: KeyText) -> tuple[Value, ...]:
    """The values of a partition key. Raises ValueError where no value has this text."""
    return _decode(index.partition, text)


def decode_sort(index: Index, text: KeyText) -> tuple[Value, ...]:
    """The values of a sort key. Raises ValueError where no value has this text."""
    return _decode(index.sort, text)


def join_leading(fields: Sequence[KeyField], values: Sequence[Value]) -> str:
    """What the text of a composed part begins with, given fewer values than fields: `a/b/`."""
    pairs = zip(fields, values, strict=False)
    return "".join(_component(field.type, value) + "/" for field, value in pairs)


def begin_text(fields: Sequence[KeyField], values: Sequence[Value], text: str) -> str:
    """What a sort text begins with when the string after the leading `values` begins with `text`."""
    place = len(values)
    if place < len(fields) - 1:
        return join_leading(fields, values) + _escape(text)
    if len(fields) == 1:
        return _lone_string(text) if text else ""
    return join_leading(fields, values) + _escape_first(text)


def number_text(value: int | float) -> int | Decimal:
    """A number as DynamoDB's N that keeps MongoDB's order and equality over int32, int64 and double.

    Exact where an int64 could be equal; beyond that the shortest decimal that reads back as the double.
    """
    if isinstance(value, float) and not (value.is_integer() and int(value) in _INT64):
        return Decimal(repr(value))
    return int(value)


def _encode(fields: Sequence[KeyField], values: Sequence[Value]) -> KeyText:
    if len(fields) == 1:
        return _lone(fields[0].type, values[0])
    last = fields[-1]
    tail = _escape_first(values[-1]) if last.type is FieldType.STRING else _tagged(last.type, values[-1])
    return join_leading(fields, values[:-1]) + tail


def _decode(fields: Sequence[KeyField], text: KeyText) -> tuple[Value, ...]:
    if len(fields) == 1:
        return (_read_lone(fields[0].type, text),)
    *leading, last = str(text).split("/", len(fields) - 1)
    if len(leading) != len(fields) - 1:
        raise ValueError(f"the key {text!r} has too few components")
    values = [_read_component(field.type, part) for field, part in zip(fields, leading, strict=False)]
    if fields[-1].type is FieldType.STRING:
        return (*values, _unescape_first(last))
    return (*values, _read_tagged(fields[-1].type, last))


def _within(text: KeyText, limit: int, fields: Sequence[KeyField], values: Sequence[Value]) -> KeyText:
    if isinstance(text, str) and len(text) > limit // 4 and len(text.encode()) > limit:
        longest = max(range(len(values)), key=lambda place: len(str(values[place])))
        names = "/".join(field.name for field in fields)
        message = f"the key {names} takes {len(text.encode())} bytes, and DynamoDB holds {limit}"
        raise BadRequest(message, Reason.KEY_TOO_LONG, field=fields[longest].name)
    return text


def _lone(kind: FieldType, value: Value) -> KeyText:
    if kind is FieldType.STRING:
        return _lone_string(value)
    if kind is FieldType.NUMBER:
        return number_text(value)
    if kind is FieldType.BOOL:
        return _tagged(kind, value)
    return _tagged(kind, value)[2:]


def _read_lone(kind: FieldType, text: KeyText) -> Value:
    if kind is FieldType.NUMBER:
        return _number_of(Decimal(text))
    assert isinstance(text, str)
    if kind is FieldType.STRING:
        return _read_lone_string(text)
    return _read_tagged(kind, text if kind is FieldType.BOOL else _TAGS[kind] + text)


def _lone_string(text: str) -> str:
    return "\0" + text if text[:1] in ("", "\0") else _escape_first(text)


def _read_lone_string(text: str) -> str:
    return text[1:] if text.startswith("\0") else _unescape_first(text)


def _component(kind: FieldType, value: Value) -> str:
    return _escape(value) if kind is FieldType.STRING else _tagged(kind, value)


def _read_component(kind: FieldType, text: str) -> Value:
    if kind is FieldType.STRING:
        return text.replace("~1", "/").replace("~0", "~")
    return _read_tagged(kind, text)


def _escape(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


def _escape_first(text: str) -> str:
    return "~0" + text[1:] if text.startswith("~") else text


def _unescape_first(text: str) -> str:
    return "~" + text[2:] if text.startswith("~0") else text


_TAGS = {FieldType.NUMBER: "~n", FieldType.DATE: "~d", FieldType.OBJECT_ID: "~o"}


def _tagged(kind: FieldType, value: Value) -> str:
    if kind is FieldType.BOOL:
        return "~t" if value else "~f"
    if kind is FieldType.NUMBER:
        return "~n" + _ordered_digits(Decimal(number_text(value)))
    if kind is FieldType.DATE:
        return "~d" + _iso(int(value))
    return "~o" + str(value)


def _read_tagged(kind: FieldType, text: str) -> Value:
    if kind is FieldType.BOOL:
        return {"~t": True, "~f": False}[text]
    if not text.startswith(_TAGS[kind]):
        raise ValueError(f"{text!r} is not a {kind.value}")
    body = text[2:]
    if kind is FieldType.NUMBER:
        return _number_of(_read_ordered_digits(body))
    return DatetimeMS(_milliseconds(body)) if kind is FieldType.DATE else ObjectId(body)


def _iso(milliseconds: int) -> str:
    return (_EPOCH + milliseconds * _MILLISECOND).isoformat(timespec="milliseconds") + "Z"


def _milliseconds(text: str) -> int:
    return (datetime.datetime.fromisoformat(text.removesuffix("Z")) - _EPOCH) // _MILLISECOND


def _number_of(number: Decimal) -> int | float:
    integral = number == number.to_integral_value()
    return int(number) if integral and int(number) in _INT64 else float(number)


_COMPLEMENT = str.maketrans("0123456789", "9876543210")
_BIAS = 20_000


def _ordered_digits(number: Decimal) -> str:
    """Text in the order of the numbers: sign class, biased exponent, digits; complemented below zero."""
    if not number:
        return "5"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    body = f"{number.adjusted() + _BIAS:05}{digits}"
    return "6" + body if number > 0 else "4" + body.translate(_COMPLEMENT) + "~"


def _read_ordered_digits(text: str) -> Decimal:
    if text == "5":
        return Decimal(0)
    body = text[1:] if text[0] == "6" else text[1:-1].translate(_COMPLEMENT)
    digits = tuple(map(int, body[5:]))
    exponent = int(body[:5]) - _BIAS - len(digits) + 1
    return Decimal((0 if text[0] == "6" else 1, digits, exponent))
