"""A cursor reads the documents of a query in order, a page at a time, when they are asked for."""

from __future__ import annotations

from collections import deque
from typing import Protocol, Self

from crossfade.errors import BadRequest, Reason
from crossfade.operations import ASCENDING, Filter, Sort
from crossfade.results import Page, Plan
from crossfade.values import Document


class FindPage(Protocol):
    """What reads a page: AsyncCollection.find_page."""

    async def __call__(
        self,
        filter: Filter | None,
        *,
        sort: Sort | None,
        page_size: int,
        page_token: str,
        timeout: float | None,
    ) -> Page: ...


class AsyncCursor:
    """Iterate with `async for`, or take all with `to_list`. Nothing is read before; each cursor is
    read once.

    Pages are not one snapshot, but no document that exists throughout is missed or seen twice, even
    if the primary changes in between.
    """

    def __init__(
        self,
        find_page: FindPage,
        filter: Filter | None,
        sort: Sort | None,
        limit: int,
        batch_size: int,
        timeout: float | None,
    ) -> None:
        self._find_page = find_page
        self._filter = filter
        self._sort = sort
        self._limit = _not_negative("limit", limit)
        self._batch_size = _not_negative("batch_size", batch_size)
        self._timeout = timeout
        self._ready: deque[Document] = deque()
        self._token: str | None = ""
        self._count = 0
        self.plan: Plan | None = None
        """How the latest page was served; None before the first."""

    def sort(self, sort: Sort, direction: int | None = None) -> Self:
        """Order by a field, or by several: "due", ("due", -1) or [("due", 1), ("name", 1)]."""
        self._check_unread()
        if isinstance(sort, str):
            sort = [(sort, ASCENDING if direction is None else direction)]
        elif direction is not None:
            raise BadRequest("a direction goes with one field", Reason.INVALID_ARGUMENT, field="sort")
        self._sort = sort
        return self

    def limit(self, limit: int) -> Self:
        """Read at most so many documents; 0 means all."""
        self._check_unread()
        self._limit = _not_negative("limit", limit)
        return self

    def batch_size(self, batch_size: int) -> Self:
        """Read so many documents a page; 0 leaves it to the proxy."""
        self._check_unread()
        self._batch_size = _not_negative("batch_size", batch_size)
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Document:
        await self._fill()
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()

    async def next_batch(self) -> list[Document]:
        """The documents that are at hand, after reading a page if there are none; empty at the end."""
        await self._fill()
        batch = list(self._ready)
        self._ready.clear()
        return batch

    async def to_list(self, length: int | None = None) -> list[Document]:
        """The remaining documents, or the next `length` of them."""
        documents: list[Document] = []
        while length is None or len(documents) < length:
            await self._fill()
            if not self._ready:
                break
            documents.append(self._ready.popleft())
        return documents

    async def _fill(self) -> None:
        """Read pages until there are documents at hand: a page may be empty before the end."""
        while not self._ready and self._token is not None:
            await self._read_page(self._token)

    async def _read_page(self, token: str) -> None:
        left = self._limit - self._count
        sizes = [size for size in (self._batch_size, left) if size > 0]
        page = await self._find_page(
            self._filter,
            sort=self._sort,
            page_size=min(sizes, default=0),
            page_token=token,
            timeout=self._timeout,
        )
        documents = page.documents[:left] if self._limit else page.documents
        self._ready.extend(documents)
        self._count += len(documents)
        is_last = not page.next_page_token or self._count == self._limit
        self._token = None if is_last else page.next_page_token
        self.plan = page.plan

    def _check_unread(self) -> None:
        if self._token != "":
            raise BadRequest("the cursor has been read from already", Reason.INVALID_ARGUMENT)


def _not_negative(field: str, number: int) -> int:
    if number < 0:
        raise BadRequest(f"{field} must be 0 or more, and is {number}", Reason.INVALID_ARGUMENT, field=field)
    return number
