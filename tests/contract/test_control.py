"""The contract of the control store and the divergence log, on memory and on a real MongoDB."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from proxy.core.comparison import Kind
from proxy.core.divergence import Divergence, FieldDifference
from proxy.core.errors import NotFound, Reason
from proxy.core.exchange import DivergenceQuery
from proxy.core.flag import AuditEntry, Change, Flag, Job, Replica
from proxy.core.life import MOST_STEPS, Event, State
from proxy.core.ports import Control, DivergenceLog
from proxy.core.stage import Stage
from proxy.core.version import Version
from proxy.stores.memory.control import MemoryControl, MemoryDivergences
from proxy.stores.mongo.control import MongoControl
from proxy.stores.mongo.divergences import MongoDivergences
from proxy.stores.mongo.store import MongoStores

FLAG = Flag("jobs", 1, Stage.MONGO_ONLY, 1_700_000_000_000)
CHANGE = Change("c1", Stage.MONGO_PRIMARY, "ann", "it is time", 1_700_000_000_001, "r1", 1_700_000_005_000)
REPLICA = Replica("r1", "127.0.0.1:1", 3.0, {"jobs": 4, "a.b": 1}, {"jobs": "c1"})


@dataclass(frozen=True)
class Stores:
    control: Control
    divergences: DivergenceLog


@pytest.fixture(params=["memory", "mongodb"])
async def stores(request: pytest.FixtureRequest, unique_name: str) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryControl(lambda: time.time_ns() // 1_000_000), MemoryDivergences())
        return
    async with MongoStores.open(request.getfixturevalue("mongodb_uri")) as mongo:
        log = MongoDivergences(mongo.client, unique_name)
        await log.prepare()
        yield Stores(MongoControl(mongo.client, unique_name), log)
        await mongo.client.drop_database(unique_name)


@pytest.fixture
async def control(stores: Stores) -> Control:
    await stores.control.prepare()
    await stores.control.prepare()
    return stores.control


@pytest.fixture
def log(stores: Stores) -> DivergenceLog:
    return stores.divergences


async def test_a_flag_is_created_once(control: Control) -> None:
    with pytest.raises(NotFound) as caught:
        await control.flag("jobs")
    assert caught.value.reason is Reason.UNKNOWN_COLLECTION
    assert await control.create(FLAG) == FLAG
    assert await control.create(replace(FLAG, epoch=9)) == FLAG
    assert await control.flag("jobs") == FLAG
    assert await control.flags() == [FLAG]


async def test_a_flag_changes_by_compare_and_set(control: Control) -> None:
    await control.create(FLAG)
    held = await control.swap(FLAG, FLAG.begin(CHANGE))
    assert held == replace(FLAG, change=CHANGE, serial=1) == await control.flag("jobs")
    assert held is not None
    assert await control.swap(FLAG, FLAG.begin(CHANGE)) is None
    published = await control.swap(held, held.publish(Stage.MONGO_PRIMARY, 5))
    assert published == await control.flag("jobs")
    assert published is not None
    assert (published.epoch, published.serial, published.change) == (2, 2, None)


async def test_of_many_swaps_one_succeeds(control: Control) -> None:
    await control.create(FLAG)
    results = await asyncio.gather(*(control.swap(FLAG, replace(FLAG, epoch=n)) for n in range(2, 10)))
    [winner] = [flag for flag in results if flag is not None]
    assert await control.flag("jobs") == winner


async def test_changes_are_seen_by_watchers(control: Control) -> None:
    await control.create(FLAG)
    seen: asyncio.Queue[Flag] = asyncio.Queue()
    watching = asyncio.create_task(_collect(control, seen))
    flag = FLAG
    try:
        async with asyncio.timeout(10):
            while seen.empty():  # until the watcher is there
                flag = await control.swap(flag, flag) or flag
                await asyncio.sleep(0.01)
            changed = await control.swap(flag, replace(flag, epoch=7))
            assert changed is not None
            while (await seen.get()).epoch != 7:
                pass
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _collect(control: Control, seen: asyncio.Queue[Flag]) -> None:
    async with aclosing(cast(Any, control.watch())) as flags:
        async for flag in flags:
            seen.put_nowait(flag)


async def test_replicas_age_by_the_stores_clock(control: Control) -> None:
    await control.beat(REPLICA)
    [fresh] = await control.replicas()
    assert replace(fresh, age=0.0) == REPLICA
    assert 0 <= fresh.age < 5
    moved = replace(REPLICA, address="elsewhere", seen={"jobs": 5}, held={})
    await control.beat(moved)
    await control.beat(replace(REPLICA, id="r2"))
    assert sorted((r.id, r.address) for r in await control.replicas()) == [
        ("r1", "elsewhere"),
        ("r2", "127.0.0.1:1"),
    ]
    await control.retire("r2")
    await control.retire("r3")
    assert [replace(r, age=0.0) for r in await control.replicas()] == [moved]


async def test_an_acknowledgement_is_no_heartbeat(control: Control) -> None:
    await control.acknowledge(REPLICA)
    assert await control.replicas() == []  # who is not registered has nothing to tell
    await control.beat(REPLICA)
    [before] = await control.replicas()
    while (await control.replicas())[0].age <= before.age:
        pass  # until the store's clock has moved on
    telling = replace(REPLICA, seen={"jobs": 9}, held={"jobs": "c9"})
    await control.acknowledge(telling)
    [after] = await control.replicas()
    assert replace(after, age=0.0) == telling and after.age > before.age


async def test_the_clock_is_one(control: Control) -> None:
    first = await control.now()
    assert abs(first - time.time() * 1000) < 60_000
    assert await control.now() >= first


async def test_the_audit_trail_is_newest_first(control: Control) -> None:
    entries = [
        AuditEntry(at, "ann", "move", name, "why", "MONGO_ONLY", "MONGO_PRIMARY", {"checks": [{"ok": True}]})
        for at, name in ((1, "jobs"), (2, "tasks"), (3, "jobs"))
    ]
    for entry in entries:
        await control.record_audit(entry)
    assert await control.audit("", 10) == entries[::-1]
    assert await control.audit("", 2) == entries[:0:-1]
    assert await control.audit("jobs", 10) == [entries[2], entries[0]]
    assert await control.audit("", 10, 2) == entries[1::-1]
    assert await control.audit("jobs", 10, 2) == [entries[0]]


async def test_a_job_is_its_latest_state(control: Control) -> None:
    assert await control.job("jobs", "verify") is None
    job = Job("jobs", "verify", "running", 3, 1, 2, {"equal": 10**10})
    await control.save_job(job)
    await control.save_job(replace(job, kind="backfill"))
    done = replace(job, state="finished", position="p", message="m")
    await control.save_job(done)
    assert await control.job("jobs", "verify") == done


async def test_a_job_is_swapped_only_while_it_stands(control: Control) -> None:
    job = Job("jobs", "backfill", "running", 3, 1, 2, {"copied": 1}, "run 1")
    await control.save_job(job)
    assert await control.running_jobs() == [job]
    paused = replace(job, state="paused", updated_at=3)
    assert await control.swap_job(job, paused)
    assert not await control.swap_job(job, replace(job, updated_at=4))
    assert not await control.swap_job(replace(paused, position="run 2"), job)
    assert not await control.swap_job(replace(job, collection="others"), job)
    assert await control.job("jobs", "backfill") == paused
    assert await control.running_jobs() == []


async def test_a_range_has_one_holder_at_a_time(control: Control) -> None:
    await control.lay_out("jobs", "backfill", "run", 2)
    await control.lay_out("jobs", "backfill", "run", 2)
    first = await control.claim_range("jobs", "backfill", "run", "$one", 60)
    second = await control.claim_range("jobs", "backfill", "run", "two", 60)
    assert first and second
    assert (first.number, first.holder, second.number, second.holder) == (0, "$one", 1, "two")
    assert await control.claim_range("jobs", "backfill", "run", "three", 60) is None
    assert await control.claim_range("jobs", "verify", "run", "three", 60) is None
    held = await control.ranges("jobs", "backfill", "run")
    assert [one.is_held for one in held] == [True, True]


async def test_a_range_goes_on_where_its_last_holder_stood(control: Control) -> None:
    await control.lay_out("jobs", "backfill", "run", 1)
    claimed = await control.claim_range("jobs", "backfill", "run", "one", 60)
    assert claimed
    saved = await control.save_range(replace(claimed, position="$p", counts={"a": 1, "b": 2}), 60)
    assert saved
    saved = await control.save_range(replace(saved, counts={"a": 2}), 0)
    assert saved
    again = await control.claim_range("jobs", "backfill", "run", "two", 60)
    assert again
    assert (again.position, again.counts, again.holder) == ("$p", {"a": 2}, "two")
    assert await control.save_range(replace(saved, position="q"), 60) is None
    assert await control.save_range(replace(again, is_done=True), 0)
    assert await control.claim_range("jobs", "backfill", "run", "three", 60) is None
    [done] = await control.ranges("jobs", "backfill", "run")
    assert (done.is_done, done.is_held, done.position) == (True, False, "$p")


async def test_the_range_of_a_dead_worker_is_taken_over_after_its_lease(control: Control) -> None:
    await control.lay_out("jobs", "backfill", "run", 1)
    assert await control.claim_range("jobs", "backfill", "run", "dead", 0.05)
    async with asyncio.timeout(10):
        while not (taken := await control.claim_range("jobs", "backfill", "run", "next", 60)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert taken.holder == "next"


async def test_claims_at_the_same_moment_get_different_ranges(control: Control) -> None:
    await control.lay_out("jobs", "verify", "run", 12)
    claims = [control.claim_range("jobs", "verify", "run", f"w{n}", 60) for n in range(12)]
    numbers = [one.number for one in await asyncio.gather(*claims) if one]
    assert sorted(numbers) == list(range(12))


async def test_a_new_run_forgets_the_ranges_of_the_last(control: Control) -> None:
    await control.lay_out("jobs", "verify", "old", 3)
    claimed = await control.claim_range("jobs", "verify", "old", "one", 60)
    await control.lay_out("jobs", "verify", "new", 2)
    assert claimed
    assert await control.save_range(claimed, 60) is None
    assert await control.ranges("jobs", "verify", "old") == []
    assert [one.number for one in await control.ranges("jobs", "verify", "new")] == [0, 1]


async def test_a_lease_has_one_holder(control: Control) -> None:
    assert await control.acquire_lease("l", "a", 60)
    assert await control.acquire_lease("l", "a", 60)
    assert not await control.acquire_lease("l", "b", 60)
    await control.release_lease("l", "b")
    assert not await control.acquire_lease("l", "b", 60)
    await control.release_lease("l", "a")
    assert await control.acquire_lease("l", "b", 60)
    winners = await asyncio.gather(*(control.acquire_lease("m", f"h{n}", 60) for n in range(8)))
    assert sum(winners) == 1


async def test_a_lease_runs_out(control: Control) -> None:
    assert await control.acquire_lease("l", "a", 0.05)
    async with asyncio.timeout(10):
        while not await control.acquire_lease("l", "b", 60):
            pass
    assert not await control.acquire_lease("l", "a", 60)


def divergence(number: int, **changes: Any) -> Divergence:
    found = Divergence(
        id=f"d{number}",
        collection="jobs",
        kind=Kind.TRUE_MISMATCH,
        key='{"a": 1}',
        operation="get",
        epoch=3,
        primary_version=Version(3, 2**60),
        mirror_version=None,
        differences=(FieldDifference("a.b", "1", None),),
        first_seen=number,
        last_seen=number,
        replica="r1",
    )
    return replace(found, **changes)


async def test_a_divergence_is_counted_where_it_is_known(log: DivergenceLog) -> None:
    await log.record(divergence(1))
    assert await log.list(DivergenceQuery()) == [divergence(1)]
    await log.record(divergence(1, first_seen=9, last_seen=9, replica="r2", differences=()))
    assert await log.list(DivergenceQuery()) == [divergence(1, last_seen=9, count=2)]
    await asyncio.gather(*(log.record(divergence(2)) for _ in range(8)))
    assert [row.count for row in await log.list(DivergenceQuery())] == [2, 8]


async def test_divergences_are_listed_newest_first_in_pages(log: DivergenceLog) -> None:
    for number in range(1, 6):
        kind = Kind.GHOST_IN_MIRROR if number % 2 else Kind.MISSING_IN_MIRROR
        await log.record(divergence(number, last_seen=number // 2, kind=kind))
    await log.record(divergence(6, collection="other"))
    rows: list[str] = []
    query = DivergenceQuery(collection="jobs", limit=2)
    while page := await log.list(query):
        rows += [row.id for row in page]
        query = replace(query, before=(page[-1].last_seen, page[-1].id))
    assert rows == ["d5", "d4", "d3", "d2", "d1"]
    assert [row.id for row in await log.list(DivergenceQuery(kind="MISSING_IN_MIRROR"))] == ["d4", "d2"]
    assert await log.counts("jobs") == {"GHOST_IN_MIRROR": 3, "MISSING_IN_MIRROR": 2}


async def test_a_closed_divergence_opens_when_it_is_seen_again(log: DivergenceLog) -> None:
    await log.record(divergence(1))
    assert await log.close("d1", "repaired")
    assert not await log.close("d1", "repaired")
    assert not await log.close("d2", "repaired")
    assert await log.counts("jobs") == {}
    assert await log.counts("jobs", "closed") == {"TRUE_MISMATCH": 1}
    await log.record(divergence(1))
    assert [(row.state, row.count) for row in await log.list(DivergenceQuery(state="open"))] == [("open", 2)]


async def test_a_divergence_remembers_its_life_with_evidence(log: DivergenceLog) -> None:
    await log.record(divergence(1))
    await log.record(divergence(2))
    assert await log.move("d1", Event.LOOK, "r1", "looks") is State.RECHECKING
    assert await log.move("d1", Event.MEND, "r2", "$applied {it}") is State.REPAIRED
    assert await log.counts("jobs") == {"TRUE_MISMATCH": 2}, "what is not closed counts"
    assert await log.move("d1", Event.AGREE, "r2", "both equal") is State.CLOSED
    assert await log.move("d1", Event.MEND, "r2", "too late") is None
    assert await log.move("nobody", Event.LOOK, "r1", "looks") is None
    await log.record(divergence(1, replica="r3", operation="verify"))
    found = (await log.get(["d1", "nobody"]))["d1"]
    assert [(step.state, step.who, step.evidence) for step in found.history] == [
        (State.RECHECKING, "r1", "looks"),
        (State.REPAIRED, "r2", "$applied {it}"),
        (State.CLOSED, "r2", "both equal"),
        (State.OPEN, "r3", "verify"),
    ]
    assert all(step.at > 1_600_000_000_000 for step in found.history)


async def test_a_divergence_remembers_only_the_latest_of_a_long_life(log: DivergenceLog) -> None:
    await log.record(divergence(1))
    for number in range(MOST_STEPS):
        await log.move("d1", Event.LOOK, "r1", f"look {number}")
        await log.move("d1", Event.DIFFER, "r1", f"differs {number}")
    [found] = (await log.get(["d1"])).values()
    assert len(found.history) == MOST_STEPS
    assert found.history[-1].evidence == f"differs {MOST_STEPS - 1}"


async def test_divergences_are_selected_by_what_is_left_and_when_they_were_seen(log: DivergenceLog) -> None:
    for number in range(1, 5):
        await log.record(divergence(number))
    await log.close("d2", "repaired")
    await log.move("d3", Event.LOOK, "r1", "looks")
    unclosed = await log.list(DivergenceQuery("jobs", is_unclosed=True))
    assert [row.id for row in unclosed] == ["d4", "d3", "d1"]
    assert [row.id for row in await log.list(DivergenceQuery("jobs", since=3))] == ["d4", "d3"]
    both = DivergenceQuery("jobs", is_unclosed=True, since=2, limit=1)
    assert [row.id for row in await log.list(replace(both, before=(4, "d4")))] == ["d3"]


async def test_a_replica_that_never_left_is_forgotten_an_hour_after_its_last_heartbeat(
    mongodb_uri: str, unique_name: str
) -> None:
    async with MongoStores.open(mongodb_uri) as mongo:
        control = MongoControl(mongo.client, unique_name)
        await control.prepare()
        await control.beat(REPLICA)
        replicas = mongo.client[unique_name]["replicas"]
        [index] = [one async for one in await replicas.list_indexes() if "expireAfterSeconds" in one]
        assert index["expireAfterSeconds"] == 3600
        [path] = index["key"]
        assert await replicas.count_documents({path: {"$type": "date"}}) == 1
        await mongo.client.drop_database(unique_name)
