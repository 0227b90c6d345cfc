"""Reads of one collection: points, pages, counts, and complete scans in parts that resume.

Everything read here is majority-committed. A page reads no more index entries than its budget.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import bson
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from proxy.core.deadline import milliseconds_left
from proxy.core.document import OPTIONS, Value
from proxy.core.errors import Reason, Refused
from proxy.core.exchange import Page, Segment
from proxy.core.keys import Key
from proxy.core.query import PageRequest, Plan, Position
from proxy.core.version import Record
from proxy.stores.mongo.access import Access, pause
from proxy.stores.mongo.codec import escape_name
from proxy.stores.mongo.expressions import LIVE, Query, all_of, keys_query, query_of
from proxy.stores.mongo.failures import CURSOR_NOT_FOUND, Translated, code_of, translate
from proxy.stores.mongo.ranges import (
    Range,
    fetch,
    is_point,
    pattern,
    place_of,
    position_of,
    range_of,
    reads_only_matches,
)
from proxy.stores.mongo.segments import Segments

_SCAN_ATTEMPTS = 5
_SCAN_BATCH = 200


@dataclass(frozen=True, slots=True)
class Part:
    """What one page may read: a range, a query within it, and where the budget ends (None: it does not).

    `behind` leaves out the row that the page goes on behind.
    """

    range: Range
    query: Query
    behind: Query
    end: Position | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """The reads of one collection."""

    access: Access
    segments: Segments

    async def get(self, keys: Sequence[Key]) -> list[Record | None]:
        if len(keys) == 1:
            return [await self.access.read_committed(keys[0])]
        if not keys:
            return []
        query = keys_query(self.access.names, keys)
        found = [self.access.codec.decode(raw) for raw in await fetch(self.access.committed.find(query))]
        by_values = {record.key.values: record for record in found}
        return [by_values.get(key.values) for key in keys]

    async def find(self, plan: Plan, page: PageRequest) -> Page:
        if page.after is not None and is_point(self.access.collection, plan):
            return Page((), None)
        part = await self._within_budget(plan, self._part(plan, page.after), page.scan_budget)
        cursor = part.range.cursor(self.access.committed, part.query, limit=page.limit + 1)
        rows = [self.access.codec.decode(raw) for raw in await fetch(cursor)]
        shown = tuple(rows[: page.limit])
        return Page(shown, _position(plan, shown[-1]) if len(rows) > page.limit else part.end)

    async def count(self, plan: Plan, scan_budget: int) -> int:
        part = await self._within_budget(plan, self._part(plan, None), scan_budget)
        hint = [(escape_name(name), 1) for name in part.range.names]
        with Translated():
            found: int = await self.access.committed.count_documents(
                part.query, hint=hint, limit=scan_budget + 1, **_within_deadline()
            )
        if part.end is not None or found > scan_budget:
            raise Refused(
                f"counting would read more than {scan_budget} documents: narrow the filter", Reason.NO_INDEX
            )
        return found

    async def scan(self, segment: Segment, after: Key | None) -> AsyncIterator[Record]:
        """In the order of the key's index. A lost cursor is opened again behind the last record."""
        bounds = await self.segments.bounds(segment)
        failures = 0
        while bounds is not None:
            try:
                async with aclosing(self._scan_from(bounds, after)) as records:
                    async for record in records:
                        yield record
                        after, failures = record.key, 0
                return
            except PyMongoError as error:
                failures += 1
                if failures == _SCAN_ATTEMPTS or not _is_passing(error):
                    raise translate(error, is_write=False) from error
                await pause(6 + failures)

    async def _scan_from(self, bounds: Range, after: Key | None) -> AsyncGenerator[Record]:
        query: Query = {}
        if after is not None:
            bounds, query = bounds.after(after.values), {"$nor": [self.access.query(after)]}
        cursor = bounds.cursor(self.access.committed, query, batch_size=_SCAN_BATCH)
        async with cursor:
            async for raw in cursor:
                yield self.access.codec.decode(raw)

    def _part(self, plan: Plan, after: Position | None) -> Part:
        collection = self.access.collection
        whole = range_of(collection, plan)
        query = all_of(query_of(plan.filter), LIVE)
        if after is None:
            return Part(whole, query, {})
        behind: Query = {"$nor": [self.access.query(after.key)]}
        return Part(whole.after(place_of(collection, plan, after)), all_of(query, behind), behind)

    async def _within_budget(self, plan: Plan, part: Part, budget: int) -> Part:
        """The part cut off behind `budget` index entries, where entries may be read in vain."""
        if reads_only_matches(plan):
            return part
        entries = await self._entries(part, budget)
        if len(entries) < 2:
            return part
        last, beyond = (self._position(plan, entry) for entry in entries)
        stop = place_of(self.access.collection, plan, beyond if plan.ascending else last)
        return replace(part, range=part.range.until(stop), end=last)

    async def _entries(self, part: Part, budget: int) -> list[dict[str, Any]]:
        """The last index entry within the budget and the one behind it, read from the index alone."""
        projection = {escape_name(name): 1 for name in part.range.names} | {"_id": 0}
        cursor = part.range.cursor(
            self.access.committed, part.behind, projection=projection, skip=max(budget - 1, 0), limit=2
        )
        return [bson.decode(raw.raw, OPTIONS) for raw in await fetch(cursor)]

    def _position(self, plan: Plan, entry: dict[str, Value]) -> Position:
        names = pattern(self.access.collection, plan.index or self.access.collection.key)
        fields = {name: entry.get(escape_name(name)) for name in names}
        return position_of(plan, self.access.codec.key_of(fields), fields)


def _within_deadline() -> dict[str, Any]:
    left = milliseconds_left()
    return {} if left is None else {"maxTimeMS": left}


def _position(plan: Plan, record: Record) -> Position:
    assert record.document is not None
    return position_of(plan, record.key, record.document.fields)


def _is_passing(error: PyMongoError) -> bool:
    """Whether a scan may go on after this: the connection or the cursor was lost, not the data."""
    return isinstance(error, ConnectionFailure) or (
        isinstance(error, OperationFailure)
        and (code_of(error) == CURSOR_NOT_FOUND or error.has_error_label("RetryableError"))
    )
