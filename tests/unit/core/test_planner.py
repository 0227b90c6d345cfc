"""A plan selects what its filter does, in the order asked for, or the query is refused with advice."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.collection import Collection, Index
from proxy.core.document import Document, Fields, Value
from proxy.core.errors import BadRequest, CrossfadeError, Reason, Refused
from proxy.core.filter import EVERYTHING, And, Comparator, Compare, Exists, Filter, In, Prefix
from proxy.core.keyrange import KeyRange, key_range
from proxy.core.ordering import MISSING, compare
from proxy.core.planner import plan
from proxy.core.query import Bound, Freshness, Order, Plan
from tests.unit.core.planning import (
    ALL_DUE,
    BY_NAME,
    BY_STATE,
    KEY,
    WORK_QUEUE,
    cron_jobs,
    documents,
    filters,
    orders,
    read_as_dynamodb,
    read_by_force,
    row_values,
)

CRON_JOBS = cron_jobs(WORK_QUEUE, BY_STATE, BY_NAME, ALL_DUE)
EVERYTHING_ALLOWED = cron_jobs(WORK_QUEUE, BY_STATE, BY_NAME, ALL_DUE, allow_scan=True, allow_eventual=True)


def eq(path: str, value: Value) -> Filter:
    return Compare(path, Comparator.EQ, value)


def lte(path: str, value: Value) -> Filter:
    return Compare(path, Comparator.LTE, value)


AUTH0 = eq("deployment_key", "auth0")
CONTAINER = eq("webtask_container", "mycontainer")
BY_DUE = (Order("next_available_at"),)


@st.composite
def served(draw: st.DrawFn) -> tuple[Collection, Filter, list[Order], Plan]:
    """A query with its plan; where the first choice is refused, one that is not."""
    filter, order = draw(filters()), draw(orders())
    for collection, wanted in [(CRON_JOBS, order), (EVERYTHING_ALLOWED, order), (EVERYTHING_ALLOWED, [])]:
        with suppress(Refused):
            return collection, filter, wanted, plan(collection, filter, wanted)
    raise AssertionError("a scan serves every query without an order")


@settings(max_examples=500)
@given(st.lists(documents(), min_size=6, max_size=14), served())
def test_a_plan_reads_all_that_the_filter_selects_in_the_order_asked_for(
    stored: list[Fields], query: tuple[Collection, Filter, list[Order], Plan]
) -> None:
    collection, filter, order, found = query
    rows = read_as_dynamodb(collection, stored, found)
    assert Counter(map(Document, rows)) == Counter(map(Document, read_by_force(stored, filter)))
    for before, after in pairwise(rows):
        assert_in_order(row_values(collection, found, before), row_values(collection, found, after), found)
        assert_as_ordered(before, after, order)


def assert_in_order(before: list[Value], after: list[Value], found: Plan) -> None:
    ranks = [compare(left, right) for left, right in zip(before, after, strict=True)]
    first = next((rank for rank in ranks if rank), 0)
    assert first <= 0 if found.ascending else first >= 0


def assert_as_ordered(before: Fields, after: Fields, order: list[Order]) -> None:
    for entry in order:
        rank = compare(before.get(entry.path, MISSING), after.get(entry.path, MISSING))
        if rank:
            assert (rank < 0) is entry.ascending
            return


@given(filters(), orders())
def test_whether_a_query_is_served_hangs_on_nothing_but_the_query(filter: Filter, order: list[Order]) -> None:
    """Most filters of this test are served: a planner that refused everything would fail here."""
    whole = And((AUTH0, CONTAINER, eq("webtask_name", "x"), filter))
    assert plan(CRON_JOBS, whole, order).index is KEY
    assert plan(EVERYTHING_ALLOWED, And((AUTH0, filter))).index is not None
    assert plan(EVERYTHING_ALLOWED, filter) == plan(EVERYTHING_ALLOWED, filter)


def test_the_whole_key_is_one_item_whatever_the_order() -> None:
    found = plan(CRON_JOBS, And((AUTH0, CONTAINER, eq("webtask_name", "job"))), BY_DUE)
    assert (found.index, found.partition, found.sort_prefix) == (KEY, ("auth0",), ("mycontainer", "job"))
    assert key_range(found) == KeyRange(equal="mycontainer/job")


def test_a_container_is_listed_by_the_beginning_of_the_sort_key() -> None:
    found = plan(CRON_JOBS, And((AUTH0, CONTAINER)))
    assert (found.index, found.sort_prefix, found.is_in_text_order) == (KEY, ("mycontainer",), True)
    assert key_range(found) == KeyRange(begins="mycontainer/")


def test_a_whole_deployment_is_listed_though_its_order_is_not_that_of_the_texts() -> None:
    found = plan(CRON_JOBS, AUTH0)
    assert (found.index, found.partition, found.is_in_text_order) == (KEY, ("auth0",), False)
    assert key_range(found) == KeyRange()


def test_the_next_due_job_comes_from_the_work_queue() -> None:
    found = plan(CRON_JOBS, And((AUTH0, lte("next_available_at", 1500283380123))), BY_DUE)
    assert (found.index, found.upper, found.lower) == (WORK_QUEUE, Bound(1500283380123, True), None)
    assert found.freshness is Freshness.STRONG
    assert key_range(found) == KeyRange(upper=1500283380123)


def test_without_an_order_the_index_that_narrows_more_is_chosen() -> None:
    due = lte("next_available_at", 5)
    assert plan(CRON_JOBS, And((AUTH0, due))).index is WORK_QUEUE
    assert plan(CRON_JOBS, And((AUTH0, due, CONTAINER))).index is KEY
    assert plan(CRON_JOBS, And((AUTH0, due, eq("state", "idle")))).index is BY_STATE


def test_a_global_index_serves_only_where_late_reads_are_allowed() -> None:
    filter = And((eq("state", "idle"), lte("next_available_at", 5)))
    found = plan(EVERYTHING_ALLOWED, filter)
    assert (found.index, found.freshness) == (ALL_DUE, Freshness.EVENTUAL)
    with pytest.raises(Refused, match="set allow_eventual \\(the index all_due is global and reads late\\)"):
        plan(CRON_JOBS, filter)


def test_ranges_fold_into_the_narrowest_bounds() -> None:
    ranges = (Compare("next_available_at", c, v) for c, v in [(Comparator.GT, 1), (Comparator.GTE, 1.0)])
    found = plan(
        CRON_JOBS, And((AUTH0, *ranges, lte("next_available_at", 9), In("next_available_at", (3, 7))))
    )
    assert (found.lower, found.upper) == (Bound(3, True), Bound(7, True))
    found = plan(
        CRON_JOBS, And((AUTH0, lte("next_available_at", 5), Compare("next_available_at", Comparator.LT, 5)))
    )
    assert found.upper == Bound(5, False)


def test_bounds_on_the_last_component_stay_within_the_leading_ones() -> None:
    after = Compare("webtask_name", Comparator.GT, "m")
    assert key_range(plan(CRON_JOBS, And((AUTH0, CONTAINER, after)))) == KeyRange(
        lower="mycontainer/m", upper="mycontainer0"
    )
    before = lte("webtask_name", "m")
    assert key_range(plan(CRON_JOBS, And((AUTH0, CONTAINER, before)))) == KeyRange(
        lower="mycontainer/", upper="mycontainer/m"
    )


def test_an_earlier_component_narrows_by_its_beginning_but_not_by_a_range() -> None:
    assert key_range(plan(CRON_JOBS, And((AUTH0, Prefix("webtask_container", "a/"))))) == KeyRange(
        begins="a~1"
    )
    found = plan(CRON_JOBS, And((AUTH0, lte("webtask_container", "m"))))
    assert (found.index, key_range(found)) == (KEY, KeyRange())


def test_contradictory_bounds_are_an_empty_range() -> None:
    found = plan(
        CRON_JOBS, And((AUTH0, lte("next_available_at", 1), Compare("next_available_at", Comparator.GT, 2)))
    )
    assert key_range(found).is_empty


@pytest.mark.parametrize("operand", [float("inf"), 1e300])
def test_an_operand_that_no_key_can_hold_bounds_nothing_but_means_that_the_field_is_there(
    operand: float,
) -> None:
    found = plan(CRON_JOBS, And((AUTH0, lte("next_available_at", operand))), BY_DUE)
    assert (found.index, found.lower, found.upper) == (WORK_QUEUE, None, None)


def test_a_text_too_long_for_a_key_is_refused_or_bounds_nothing() -> None:
    long = "x" * 3000
    with pytest.raises(BadRequest) as caught:
        plan(CRON_JOBS, eq("deployment_key", long))
    assert (caught.value.reason, caught.value.field) == (Reason.KEY_TOO_LONG, "deployment_key")
    with pytest.raises(BadRequest):
        plan(CRON_JOBS, And((AUTH0, CONTAINER, eq("webtask_name", long))))
    bounded = plan(CRON_JOBS, And((AUTH0, CONTAINER, lte("webtask_name", long))))
    assert key_range(bounded) == KeyRange(lower="mycontainer/", upper="mycontainer0")
    assert key_range(plan(CRON_JOBS, And((AUTH0, Prefix("webtask_container", long))))).is_empty


def refused(filter: Filter, *order: Order, indexes: tuple[Index, ...] = (WORK_QUEUE, BY_STATE)) -> str:
    with pytest.raises(CrossfadeError) as caught:
        plan(cron_jobs(*indexes), filter, order)
    assert caught.value.reason is Reason.NO_INDEX
    return str(caught.value)


def test_a_refusal_names_the_index_that_is_missing() -> None:
    assert refused(AUTH0, Order("foo")) == (
        "no index of cron_jobs serves equality on deployment_key with order by foo;"
        " declare a local index (partition deployment_key, sort foo)"
    )
    assert refused(eq("owner", "me")) == (
        "no index of cron_jobs serves equality on owner; declare a global index (partition owner)"
        " and set allow_eventual, or set allow_scan"
    )
    assert refused(EVERYTHING) == (
        "no index of cron_jobs serves a filter that fixes no declared field;"
        " add equality on deployment_key, or set allow_scan"
    )


def test_an_index_that_leaves_documents_out_needs_a_bound_on_its_field() -> None:
    expected = "bound next_available_at in the filter (the index work_queue leaves out documents without"
    assert expected in refused(AUTH0, *BY_DUE)
    assert expected in refused(And((AUTH0, Exists("next_available_at", True))), *BY_DUE)
    assert expected in refused(And((AUTH0, In("next_available_at", (1, None)))), *BY_DUE)


def test_an_operand_of_another_type_is_said_to_be_one() -> None:
    assert "compare deployment_key with a string, as it is declared" in refused(eq("deployment_key", 5))
    assert "compare next_available_at with a number" in refused(
        And((AUTH0, lte("next_available_at", "x"))), *BY_DUE
    )


def test_an_order_goes_one_way() -> None:
    due = And((AUTH0, lte("next_available_at", 5)))
    mixed = (Order("next_available_at"), Order("webtask_container", ascending=False))
    assert "order all fields in one direction" in refused(due, *mixed)
    down = tuple(Order(entry.path, ascending=False) for entry in mixed)
    found = plan(CRON_JOBS, due, down)
    assert (found.index, found.ascending) == (WORK_QUEUE, False)


def test_a_scan_is_in_the_order_of_the_key_only() -> None:
    found = plan(EVERYTHING_ALLOWED, EVERYTHING, [Order("deployment_key", ascending=False)])
    assert (found.index, found.ascending) == (None, False)
    with pytest.raises(Refused, match="order by foo"):
        plan(EVERYTHING_ALLOWED, EVERYTHING, [Order("foo")])
