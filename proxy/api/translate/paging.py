"""Pages of the operators' lists: their sizes, and tokens that say where to go on.

Invariant: a token is good for the list and the conditions that it was given for, and nobody makes one but a
replica that has the secret.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TypeAlias

from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate.fault import fault
from proxy.api.translate.targets import read_size
from proxy.core.errors import Reason

PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


_TAG_BYTES = 16

PageOfList: TypeAlias = (
    pb.ListCollectionsRequest
    | pb.ListAuditEntriesRequest
    | pb.ListDivergencesRequest
    | pb.ListReplicasRequest
    | pb.RepairRequest
)
"""A request for one page of a list."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Reads and makes the tokens of all lists; `secret` is the same in all replicas."""

    secret: bytes

    def read(self, request: PageOfList) -> tuple[int, str]:
        """The page's size, and what its token holds ("" without one). Raises BadRequest for a token that was
        not given for this list and these conditions."""
        size = read_size(request.page_size, "page_size") or PAGE_SIZE
        return min(size, MAX_PAGE_SIZE), self._open(request) if request.page_token else ""

    def seal(self, request: PageOfList, text: str) -> str:
        """A token that holds a text, for the next page of the same list."""
        body = text.encode()
        return base64.urlsafe_b64encode(body + self._tag(request, body)).decode().rstrip("=")

    def _open(self, request: PageOfList) -> str:
        token = request.page_token
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise _bad_token() from error
        body, tag = data[:-_TAG_BYTES], data[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(request, body)):
            raise _bad_token()
        return body.decode()

    def _tag(self, request: PageOfList, body: bytes) -> bytes:
        asked = copy.copy(request)
        for name in ("page_size", "page_token"):
            asked.ClearField(name)
        conditions = asked.SerializeToString(deterministic=True)
        told = f"{asked.DESCRIPTOR.full_name} {len(conditions)} ".encode() + conditions + body
        return hmac.new(self.secret, told, hashlib.sha256).digest()[:_TAG_BYTES]


def row_of(text: str) -> tuple[int, str]:
    """The time and id that a token holds."""
    row = _load_pair(text)
    if not isinstance(row[0], int) or not isinstance(row[1], str):
        raise _bad_token()
    return row[0], row[1]


def place_of(text: str) -> tuple[int, int]:
    """The time, and the number of entries of that time that were told, that a token holds."""
    place = _load_pair(text)
    if not isinstance(place[0], int) or not isinstance(place[1], int) or not 0 <= place[1] <= _MOST_TOLD:
        raise _bad_token()
    return place[0], place[1]


_MOST_TOLD = 10_000


def _load_pair(text: str) -> tuple[object, object]:
    try:
        first, second = json.loads(text)
    except (ValueError, TypeError) as error:
        raise _bad_token() from error
    return first, second


def _bad_token() -> Exception:
    return fault("this is no page token of this list", Reason.INVALID_PAGE_TOKEN, "page_token")
