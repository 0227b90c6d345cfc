"""Pages come out in plan order, whole and without gaps, in whatever order an index gives its ties."""

from __future__ import annotations

import random

import pytest

from proxy.core.collection import Index, IndexKind
from proxy.core.document import Document
from proxy.core.errors import Refused
from proxy.core.exchange import Page
from proxy.core.filter import EVERYTHING, Comparator, Compare, Filter
from proxy.core.keys import Key
from proxy.core.query import PageRequest, Plan, Position
from proxy.core.version import Record, Version
from proxy.stores.dynamo.walk import Row, Walk
from tests.unit.stores.dynamo.generated import WEBTASKS

DUE = WEBTASKS.indexes[0]


def row(name: str, due_at: int, live: bool = True) -> Row:
    document = Document({"due_at": due_at, "live": live})
    return Row(Record(Key(("a", "b", name)), Version(1, 1), b"", (), document), (due_at,))


def plan(index: Index | None = DUE, ascending: bool = True, filter: Filter = EVERYTHING) -> Plan:
    return Plan(index, ("a", "b"), (), None, None, None, filter, ascending)


def as_dynamodb_gives(rows: list[Row], ascending: bool, after: Position | None) -> list[Row]:
    """By sort key from the position's group on, ties in any order."""
    shuffled = random.sample(rows, len(rows))
    ordered = sorted(shuffled, key=lambda row: row.sort_values, reverse=not ascending)
    if after is None:
        return ordered
    if ascending:
        return [row for row in ordered if row.sort_values >= after.sort_values]
    return [row for row in ordered if row.sort_values <= after.sort_values]


def walk_through(rows: list[Row], wanted: Plan, page: PageRequest) -> Page:
    walk = Walk(wanted, page)
    for given in as_dynamodb_gives(rows, wanted.ascending, page.after):
        walk.add(given)
        if walk.is_over:
            return walk.page()
    walk.finish()
    return walk.page()


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 5, 50])
@pytest.mark.parametrize("budget", [13, 1000])
def test_pages_together_are_everything_once_in_order(ascending: bool, limit: int, budget: int) -> None:
    random.seed(limit)
    rows = [row(f"n{number:02}", random.randrange(8), number % 3 > 0) for number in range(48)]
    wanted = plan(ascending=ascending, filter=Compare("live", Comparator.EQ, True))
    everything = sorted(rows, key=lambda row: (row.sort_values, row.record.key.values), reverse=not ascending)
    seen: list[Key] = []
    after: Position | None = None
    while True:
        page = walk_through(rows, wanted, PageRequest(limit, after, budget))
        assert len(page.records) <= limit
        seen += [record.key for record in page.records]
        after = page.next
        if after is None:
            break
    assert seen == [row.record.key for row in everything if row.is_selected_by(wanted)]


def test_the_last_page_says_that_it_is_the_last() -> None:
    rows = [row("a", 1), row("b", 1), row("c", 2)]
    assert walk_through(rows, plan(), PageRequest(3)).next is None
    assert walk_through(rows, plan(), PageRequest(2)).next == Position((1,), rows[1].record.key)


def test_a_budget_is_what_may_be_read_and_not_one_more() -> None:
    rows = [row("a", 1), row("b", 2), row("c", 3)]
    assert walk_through(rows, plan(), PageRequest(9, scan_budget=3)).next is None
    page = walk_through(rows, plan(), PageRequest(9, scan_budget=2))
    assert page.next is not None
    assert page.next.sort_values == (1,)  # the second group may go on


def test_a_group_that_no_budget_covers_is_refused() -> None:
    with pytest.raises(Refused, match="more than 2 documents"):
        walk_through([row(name, 1) for name in "abc"], plan(), PageRequest(9, scan_budget=2))


def test_without_an_index_order_all_is_read_and_sorted_or_refused() -> None:
    rows = [row(name, 0) for name in "cab"]
    wanted = plan(index=None)
    page = walk_through(rows, wanted, PageRequest(2, scan_budget=3))
    assert [record.key.values[2] for record in page.records] == ["a", "b"]
    with pytest.raises(Refused):
        walk_through(rows, wanted, PageRequest(2, scan_budget=2))


def test_rows_of_the_table_are_never_ties() -> None:
    key = WEBTASKS.key
    assert key.kind is IndexKind.TABLE
    walk = Walk(plan(index=key), PageRequest(1))
    walk.add(row("a", 1))
    assert not walk.is_over
    walk.add(row("b", 1))
    assert walk.is_over  # decided without a third row
