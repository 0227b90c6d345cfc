"""`write_first`: the first of an order goes to exactly one of all that ask for it."""

from __future__ import annotations

import asyncio

import pytest

from proxy.core.document import Document
from proxy.core.errors import BadRequest, Fenced, Reason
from proxy.core.filter import And, Exists
from proxy.core.planner import plan
from proxy.core.ports import CollectionStore
from proxy.core.query import Order
from proxy.core.update import Inc, Set
from proxy.core.version import Version
from tests.contract.samples import (
    AUTH0,
    delete,
    due,
    eq,
    fields_at,
    insert,
    job,
    key,
    lte,
    query,
    read,
    stamp,
)
from tests.contract.subjects import Subject

FAR = 10_000
RESERVE = (Set("next_available_at", FAR), Set("owner", "me"))


async def fill(store: CollectionStore, *documents: Document) -> None:
    await asyncio.gather(*(insert(store, document) for document in documents))


async def test_a_reservation_shows_both_images_and_takes_a_version(subject: Subject) -> None:
    before = await insert(subject.store, job(next_available_at=5))
    mark = stamp(epoch=2)
    result = await subject.store.write_first(due(subject.collection), RESERVE, mark)
    assert (result.matched, result.before, result.repeated) == (True, before, False)
    assert result.after is not None
    assert result.after == await read(subject.store, key())
    assert (result.after.version, result.after.op) == (Version(2, before.version.revision + 1), mark.op)
    assert result.after.document is not None
    assert result.after.document.fields["next_available_at"] == FAR


async def test_a_worker_that_is_alone_gets_jobs_in_their_order(subject: Subject) -> None:
    await fill(subject.store, *(job(f"{n:02}", next_available_at=n) for n in range(40)))
    last_first = due(subject.collection, ascending=False)
    for plan_, expected in ((due(subject.collection), [0, 1, 2, 3]), (last_first, [39, 38])):
        taken = [await subject.store.write_first(plan_, RESERVE, stamp()) for _ in expected]
        befores = [result.before.document for result in taken if result.before]
        assert [before.fields["next_available_at"] for before in befores if before] == expected


async def test_nothing_due_is_nothing_matched(subject: Subject) -> None:
    await fill(subject.store, job("later", next_available_at=FAR), job("never"))
    await insert(subject.store, job("gone", next_available_at=1))
    await delete(subject.store, key("gone"))
    result = await subject.store.write_first(due(subject.collection), RESERVE, stamp())
    assert (result.matched, result.before, result.after) == (False, None, None)


@pytest.mark.parametrize("is_fair", [True, False])
async def test_eight_workers_share_the_jobs_without_sharing_one(subject: Subject, is_fair: bool) -> None:
    """All jobs are due at once (and tie), or one after another."""
    jobs = 40
    await fill(subject.store, *(job(f"{n:02}", next_available_at=1 if is_fair else n) for n in range(jobs)))

    async def work(worker: int) -> list[str]:
        taken: list[str] = []
        while True:
            reserve = (*RESERVE, Set("worker", worker), Inc("runs", 1))
            result = await subject.store.write_first(due(subject.collection), reserve, stamp())
            if not result.matched:
                return taken
            assert result.after is not None
            taken.append(result.after.key.values[2])

    async with asyncio.timeout(60):
        shares = await asyncio.gather(*(work(worker) for worker in range(8)))
    assert sorted(name for share in shares for name in share) == [f"{n:02}" for n in range(jobs)]
    for worker, share in enumerate(shares):
        for name in share:
            fields = await fields_at(subject.store, key(name))
            assert fields is not None
            assert (fields["worker"], fields["runs"]) == (worker, 1)


async def test_the_whole_filter_counts(subject: Subject) -> None:
    documents = [job(f"{n}", next_available_at=n, kind="b" if n == 7 else "a") for n in range(9)]
    await fill(subject.store, *documents)
    order = [Order("next_available_at")]
    wanted = query(subject.collection, AUTH0, lte("next_available_at", 50), eq("kind", "b"), order=order)
    result = await subject.store.write_first(wanted, RESERVE, stamp())
    assert result.after is not None
    assert result.after.key == key("7")
    assert not (await subject.store.write_first(wanted, RESERVE, stamp())).matched


async def test_a_container_has_a_first_too(subject: Subject) -> None:
    await fill(subject.store, *(job(name, taken=False) for name in "cab"))
    free = And((AUTH0, eq("webtask_container", "c"), eq("taken", False)))
    taken: list[str] = []
    for _ in range(3):
        result = await subject.store.write_first(
            plan(subject.collection, free), (Set("taken", True),), stamp()
        )
        assert result.after is not None
        taken.append(result.after.key.values[2])
    assert sorted(taken) == ["a", "b", "c"]
    result = await subject.store.write_first(plan(subject.collection, free), (Set("taken", True),), stamp())
    assert not result.matched


async def test_a_repeat_that_meets_its_own_document_reports_it(subject: Subject) -> None:
    await insert(subject.store, job(next_available_at=0, n=0))
    update, mark = (Inc("n", 1),), stamp()
    first = await subject.store.write_first(due(subject.collection), update, mark)
    second = await subject.store.write_first(due(subject.collection), update, mark)
    assert not first.repeated
    assert (second.matched, second.repeated, second.after) == (True, True, first.after)
    assert await read(subject.store, key()) == first.after


async def test_a_reservation_of_an_older_epoch_is_refused(subject: Subject) -> None:
    stored = await insert(subject.store, job(next_available_at=1), epoch=2)
    with pytest.raises(Fenced):
        await subject.store.write_first(due(subject.collection), RESERVE, stamp(epoch=1))
    assert await read(subject.store, key()) == stored


async def test_an_update_that_cannot_be_reserves_nothing(subject: Subject) -> None:
    stored = await insert(subject.store, job(next_available_at=1, text="x"))
    with pytest.raises(BadRequest) as caught:
        await subject.store.write_first(due(subject.collection), (Inc("text", 1),), stamp())
    assert caught.value.reason is Reason.INVALID_UPDATE
    with pytest.raises(BadRequest) as caught:
        await subject.store.write_first(due(subject.collection), (Set("webtask_name", "x"),), stamp())
    assert caught.value.reason is Reason.KEY_FIELD_CHANGED
    assert await read(subject.store, key()) == stored


async def test_a_scan_reserves_too(subject: Subject) -> None:
    await fill(subject.store, job("a", deployment="x"), job("b", deployment="y", free=True))
    result = await subject.store.write_first(
        query(subject.collection, Exists("free", True)), (Set("free", False),), stamp()
    )
    assert result.after is not None
    assert result.after.key == key("b", deployment="y")
