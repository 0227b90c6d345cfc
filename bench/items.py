"""Documents as DynamoDB items, as an application would write them: one plain function, no types kept."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bson import Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from bench.documents import key_of
from proxy.core.document import Fields

Item = dict[str, dict[str, Any]]


def item_of(document: Fields) -> Item:
    """For boto3, which encodes bytes itself."""
    return {name: _attribute(value, bytes) for name, value in document.items()}


def json_item_of(document: Fields) -> Item:
    """For the wire, where bytes are base64."""
    return {name: _attribute(value, _base64) for name, value in document.items()}


def item_key(number: int) -> Item:
    return item_of(key_of(number))


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def _attribute(value: Any, binary: Callable[[bytes], Any]) -> dict[str, Any]:
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is bool:
        return {"BOOL": value}
    if kind in (int, float, Int64):
        return {"N": str(value)}
    if kind is bytes:
        return {"B": binary(value)}
    if kind is dict:
        return {"M": {name: _attribute(inner, binary) for name, inner in value.items()}}
    if kind is list:
        return {"L": [_attribute(inner, binary) for inner in value]}
    return {"NULL": True} if value is None else {"S": _text(value)}


def _text(value: datetime | DatetimeMS | ObjectId) -> str:
    if isinstance(value, DatetimeMS):
        value = value.as_datetime()
    return value.isoformat() if isinstance(value, datetime) else str(value)
