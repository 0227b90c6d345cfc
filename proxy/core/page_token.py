"""A page token says where a query goes on; it outlives a change of primary, and nobody else can make one.

A token is a version byte, the position as BSON, and a truncated HMAC-SHA256 over both and the query that they
belong to: collection, filter, serving index and direction. So a token is of use only for the query it was
given for, as it is still served, and only to replicas that share the secret. It knows of no store.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import bson

from proxy.core.document import OPTIONS, Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import And, Compare, Contains, Exists, Filter, In, Not, Or, Prefix
from proxy.core.keys import Key
from proxy.core.query import Plan, Position

_VERSION = b"\x01"
_TAG_BYTES = 16


def encode_token(secret: bytes, collection: str, plan: Plan, position: Position) -> str:
    """The token to go on after `position`; URL-safe text. Replicas share the secret."""
    body = _VERSION + bson.encode({"s": list(position.sort_values), "k": list(position.key.values)})
    return base64.urlsafe_b64encode(body + _tag(secret, body, collection, plan)).decode().rstrip("=")


def decode_token(secret: bytes, collection: str, plan: Plan, token: str) -> Position:
    """Where a token goes on. Raises BadRequest (INVALID_PAGE_TOKEN) unless it was given for this query."""
    data = _bytes_of(token)
    body, tag = data[:-_TAG_BYTES], data[-_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(secret, body, collection, plan)) or body[:1] != _VERSION:
        raise _invalid()
    fields = bson.decode(body[1:], OPTIONS)
    return Position(tuple(fields["s"]), Key(tuple(fields["k"])))


def _bytes_of(token: str) -> bytes:
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise _invalid() from error
    return data


def _invalid() -> BadRequest:
    message = "the page token is damaged, or of another collection, filter or order"
    return BadRequest(message, Reason.INVALID_PAGE_TOKEN, field="page_token")


def _tag(secret: bytes, body: bytes, collection: str, plan: Plan) -> bytes:
    index = plan.index.name if plan.index else None
    query = [collection, index, plan.ascending, _shape(plan.filter)]
    described = hashlib.sha256(bson.encode({"query": query})).digest()
    return hmac.new(secret, described + body, hashlib.sha256).digest()[:_TAG_BYTES]


def _shape(filter: Filter) -> list[Value]:
    """A filter as a BSON value, different for different filters."""
    match filter:
        case And(filters) | Or(filters):
            return [type(filter).__name__, *map(_shape, filters)]
        case Not(inner):
            return ["Not", _shape(inner)]
        case Compare(path, comparator, value):
            return ["Compare", path, comparator.value, value]
        case In(path, values):
            return ["In", path, *values]
        case Prefix(path, text):
            return ["Prefix", path, text]
        case Exists(path, exists):
            return ["Exists", path, exists]
        case Contains(path, value):
            return ["Contains", path, value]
