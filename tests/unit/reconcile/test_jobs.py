"""Backfill, verify and repair on memory stores: complete, never twice, taken up again after any kill."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.comparison import Kind
from proxy.core.document import Document
from proxy.core.errors import Contended, Refused, Unavailable
from proxy.core.exchange import DivergenceQuery
from proxy.core.flag import Job
from proxy.core.stage import Stage, StoreName
from proxy.faultpoint import armed
from proxy.reconcile import backfill as backfill_module
from proxy.reconcile import job as job_module
from proxy.reconcile.backfill import BackfillOptions, backfill
from proxy.reconcile.checkpoint import Health, Place, feed_job
from proxy.reconcile.progress import Progress
from proxy.reconcile.rate import Rate
from proxy.reconcile.repair import repair, repair_open
from proxy.reconcile.verify import VerifyOptions, verify
from tests.fixtures.yard import EPOCH, JOBS, ShakyStore, Yard, key, record, tombstone

SMALL = BackfillOptions(segments=3, chunk=5)
CLOSE = VerifyOptions(segments=3, chunk=5, rechecks=2)
Work = Callable[[], Coroutine[Any, Any, Job]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "CHECKPOINT", 0.005)
    monkeypatch.setattr(backfill_module, "FEED_TIMEOUT", 0.1)


@pytest.fixture
async def yard() -> Yard:
    """A collection whose feed is followed, so that a backfill may begin."""
    yard = Yard()
    await yard.open()
    place = Place(StoreName.MONGODB, "0", "0")
    await yard.control.save_job(feed_job("jobs", EPOCH, place, Health(1), {}, 1))
    return yard


def fill(yard: Yard, count: int) -> None:
    """Legacy documents, and among them a tombstone and versioned ones."""
    for number in range(count):
        name = f"k{number:03}"
        held = record(content=number, name=name)
        if number % 10 == 3:
            held = record((EPOCH, 5), number, name=name)
        if number % 10 == 7:
            held = tombstone((EPOCH, 5), name=name)
        yard.mongo.put(key(name), held)


class Killed(Exception):
    """The process dies."""


async def kill_at(moment: str, times: int, work: Work) -> int:
    """Run `work` again and again, killed each time at the n-th passing of a moment, then to its end."""
    kills = 0
    for number in range(1, times + 1):
        passed = itertools.count(1)
        task = asyncio.create_task(work())

        async def die(count: Any = passed, at: int = number, task: Any = task) -> None:
            if next(count) == at:
                task.cancel()

        with armed(moment, die):
            try:
                await task
            except asyncio.CancelledError:
                kills += 1
    await work()
    return kills


async def test_everything_is_copied(yard: Yard) -> None:
    fill(yard, 100)
    job = await backfill(yard.site(), yard.door, SMALL)
    assert yard.bench().differences() == []
    assert (job.state, dict(job.counts)) == ("finished", {"copied": 100})
    assert len(yard.dynamo.records) == 100


async def test_a_second_backfill_finds_everything_there(yard: Yard) -> None:
    fill(yard, 30)
    await backfill(yard.site(), yard.door, SMALL)
    job = await backfill(yard.site(), yard.door, SMALL)
    assert dict(job.counts) == {"present": 30}


async def test_nothing_newer_is_overwritten(yard: Yard) -> None:
    yard.mongo.put(key("a"), record((EPOCH, 5), 1, name="a"))
    yard.mongo.put(key("b"), record((EPOCH, 5), 1, name="b"))
    newer = record((EPOCH, 9), 2, name="a")
    yard.dynamo.put(key("a"), newer)
    yard.dynamo.put(key("b"), tombstone((EPOCH, 9), name="b"))

    await backfill(yard.site(), yard.door, SMALL)
    assert all(held.version >= (EPOCH, 9) for held in yard.dynamo.records.values())
    assert yard.bench().differences() == []


async def test_a_killed_backfill_goes_on_and_counts_nothing_twice(yard: Yard) -> None:
    fill(yard, 100)
    kills = await kill_at("backfill.after_chunk", 12, lambda: backfill(yard.site(), yard.door, SMALL))
    job = await yard.control.job("jobs", "backfill")
    assert job is not None
    assert kills > 5
    assert yard.bench().differences() == []
    assert sum(job.counts.values()) == 100


async def test_what_bypassing_writers_do_meanwhile_is_not_undone(yard: Yard) -> None:
    """The copy has read a document that is gone, or replaced and already reconciled, when it writes it."""
    from proxy.reconcile.key import reconcile

    fill(yard, 20)
    bench = yard.bench()
    victims = [key("k000"), key("k001")]

    async def interfere() -> None:
        yard.mongo.put(victims[0], None)
        bench.bypass("k001", "changed")
        await reconcile(victims, bench.pair, bench.clock, is_fresh=True)

    done = asyncio.Event()

    class Meddling(ShakyStore):
        async def apply(self, held: Any) -> Any:
            if not done.is_set() and held.key in victims and held.version == (0, 0):
                done.set()
                await interfere()
            return await super().apply(held)

    yard.stores[StoreName.DYNAMODB] = Meddling(JOBS, StoreName.DYNAMODB, yard.dynamo)
    await backfill(yard.site(), yard.door, SMALL)
    assert done.is_set()
    assert bench.differences() == []


async def test_poisonous_documents_are_quarantined_and_told(yard: Yard) -> None:
    fill(yard, 20)
    yard.mongo.put(key("bad"), record(content=1, name="bad", poison=1))
    job = await backfill(yard.site(), yard.door, SMALL)
    assert job.counts["quarantined"] == 1
    [row] = await yard.divergences.list(DivergenceQuery("jobs"))
    assert row.kind is Kind.ERROR_PARITY
    assert "poison" in str(row.differences)


async def test_an_outage_of_the_mirror_is_waited_for(yard: Yard) -> None:
    fill(yard, 20)
    mirror = yard.stores[StoreName.DYNAMODB] = ShakyStore(JOBS, StoreName.DYNAMODB, yard.dynamo)
    mirror.error = Unavailable("down")
    task = asyncio.create_task(backfill(yard.site(), yard.door, SMALL))
    await asyncio.sleep(0.05)
    mirror.error = None
    await task
    assert yard.bench().differences() == []


async def test_a_backfill_needs_somebody_who_follows(yard: Yard) -> None:
    yard.control._jobs.clear()
    with pytest.raises(Refused, match="no reconciler follows"):
        await backfill(yard.site(), yard.door, SMALL)


async def test_a_backfill_needs_a_mirror() -> None:
    yard = Yard(Stage.MONGO_ONLY)
    await yard.open()
    await yard.control.save_job(feed_job("jobs", 1, Place(StoreName.MONGODB, "0", "0"), Health(1), {}, 1))
    with pytest.raises(Refused, match="no mirror"):
        await backfill(yard.site(), yard.door, SMALL)


async def test_only_one_replica_at_a_time(yard: Yard) -> None:
    await yard.control.acquire_lease("backfill/jobs", "another", 60)
    with pytest.raises(Contended):
        await backfill(yard.site(), yard.door, SMALL)


async def test_a_flip_ends_a_backfill(yard: Yard) -> None:
    fill(yard, 50)

    async def flip() -> None:
        if yard.door.published.stage is Stage.MONGO_PRIMARY:
            await yard.publish(Stage.DYNAMO_PRIMARY)

    with armed("backfill.after_chunk", flip), pytest.raises(Refused, match="changed"):
        await backfill(yard.site(), yard.door, SMALL)
    job = await yard.control.job("jobs", "backfill")
    assert job is not None
    assert job.state == "failed"


async def test_a_backfill_from_before_the_mirror_was_absent_begins_anew(yard: Yard) -> None:
    fill(yard, 50)
    await kill_after(yard, chunks=6)
    await yard.publish(Stage.MONGO_ONLY)
    yard.dynamo.records.clear()
    await yard.publish(Stage.MONGO_PRIMARY)
    place = Place(StoreName.MONGODB, "0", "0")
    await yard.control.save_job(feed_job("jobs", EPOCH + 2, place, Health(1), {}, 1))
    job = await backfill(yard.site(), yard.door, SMALL)
    assert job.counts["copied"] == 50
    assert yard.bench().differences() == []


async def kill_after(yard: Yard, chunks: int) -> None:
    task = asyncio.create_task(backfill(yard.site(), yard.door, SMALL))
    left = chunks

    async def die() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            task.cancel()

    with armed("backfill.after_chunk", die):
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_a_rate_is_kept() -> None:
    rate = Rate(1000)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(10):
        await rate.take(10)
    assert 0.085 <= loop.time() - began < 1.0


PLANTED = {
    "k011": Kind.MISSING_IN_MIRROR,
    "k012": Kind.GHOST_IN_MIRROR,
    "k013": Kind.TRUE_MISMATCH,
    "k014": Kind.VERSION_CONFLICT,
    "k015": Kind.STUCK_LAG,
    "k016": Kind.MIRROR_AHEAD,
    "k018": Kind.GHOST_IN_MIRROR,
    "k019": Kind.STUCK_LAG,
}


def plant(yard: Yard) -> None:
    """One corruption of each kind, in documents that were equal."""
    for number in range(30):
        name = f"k{number:03}"
        for table in (yard.mongo, yard.dynamo):
            table.put(key(name), record((EPOCH, 5), number, name=name))
    yard.dynamo.records.pop(key("k011"))
    yard.mongo.records.pop(key("k012"))
    changed = record((EPOCH, 5), 13.0, name="k013", more="x")
    yard.dynamo.put(key("k013"), changed)
    yard.dynamo.put(key("k014"), record((EPOCH, 5), 14, name="k014", made_by=99))
    yard.dynamo.put(key("k015"), record((EPOCH, 4), 15, name="k015"))
    yard.dynamo.put(key("k016"), record((EPOCH, 6), 16, name="k016"))
    both = tombstone((EPOCH, 6), name="k017")
    yard.mongo.put(key("k017"), both)
    yard.dynamo.put(key("k017"), replace(both, op=b"another"))
    yard.mongo.records.pop(key("k018"))
    yard.mongo.put(key("k019"), tombstone((EPOCH, 6), name="k019"))


async def found(yard: Yard) -> dict[str, Kind]:
    rows = await yard.divergences.list(DivergenceQuery("jobs", state="open"))
    return {row.key.split('"')[7]: row.kind for row in rows}


async def test_every_planted_corruption_is_found_and_nothing_else(yard: Yard) -> None:
    plant(yard)
    job = await verify(yard.site(), yard.door, CLOSE)
    assert await found(yard) == PLANTED
    assert job.state == "finished"
    assert (job.counts["documents"], job.counts["extras"]) == (28, 29)
    assert job.counts["MATCH"] == 30 - len(PLANTED)
    assert {kind: n for kind, n in job.counts.items() if kind in Kind.__members__ and kind != "MATCH"} == {
        "MISSING_IN_MIRROR": 1,
        "GHOST_IN_MIRROR": 2,
        "TRUE_MISMATCH": 1,
        "VERSION_CONFLICT": 1,
        "STUCK_LAG": 2,
        "MIRROR_AHEAD": 1,
    }


async def test_a_difference_of_representation_is_counted_apart(yard: Yard) -> None:
    yard.mongo.put(key(), record((EPOCH, 5), 1))
    yard.dynamo.put(key(), replace(record((EPOCH, 5), 1), document=Document({"a": "x", "b": "k", "n": 1.0})))
    job = await verify(yard.site(), yard.door, CLOSE)
    assert job.counts["REPRESENTATION"] == 1
    assert await found(yard) == {}


async def test_what_heals_meanwhile_is_not_reported(yard: Yard) -> None:
    fill(yard, 40)
    mirrored = asyncio.create_task(backfill(yard.site(), yard.door, SMALL))
    job = await verify(yard.site(), yard.door, CLOSE)
    await mirrored
    assert await found(yard) == {}
    assert job.counts["MATCH"] == 40


async def test_a_busy_document_is_no_divergence(yard: Yard) -> None:
    bench = yard.bench()
    bench.put(record((EPOCH, 1)), record((EPOCH, 1)))
    running = asyncio.create_task(verify(yard.site(), yard.door, CLOSE))
    for revision in itertools.count(2):
        written = record((EPOCH, revision), revision)
        yard.mongo.put(key(), written)
        await asyncio.sleep(0.001)
        yard.dynamo.put(key(), written)
        await asyncio.sleep(0)
        if running.done():
            break
    await running
    assert await found(yard) == {}


async def test_a_killed_verify_goes_on_and_counts_nothing_twice(yard: Yard) -> None:
    plant(yard)
    kills = await kill_at("verify.after_chunk", 10, lambda: verify(yard.site(), yard.door, CLOSE))
    job = await yard.control.job("jobs", "verify")
    assert job is not None
    assert kills > 5
    assert await found(yard) == PLANTED
    assert (job.counts["documents"], job.counts["extras"]) == (28, 29)
    assert job.counts["MATCH"] == 30 - len(PLANTED)


async def test_a_verify_of_a_clean_collection_that_has_grown_finds_nothing(yard: Yard) -> None:
    fill(yard, 60)
    await backfill(yard.site(), yard.door, SMALL)
    job = await verify(yard.site(), yard.door, CLOSE)
    assert set(job.counts) == {"MATCH", "documents", "extras"}


async def test_an_outage_of_a_store_is_waited_for_by_verify(yard: Yard) -> None:
    plant(yard)
    primary = yard.stores[StoreName.MONGODB] = ShakyStore(JOBS, StoreName.MONGODB, yard.mongo)
    primary.error = Unavailable("down")
    task = asyncio.create_task(verify(yard.site(), yard.door, CLOSE))
    await asyncio.sleep(0.05)
    primary.error = None
    await task
    assert await found(yard) == PLANTED


async def test_repair_closes_everything_with_evidence(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    report = await repair_open(yard.site(), yard.door)
    assert await found(yard) == {}
    assert (report.closed, report.unequal, report.unnamed) == (len(PLANTED), (), 0)
    assert yard.bench().differences() == []
    again = await verify(yard.site(), yard.door, CLOSE)
    assert set(again.counts) == {"MATCH", "documents", "extras"}


async def test_repair_leaves_open_what_the_mirror_cannot_hold(yard: Yard) -> None:
    yard.mongo.put(key(), record((EPOCH, 5), 1, poison=1))
    await verify(yard.site(), yard.door, CLOSE)
    report = await repair_open(yard.site(), yard.door)
    assert report.results == {"quarantined": 1}
    assert report.unequal == (key(),)
    rows = await yard.divergences.list(DivergenceQuery("jobs", state="open"))
    assert {row.kind for row in rows} == {Kind.MISSING_IN_MIRROR, Kind.ERROR_PARITY}


async def test_repair_of_a_key_that_is_well_closes_its_divergences(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    yard.dynamo.put(key("k011"), yard.mongo.records[key("k011")])
    report = await repair(yard.site(), yard.door, [key("k011")])
    assert (report.results, report.closed) == ({"equal": 1}, 1)


async def test_a_job_of_a_new_direction_is_not_resumed(yard: Yard) -> None:
    fill(yard, 10)
    progress = Progress(6)
    text = progress.to_text("verify mongodb")
    assert Progress.from_text(text, "verify dynamodb", {}) is None
    assert Progress.from_text("{}", "verify mongodb", {}) is None
    assert Progress.from_text(text, "verify mongodb", {"MATCH": 2}) is not None


def test_a_part_stands_only_after_what_is_complete() -> None:
    progress = Progress(1)
    chunks = [progress.begin(0, key(f"k{n}")) for n in range(3)]
    for chunk in chunks:
        chunk.counts["documents"] = 1
    progress.complete(0, chunks[2])
    progress.complete(0, chunks[1])
    assert (progress.parts[0].after, progress.counts) == (None, {})
    progress.complete(0, chunks[0])
    assert (progress.parts[0].after, progress.counts) == (key("k2"), {"documents": 3})


def test_a_part_is_not_done_before_its_last_chunk_is() -> None:
    progress = Progress(1)
    chunk = progress.begin(0, key())
    progress.finish(0)
    resumed = Progress.from_text(progress.to_text("s"), "s", {})
    assert resumed is not None
    assert not resumed.parts[0].is_done
    progress.complete(0, chunk)
    resumed = Progress.from_text(progress.to_text("s"), "s", {})
    assert resumed is not None
    assert resumed.parts[0].is_done
