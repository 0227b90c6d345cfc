"""What a store finds for a plan: exactly what the filter selects, in the plan's order, page by page."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.core.document import Document
from proxy.core.errors import Reason, Refused
from proxy.core.filter import And, Comparator, Compare, Contains, Exists, Filter, In, Not, Or, Prefix
from proxy.core.keys import index_values
from proxy.core.matching import matches
from proxy.core.ordering import sort_key
from proxy.core.planner import plan
from proxy.core.ports import CollectionStore
from proxy.core.query import Freshness, Order, PageRequest, Plan
from proxy.core.stage import StoreName
from proxy.core.update import Set, Unset
from proxy.stores.memory.store import MemoryStore
from tests.contract.samples import (
    AUTH0,
    KEY_FIELDS,
    delete,
    due,
    eq,
    find,
    insert,
    job,
    key,
    lte,
    modify,
    names,
    pages,
    query,
)
from tests.contract.subjects import Subject

AWKWARD = ["", "A", "a", "a b", "a-b", "a.b", "a/b", "a0", "ab", "~", "~0", "~e"]
AWKWARD += ["\0", "\u00e9", "e\u0301", "日本", "\uffff", "😀"]
C = eq("webtask_container", "c")


async def fill(store: CollectionStore, *documents: Document) -> None:
    await asyncio.gather(*(insert(store, document) for document in documents))


async def test_a_container_is_listed_in_the_order_of_its_names(subject: Subject) -> None:
    others = [job("a", "c2"), job("a", "c-"), job("a", "c/"), job("a", deployment="auth1")]
    await fill(subject.store, *others, *(job(name) for name in AWKWARD))
    listing = query(subject.collection, AUTH0, C)
    assert names(await find(subject.store, listing)) == sorted(AWKWARD)
    down = query(subject.collection, AUTH0, C, order=[Order("webtask_name", ascending=False)])
    assert names(await find(subject.store, down, limit=5)) == sorted(AWKWARD, reverse=True)


async def test_a_deployment_is_listed_in_the_order_of_containers_then_names(subject: Subject) -> None:
    documents = [job(name, container) for container in AWKWARD[:12] for name in ("a", "b/", "b")]
    await fill(subject.store, *documents)
    expected = sorted((d.fields["webtask_container"], d.fields["webtask_name"]) for d in documents)
    for ascending in (True, False):
        order = [Order("webtask_container", ascending), Order("webtask_name", ascending)]
        found = await find(subject.store, query(subject.collection, AUTH0, order=order), limit=7)
        pairs = [(d.fields["webtask_container"], d.fields["webtask_name"]) for d in found]
        assert pairs == (expected if ascending else expected[::-1])


@pytest.mark.parametrize("bounds", [("a", "ab"), ("", "~"), ("b", "a"), ("~", "😀")])
async def test_a_range_of_names_has_its_ends_or_not(subject: Subject, bounds: tuple[str, str]) -> None:
    await fill(subject.store, *(job(name) for name in AWKWARD), job("a", "b"), job("a", "d"))
    low, high = bounds
    for lower, upper in [(Comparator.GT, Comparator.LTE), (Comparator.GTE, Comparator.LT)]:
        parts = Compare("webtask_name", lower, low), Compare("webtask_name", upper, high)
        for some in [parts, parts[:1], parts[1:]]:
            filter = And((AUTH0, C, *some))
            expected = [name for name in sorted(AWKWARD) if matches(filter, job(name).fields)]
            assert names(await find(subject.store, plan(subject.collection, filter))) == expected


@pytest.mark.parametrize("text", ["", "a", "a/", "~", "\0", "日"])
async def test_a_beginning_selects_names_and_containers(subject: Subject, text: str) -> None:
    await fill(subject.store, *(job(name) for name in AWKWARD), *(job("x", name) for name in AWKWARD))
    found = await find(subject.store, query(subject.collection, AUTH0, C, Prefix("webtask_name", text)))
    assert names(found) == [name for name in sorted(AWKWARD) if name.startswith(text)]
    found = await find(subject.store, query(subject.collection, AUTH0, Prefix("webtask_container", text)))
    containers = [d.fields["webtask_container"] for d in found if d.fields["webtask_name"] == "x"]
    assert containers == [name for name in sorted(AWKWARD) if name.startswith(text)]


async def test_the_work_queue_has_jobs_by_time_and_then_by_name(subject: Subject) -> None:
    times = [5, 1, 1.5, 5, -3, 0, 5, 2**53 + 1, float(2**53), 5.0]
    documents = [job(f"job{n}", next_available_at=time) for n, time in enumerate(times)]
    await fill(subject.store, *documents, job("never"), job("x", deployment="auth1", next_available_at=1))
    expected = sorted(documents, key=lambda d: (d.fields["next_available_at"], d.fields["webtask_name"]))
    for limit in (1, 3, 100):
        found = await find(subject.store, due(subject.collection, 2**60), limit)
        assert names(found) == names(expected)
        found = await find(subject.store, due(subject.collection, 2**60, ascending=False), limit)
        assert names(found) == names(expected[::-1])
    assert names(await find(subject.store, due(subject.collection, 1))) == ["job4", "job5", "job1"]


async def test_a_job_leaves_the_queue_with_its_time_and_with_its_deletion(subject: Subject) -> None:
    await fill(subject.store, *(job(name, next_available_at=1) for name in "abc"))
    await modify(subject.store, key("a"), Unset("next_available_at"))
    await modify(subject.store, key("b"), Set("next_available_at", 99))
    await delete(subject.store, key("c"))
    assert names(await find(subject.store, due(subject.collection, 1_000))) == ["b"]
    assert names(await find(subject.store, query(subject.collection, AUTH0))) == ["a", "b"]


async def test_many_jobs_of_one_time_are_paged_in_the_order_of_their_keys(subject: Subject) -> None:
    documents = [job(f"{n:02}", f"c{n % 3}", next_available_at=n // 20) for n in range(45)]
    await fill(subject.store, *documents)

    def place(document: Document) -> tuple[object, ...]:
        return document.fields["next_available_at"], *(document.fields[name] for name in KEY_FIELDS)

    expected = names(sorted(documents, key=place))
    assert names(await find(subject.store, due(subject.collection), limit=4)) == expected
    down = due(subject.collection, ascending=False)
    assert names(await find(subject.store, down, limit=4)) == expected[::-1]


async def test_the_rest_of_the_filter_is_decided_as_in_mongodb(subject: Subject) -> None:
    values = {
        "null": None,
        "one": 1,
        "double": 1.0,
        "text": "1",
        "list": [1, 5],
        "map": {"a": 1},
        "true": True,
    }
    await fill(subject.store, job("missing"), *(job(name, v=value) for name, value in values.items()))
    expected: list[tuple[Filter, set[str]]] = [
        (eq("v", None), {"missing", "null"}),
        (eq("v", 1), {"one", "double", "list"}),
        (eq("v.a", 1), {"map"}),
        (lte("v", 3), {"one", "double", "list"}),
        (Compare("v", Comparator.NE, 1), {"missing", "null", "text", "map", "true"}),
        (Exists("v", False), {"missing"}),
        (In("v", ("1", True)), {"text", "true"}),
        (Contains("v", 5), {"list"}),
        (Prefix("v", "1"), {"text"}),
        (Or((eq("v", 5), Not(Exists("v", True)))), {"list", "missing"}),
    ]
    for filter, found in expected:
        assert set(names(await find(subject.store, query(subject.collection, AUTH0, filter)))) == found


async def test_a_global_index_finds_a_document_before_long(subject: Subject) -> None:
    documents = [job(f"{n}", deployment=f"d{n % 2}", owner="me", next_available_at=9 - n) for n in range(5)]
    await fill(subject.store, *documents, job("6", owner="you", next_available_at=1), job("7", owner="me"))
    late = query(subject.collection, eq("owner", "me"), lte("next_available_at", 8))
    assert late.freshness is Freshness.EVENTUAL
    async with asyncio.timeout(10):
        while len(found := await find(subject.store, late, limit=2)) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # an index that trails tells nobody when it has caught up
    assert names(found) == ["4", "3", "2", "1"]


async def test_a_scan_finds_everything_in_the_order_of_the_key(subject: Subject) -> None:
    documents = [job(name, container, d) for d in ("a", "b") for container in ("c", "c-") for name in "xy"]
    await fill(subject.store, *documents)
    found = await find(subject.store, query(subject.collection), limit=3)
    expected = sorted(tuple(d.fields[name] for name in KEY_FIELDS) for d in documents)
    assert [tuple(d.fields[name] for name in KEY_FIELDS) for d in found] == expected


async def test_nothing_found_is_one_empty_page(subject: Subject) -> None:
    (page,) = [page async for page in pages(subject.store, due(subject.collection))]
    assert (page.records, page.next) == ((), None)


@pytest.mark.parametrize("ascending", [True, False])
async def test_pages_go_on_where_rows_are_deleted_and_added(subject: Subject, ascending: bool) -> None:
    await fill(subject.store, *(job(f"{n:02}") for n in range(0, 20, 2)))
    listing = query(subject.collection, AUTH0, C, order=[Order("webtask_name", ascending)])
    first = await subject.store.find(listing, PageRequest(4))
    assert first.next is not None
    shown = [record.key.values[2] for record in first.records]
    await delete(subject.store, first.records[-1].key)
    behind = "07" if ascending else "11"
    await fill(subject.store, job("01"), job("19"), job(behind))
    rest = await subject.store.find(listing, PageRequest(100, first.next))
    everything = sorted({*(f"{n:02}" for n in range(0, 20, 2)), "01", "19", behind}, reverse=not ascending)
    expected = everything[everything.index(shown[-1]) + 1 :]
    assert [record.key.values[2] for record in rest.records] == expected


async def test_a_query_reads_no_more_than_its_budget_and_still_finds_all(subject: Subject) -> None:
    await fill(subject.store, *(job(f"{n:03}", odd=n % 10 == 9) for n in range(60)))
    rare = query(subject.collection, AUTH0, C, eq("odd", True))
    found = [page async for page in pages(subject.store, rare, limit=3, scan_budget=8)]
    assert [record.key.values[2] for page in found for record in page.records] == [
        f"{n:03}" for n in range(9, 60, 10)
    ]
    assert len(found) >= 60 // 8


async def test_a_page_read_elsewhere_goes_on_here(subject: Subject) -> None:
    """Positions mean the same in every store: a page token survives a change of primary."""
    documents = [job(f"{n}", f"c{n % 2}", next_available_at=n // 4) for n in range(20)]
    twin = MemoryStore(subject.collection, StoreName.DYNAMODB)
    for document in documents:
        await twin.apply(await insert(subject.store, document))
    for wanted in (
        due(subject.collection),
        due(subject.collection, ascending=False),
        query(subject.collection),
    ):
        seen, request = [], PageRequest(3)
        for turn in range(100):
            page = await (subject.store, twin)[turn % 2].find(wanted, request)
            seen += [record.key for record in page.records]
            if page.next is None:
                break
            request = replace(request, after=page.next)
        whole = await twin.find(wanted, PageRequest(100))
        assert seen == [record.key for record in whole.records]


async def test_a_count_is_of_the_live_documents_selected(subject: Subject) -> None:
    await fill(subject.store, *(job(f"{n}", odd=n % 2 == 1, next_available_at=n) for n in range(9)))
    await delete(subject.store, key("1"))
    counted = [
        (query(subject.collection, AUTH0), 8),
        (query(subject.collection, AUTH0, C, eq("odd", True)), 3),
        (due(subject.collection, 4), 4),
        (query(subject.collection, eq("odd", True)), 3),
        (query(subject.collection, eq("deployment_key", "none")), 0),
    ]
    for wanted, number in counted:
        assert await subject.store.count(wanted, 100) == number


async def test_a_count_beyond_its_budget_is_refused(subject: Subject) -> None:
    await fill(subject.store, *(job(f"{n}") for n in range(9)))
    with pytest.raises(Refused) as caught:
        await subject.store.count(query(subject.collection, AUTH0), 5)
    assert caught.value.reason is Reason.NO_INDEX


VALUES = st.sampled_from([None, 0, 1, 1.5, 2, "1", "a", True, [], [1, "a"], {"a": 1}])
FIELD = st.sampled_from(["v", "w", "v.a", "next_available_at", "webtask_name", "webtask_container"])
LEAVES: st.SearchStrategy[Filter] = (
    st.builds(Compare, FIELD, st.sampled_from(Comparator), VALUES)
    | st.builds(In, FIELD, st.lists(VALUES, max_size=3).map(tuple))
    | st.builds(Prefix, FIELD, st.sampled_from(["", "a", "1"]))
    | st.builds(Exists, FIELD, st.booleans())
    | st.builds(Contains, FIELD, VALUES)
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda filters: And(tuple(filters)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda filters: Or(tuple(filters)))
        | inner.map(Not)
    ),
    max_leaves=4,
)


def mixed_documents() -> list[Document]:
    """Two deployments of documents with all sorts of values, some of them due."""
    chance = random.Random(1)
    values = [None, 0, 1, 1.5, 2, "1", "a", True, [], [1, "a"], [[1]], {"a": 1}, {"a": [1, None]}]
    documents = []
    for n in range(40):
        fields = {name: chance.choice(values) for name in ("v", "w") if chance.random() < 0.8}
        if chance.random() < 0.7:
            fields["next_available_at"] = chance.choice([0, 1, 1.5, 2])
        documents.append(job(f"a{n % 7}", f"c{n // 7}", f"auth{n % 2}", **fields))
    return documents


def expected_rows(documents: list[Document], wanted: Plan) -> list[Document]:
    """The brute-force answer: every document, the filter, a sort."""
    index = wanted.index
    fields = [f.name for f in index.sort] if index else []

    def place(document: Document) -> list[object]:
        return [sort_key(document.fields[name]) for name in (*fields, *KEY_FIELDS)]

    rows = [d for d in documents if matches(wanted.filter, d.fields)]
    assert index is None or all(index_values(index, row.fields) for row in rows)
    return sorted(rows, key=place, reverse=not wanted.ascending)


@pytest.mark.timeout(300)
async def test_any_filter_finds_what_reading_everything_finds(subject: Subject) -> None:
    documents = mixed_documents()
    await fill(subject.store, *documents)
    queries: list[tuple[Filter, int]] = []

    @settings(max_examples=120, database=None, suppress_health_check=list(HealthCheck))
    @given(FILTERS, st.booleans(), st.integers(1, 9))
    def collect(filter: Filter, is_scan: bool, limit: int) -> None:
        queries.append((filter if is_scan else And((eq("deployment_key", "auth1"), filter)), limit))

    collect()
    for filter, limit in queries:
        wanted = plan(subject.collection, filter)
        found = await find(subject.store, wanted, limit)
        assert found == expected_rows(documents, wanted), (filter, limit)
