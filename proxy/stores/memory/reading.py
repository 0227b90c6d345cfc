"""Which rows of a table in memory a plan reads, in the plan's order, and where a page of them ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from proxy.core.collection import Index
from proxy.core.document import Document, Value
from proxy.core.errors import BadRequest
from proxy.core.exchange import Page
from proxy.core.keys import Key, index_values
from proxy.core.matching import matches
from proxy.core.ordering import sort_key
from proxy.core.query import PageRequest, Plan, Position
from proxy.core.version import Record

Rank = tuple[list[object], list[object]]


@dataclass(frozen=True, slots=True)
class Row:
    """A live record with its place in a plan's order."""

    record: Record
    document: Document
    position: Position

    @property
    def rank(self) -> Rank:
        return rank_of(self.position)


def rows_of(plan: Plan, records: Iterable[Record]) -> list[Row]:
    """The rows in the plan's partition and prefix, in its order, whether the filter selects them or not."""
    rows = [row for record in records if (row := _row(plan, record)) is not None]
    return sorted(rows, key=lambda row: row.rank, reverse=not plan.ascending)


def page_of(plan: Plan, records: Iterable[Record], request: PageRequest) -> Page:
    """One page; reads no more rows than the budget, and then goes on behind the last one read."""
    rows = _rows_behind(plan, rows_of(plan, records), request.after)
    read = rows[: request.scan_budget]
    found = list(islice((row for row in read if is_selected(plan, row)), request.limit + 1))
    shown = found[: request.limit]
    records = tuple(row.record for row in shown)
    if len(found) > len(shown):
        return Page(records, shown[-1].position)
    return Page(records, read[-1].position if len(read) < len(rows) else None)


def is_selected(plan: Plan, row: Row) -> bool:
    return matches(plan.filter, row.document.fields)


def rank_of(position: Position) -> Rank:
    """What compares as the positions of one plan do, ascending."""
    return [sort_key(value) for value in position.sort_values], key_rank(position.key)


def key_rank(key: Key) -> list[object]:
    return [sort_key(value) for value in key.values]


def _rows_behind(plan: Plan, rows: list[Row], after: Position | None) -> list[Row]:
    if after is None:
        return rows
    place = rank_of(after)
    return [row for row in rows if (row.rank > place if plan.ascending else row.rank < place)]


def _row(plan: Plan, record: Record) -> Row | None:
    if record.document is None:
        return None
    if plan.index is None:
        return Row(record, record.document, Position((), record.key))
    values = _values(plan.index, record.document)
    width = len(plan.index.partition)
    wanted = (*plan.partition, *plan.sort_prefix)
    if values is None or tuple(values[: len(wanted)]) != wanted:
        return None
    return Row(record, record.document, Position(tuple(values[width:]), record.key))


def _values(index: Index, document: Document) -> Sequence[Value] | None:
    """The document's values in the index; None where it is not in it."""
    try:
        return index_values(index, document.fields)
    except BadRequest:
        return None
