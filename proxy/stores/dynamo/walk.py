"""From rows as DynamoDB gives them to a page in plan order; pure, so that every order and cut can be tried.

Rows of equal sort values come from a secondary index in no order, so they are gathered as a whole group and
sorted by key; a page may end inside a group, and the next one begins by reading that group again. Where the
order of key texts is not the plan's order, all rows are one group. What a walk takes is bounded by its
budget, the group that it begins in again not counted: the page then ends at the last whole group, or is
refused where that is no step further.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from proxy.core.collection import IndexKind
from proxy.core.document import Value
from proxy.core.errors import Reason, Refused
from proxy.core.exchange import Page
from proxy.core.keys import Key
from proxy.core.matching import matches
from proxy.core.ordering import sort_key
from proxy.core.query import PageRequest, Plan, Position
from proxy.core.version import Record


@dataclass(frozen=True, slots=True)
class Row:
    """One item that was read, selected or not, and its sort values in the plan's index."""

    record: Record
    sort_values: tuple[Value, ...]

    @property
    def position(self) -> Position:
        return Position(self.sort_values, self.record.key)

    def is_selected_by(self, plan: Plan) -> bool:
        document = self.record.document
        return document is not None and matches(plan.filter, document.fields)


class Walk:
    """Takes rows until its page is full, its budget spent, or there are no more (`finish`)."""

    def __init__(self, plan: Plan, page: PageRequest) -> None:
        self._plan = plan
        self._page = page
        self._after = _rank(page.after.sort_values, page.after.key) if page.after else None
        is_table = plan.index is not None and plan.index.kind is IndexKind.TABLE
        self._is_unique = is_table and plan.is_in_text_order
        self._read = 0
        self._group: list[tuple[Any, Row]] = []
        self._found: list[Row] = []
        self._last: Row | None = None

    @property
    def is_over(self) -> bool:
        """Whether the page is decided: nothing more need be read."""
        return len(self._found) > self._page.limit or self._is_spent

    def add(self, row: Row) -> None:
        """Take the next row in the order of key texts (in any order where that is not the plan's)."""
        rank = _rank(row.sort_values, row.record.key)
        is_again = self._plan.is_in_text_order and not self._is_ahead(rank)
        self._read += not is_again
        if self._is_spent:
            return
        if self._plan.is_in_text_order and self._group and row.sort_values != self._group[0][1].sort_values:
            self._close_group()
        self._group.append((rank, row))
        if self._is_unique:
            self._close_group()

    def finish(self) -> None:
        """There are no more rows."""
        self._close_group()

    def page(self) -> Page:
        """The page. Raises Refused (NO_INDEX) where the budget does not reach one place further."""
        limit = self._page.limit
        if len(self._found) > limit:
            return _page(self._found[:limit], self._found[limit - 1].position)
        if not self._is_spent:
            return _page(self._found, None)
        if self._last is None:
            raise over_budget(self._page.scan_budget)
        return _page(self._found, self._last.position)

    @property
    def _is_spent(self) -> bool:
        return self._read > self._page.scan_budget

    def _close_group(self) -> None:
        for rank, row in sorted(self._group, key=_first, reverse=not self._plan.ascending):
            if self._is_ahead(rank):
                self._last = row
                self._found += [row] if row.is_selected_by(self._plan) else []
        self._group = []

    def _is_ahead(self, rank: Any) -> bool:
        if self._after is None:
            return True
        return bool(rank > self._after if self._plan.ascending else rank < self._after)


def over_budget(budget: int) -> Refused:
    message = f"more than {budget} documents would have to be read to answer this"
    return Refused(message, Reason.NO_INDEX)


def _page(rows: Iterable[Row], next_: Position | None) -> Page:
    return Page(tuple(row.record for row in rows), next_)


def _rank(sort_values: Iterable[Value], key: Key) -> tuple[list[Any], list[Any]]:
    return [sort_key(value) for value in sort_values], [sort_key(value) for value in key.values]


def _first(pair: tuple[Any, Row]) -> Any:
    return pair[0]
