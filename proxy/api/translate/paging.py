"""Pages of the operators' lists: their sizes, and tokens that say where to go on."""

from __future__ import annotations

import base64
import json
from typing import Protocol

from proxy.api.translate.fault import fault
from proxy.api.translate.targets import read_size
from proxy.core.errors import Reason

PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class PageOfList(Protocol):
    """A request for one page of a list."""

    page_size: int
    page_token: str


def read_page(request: PageOfList) -> tuple[int, str]:
    """The page's size, and what its token holds. Raises BadRequest for a token of something else."""
    size = read_size(request.page_size, "page_size") or PAGE_SIZE
    return min(size, MAX_PAGE_SIZE), _unseal(request.page_token)


def seal(text: str) -> str:
    """A token that holds a text."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


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


def _unseal(token: str) -> str:
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return data.decode()
    except ValueError as error:
        raise _bad_token() from error


def _bad_token() -> Exception:
    return fault("this is no page token of this list", Reason.INVALID_PAGE_TOKEN, "page_token")
