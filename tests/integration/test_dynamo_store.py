"""What only DynamoDB's store has to get right: little at a time, late indexes, segments, reservations."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.document import Document
from proxy.core.errors import Refused
from proxy.core.exchange import Segment
from proxy.core.filter import And, Comparator, Compare
from proxy.core.keys import Key
from proxy.core.planner import plan
from proxy.core.query import PageRequest
from proxy.core.update import Inc, Set
from proxy.core.version import Record, Version
from proxy.core.write import Delete, Insert, Modify
from proxy.stores.dynamo.store import DynamoStore
from proxy.stores.dynamo.transport import Request
from tests.integration.dynamo_faults import Faults
from tests.integration.dynamo_jobs import BY_OWNER, job, jobs, key, opened, stamp


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def store(dynamodb_endpoint: str, unique_name: str, faults: Faults) -> AsyncIterator[DynamoStore]:
    async with opened(dynamodb_endpoint, unique_name, faults) as prepared:
        yield prepared


async def test_many_keys_are_read_in_the_order_given(store: DynamoStore, faults: Faults) -> None:
    names = [f"n{number}" for number in range(130)]
    await asyncio.gather(*(store.write(Insert(key(name), job(name)), stamp()) for name in names[::2]))
    found = await store.get([key(name) for name in [*names, names[0]]])
    there = [key(name) if number % 2 == 0 else None for number, name in enumerate(names)]
    assert [record and record.key for record in found] == [*there, key(names[0])]
    assert faults.calls["BatchGetItem"] == 2


@pytest.mark.parametrize(("is_metered", "told"), [(True, 4.0), (False, 0.0)])
async def test_who_asks_is_told_what_each_write_costs(
    store: DynamoStore, is_metered: bool, told: float
) -> None:
    """The cost of 3.5 KB, however many were written before."""
    record = (await store.write(Insert(key("a"), job("a", text="x" * 3_500)), stamp())).after
    assert record is not None
    units = set()
    for revision in range(2, 130):
        newer = replace(record, version=Version(record.version.epoch, record.version.revision + revision))
        units.add((await store.apply(newer, is_metered=is_metered)).units)
    assert units == {told}


async def test_unprocessed_keys_are_asked_for_again(
    store: DynamoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"n{number}" for number in range(20)]
    await asyncio.gather(*(store.write(Insert(key(name), job(name)), stamp()) for name in names))
    call = store._transport.call

    async def stingy(operation: str, request: Request, timeout: float | None = None) -> dict[str, Any]:
        """Answers seven keys at a time, as DynamoDB does when items are large or it is short of capacity."""
        if operation != "BatchGetItem":
            return await call(operation, request, timeout)
        ((table, asked),) = request["RequestItems"].items()
        few = {table: {**asked, "Keys": asked["Keys"][:7]}}
        left = {table: {**asked, "Keys": asked["Keys"][7:]}} if asked["Keys"][7:] else {}
        return {**await call(operation, {"RequestItems": few}, timeout), "UnprocessedKeys": left}

    monkeypatch.setattr(store._transport, "call", stingy)
    assert [record and record.key for record in await store.get([key(name) for name in names])] == [
        key(name) for name in names
    ]


def due(before: int, **more: Any) -> And:
    conditions = [
        Compare("deployment_key", Comparator.EQ, "auth0"),
        Compare("due_at", Comparator.LTE, before),
        *(Compare(path, Comparator.EQ, value) for path, value in more.items()),
    ]
    return And(tuple(conditions))


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_pages_are_the_same_however_little_dynamodb_gives_at_once(
    store: DynamoStore, faults: Faults, limit: int
) -> None:
    rng = random.Random(3)
    for number in range(40):
        document = job(f"j{number:02}", due_at=rng.randrange(6), live=rng.random() < 0.5, owner="me")
        await store.write(Insert(key(f"j{number:02}"), document), stamp())
    wanted = plan(jobs("x"), due(4, live=True))
    whole = (await store.find(wanted, PageRequest(100))).records
    assert len(whole) > 10
    faults.edit(lambda operation, request: {**request, "Limit": 1} if operation == "Query" else request)
    paged: list[Record] = []
    after = None
    while True:
        page = await store.find(wanted, PageRequest(limit, after))
        paged += page.records
        after = page.next
        if after is None:
            break
        assert len(page.records) == limit
    assert tuple(paged) == whole


async def test_a_page_ends_at_its_budget_and_goes_on_behind_it(store: DynamoStore) -> None:
    for number in range(12):
        await store.write(Insert(key(f"j{number:02}"), job(f"j{number:02}", due_at=number)), stamp())
    wanted = plan(jobs("x"), due(100, live=True))
    page = await store.find(wanted, PageRequest(5, scan_budget=4))
    assert page.records == ()
    assert page.next is not None
    seen = [page.next.sort_values]
    while page.next is not None:
        page = await store.find(wanted, PageRequest(5, page.next, scan_budget=4))
        seen += [page.next.sort_values] if page.next else []
    assert seen == sorted(set(seen))
    with pytest.raises(Refused):
        await store.count(wanted, 11)
    assert await store.count(wanted, 12) == 0


async def test_a_tie_group_larger_than_the_budget_is_refused_and_not_a_loop(store: DynamoStore) -> None:
    for number in range(6):
        await store.write(Insert(key(f"j{number}"), job(f"j{number}", due_at=1)), stamp())
    wanted = plan(jobs("x"), due(100))
    with pytest.raises(Refused):
        await store.find(wanted, PageRequest(2, scan_budget=4))
    assert len((await store.find(wanted, PageRequest(2, scan_budget=6))).records) == 2


async def test_a_global_index_that_is_late_never_shows_what_is_no_longer_so(
    store: DynamoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("moved", "gone", "other", "same"):
        await store.write(Insert(key(name), job(name, owner="me", due_at=1)), stamp())
    mine = plan(jobs("x"), And((Compare("owner", Comparator.EQ, "me"), Compare("due_at", Comparator.LTE, 5))))
    assert mine.index == BY_OWNER
    call = store._transport.call

    async def late(operation: str, request: Request, timeout: float | None = None) -> dict[str, Any]:
        """Between the index and the table somebody writes."""
        answer = await call(operation, request, timeout)
        if operation == "Query":
            monkeypatch.undo()
            await store.write(Modify(key("moved"), (Set("due_at", 9),)), stamp())
            await store.write(Delete(key("gone")), stamp())
            await store.write(Modify(key("other"), (Set("owner", "you"),)), stamp())
        return answer

    monkeypatch.setattr(store._transport, "call", late)
    page = await store.find(mine, PageRequest(10))
    assert [record.key for record in page.records] == [key("same")]


async def test_segments_are_disjoint_complete_and_resumable(store: DynamoStore) -> None:
    for number in range(60):
        document = Document({"deployment_key": f"d{number % 17}", "name": f"n{number}"})
        where = Key((f"d{number % 17}", f"n{number}"))
        await store.write(Insert(where, document), stamp())
        if number % 5 == 0:
            await store.write(Delete(where), stamp())
    segments = [[record.key async for record in store.scan(Segment(index, 4))] for index in range(4)]
    keys = [found for segment in segments for found in segment]
    assert len(keys) == len(set(keys)) == 60
    assert sum(len(segment) > 0 for segment in segments) > 1
    longest = max(segments, key=len)
    index = segments.index(longest)
    middle = longest[len(longest) // 2]
    rest = [record.key async for record in store.scan(Segment(index, 4), after=middle)]
    assert rest == longest[len(longest) // 2 + 1 :]
    assert len([record async for record in store.scan(Segment())]) == 60


async def test_a_job_is_reserved_by_one_worker(store: DynamoStore, faults: Faults) -> None:
    for number in range(40):
        await store.write(Insert(key(f"j{number}"), job(f"j{number}", due_at=number, owner="me")), stamp())
    wanted = plan(jobs("x"), due(100))

    async def work() -> list[Key]:
        mine: list[Key] = []
        while True:
            result = await store.write_first(wanted, (Set("due_at", 1_000_000),), stamp())
            if not result.matched:
                return mine
            assert result.after is not None
            assert result.before is not None
            mine.append(result.after.key)

    reserved = [name for mine in await asyncio.gather(*(work() for _ in range(8))) for name in mine]
    assert len(reserved) == len(set(reserved)) == 40
    assert faults.calls["Query"] < 40 * 6


async def test_the_rest_of_the_filter_is_honoured_although_the_index_does_not_know_it(
    store: DynamoStore,
) -> None:
    for number in range(40):
        document = job(f"j{number:02}", due_at=number, live=number == 33)
        await store.write(Insert(key(f"j{number:02}"), document), stamp())
    wanted = plan(jobs("x"), due(100, live=True))
    result = await store.write_first(wanted, (Set("live", False),), stamp())
    assert result.after is not None
    assert result.after.key == key("j33")
    assert not (await store.write_first(wanted, (Set("live", False),), stamp())).matched


async def test_writers_of_one_document_do_not_spoil_each_others_tries(
    store: DynamoStore, faults: Faults
) -> None:
    await store.write(Insert(key("hot"), job("hot")), stamp())

    async def write() -> None:
        for _ in range(15):
            assert (await store.write(Modify(key("hot"), (Inc("turns", 1),)), stamp())).matched

    await asyncio.gather(*(write() for _ in range(16)))
    [found] = await store.get([key("hot")])
    assert found is not None and found.document is not None and found.document.fields["turns"] == 240
    assert faults.calls["PutItem"] < 1.3 * 241
