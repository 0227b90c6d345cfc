"""Backfill on memory stores: complete, never twice, over nothing newer, taken up again after any kill."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.comparison import Kind
from proxy.core.errors import Overloaded, Reason, Refused, Unavailable
from proxy.core.exchange import DivergenceQuery
from proxy.core.stage import Stage, StoreName
from proxy.faultpoint import armed
from proxy.reconcile.backfill import backfill
from proxy.reconcile.charter import JobOrder
from proxy.reconcile.key import reconcile
from proxy.reconcile.pacing import Pacing
from tests.fixtures.yard import EPOCH, JOBS, NarrowStore, ShakyStore, Yard, key, record, tombstone
from tests.unit.reconcile.jobs import fill, follow_feed, followed_yard, job_of, kill_after, kill_at


async def test_everything_is_copied(yard: Yard) -> None:
    fill(yard, 100)
    job = await backfill(yard.site(), yard.door)
    assert yard.bench().differences() == []
    assert (job.state, dict(job.counts)) == ("finished", {"copied": 100})
    assert (job.done, job.total, job.workers) == (100, 100, 0)
    assert len(yard.dynamo.records) == 100


async def test_a_second_backfill_finds_everything_there(yard: Yard) -> None:
    fill(yard, 30)
    await backfill(yard.site(), yard.door)
    job = await backfill(yard.site(), yard.door)
    assert dict(job.counts) == {"present": 30}


async def test_nothing_newer_is_overwritten(yard: Yard) -> None:
    yard.mongo.put(key("a"), record((EPOCH, 5), 1, name="a"))
    yard.mongo.put(key("b"), record((EPOCH, 5), 1, name="b"))
    newer = record((EPOCH, 9), 2, name="a")
    yard.dynamo.put(key("a"), newer)
    yard.dynamo.put(key("b"), tombstone((EPOCH, 9), name="b"))

    await backfill(yard.site(), yard.door)
    assert all(held.version >= (EPOCH, 9) for held in yard.dynamo.records.values())
    assert yard.bench().differences() == []


async def test_a_killed_backfill_goes_on_and_counts_nothing_twice(yard: Yard) -> None:
    fill(yard, 100)
    kills = await kill_at("backfill.after_copy", 12, lambda: backfill(yard.site(), yard.door))
    assert kills > 5
    assert yard.bench().differences() == []
    assert sum((await job_of(yard, "backfill")).counts.values()) == 100


async def test_what_bypassing_writers_do_meanwhile_is_not_undone(yard: Yard) -> None:
    """The copy has read a document that is gone, or replaced and already reconciled, when it writes it."""
    fill(yard, 20)
    bench = yard.bench()
    victims = [key("k000"), key("k001")]

    async def interfere() -> None:
        yard.mongo.put(victims[0], None)
        bench.bypass("k001", "changed")
        await reconcile(victims, bench.pair, bench.clock, is_fresh=True)

    done = asyncio.Event()

    class Meddling(ShakyStore):
        async def apply(self, held: Any, *, is_metered: bool = False) -> Any:
            if not done.is_set() and held.key in victims and held.version == (0, 0):
                done.set()
                await interfere()
            return await super().apply(held, is_metered=is_metered)

    yard.stores[StoreName.DYNAMODB] = Meddling(JOBS, StoreName.DYNAMODB, yard.dynamo)
    await backfill(yard.site(), yard.door)
    assert done.is_set()
    assert bench.differences() == []


async def test_poisonous_documents_are_quarantined_and_told(yard: Yard) -> None:
    fill(yard, 20)
    yard.mongo.put(key("bad"), record(content=1, name="bad", poison=1))
    job = await backfill(yard.site(), yard.door)
    assert job.state == "finished"
    assert (job.counts["quarantined"], job.counts["copied"]) == (1, 20)
    [row] = await yard.divergences.list(DivergenceQuery("jobs"))
    assert row.kind is Kind.ERROR_PARITY
    assert "poison" in str(row.differences)


async def test_an_outage_of_the_mirror_is_waited_for(yard: Yard) -> None:
    fill(yard, 20)
    mirror = yard.stores[StoreName.DYNAMODB] = ShakyStore(JOBS, StoreName.DYNAMODB, yard.dynamo)
    mirror.error = Unavailable("down")
    task = asyncio.create_task(backfill(yard.site(), yard.door))
    await asyncio.sleep(0.05)
    mirror.error = None
    await task
    assert yard.bench().differences() == []


class ThrottlingStore(NarrowStore):
    """Refuses every third write, and every document the first time."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: set[Any] = set()
        self.refused = 0

    async def apply(self, record: Any, *, is_metered: bool = False) -> Any:
        if record.key not in self.seen and len(self.seen) % 3 == 0:
            self.seen.add(record.key)
            self.refused += 1
            raise Overloaded("too fast", Reason.STORE_THROTTLED)
        self.seen.add(record.key)
        return await super().apply(record, is_metered=is_metered)


async def test_what_is_throttled_is_copied_later_and_is_no_quarantine(yard: Yard) -> None:
    fill(yard, 12)
    mirror = ThrottlingStore(JOBS, StoreName.DYNAMODB, yard.dynamo)
    yard.stores[StoreName.DYNAMODB] = mirror
    job = await backfill(yard.site(), yard.door)
    assert mirror.refused >= 3
    assert dict(job.counts) == {"copied": 12}


class MeteredStore(NarrowStore):
    """Tells what a write costs only to those who ask, as DynamoDB does."""

    async def apply(self, record: Any, *, is_metered: bool = False) -> Any:
        applied = await super().apply(record, is_metered=is_metered)
        return replace(applied, units=7.0 if is_metered else 0.0)


@pytest.mark.parametrize(("limit", "asked"), [(1e9, 120), (None, 8)], ids=["limited", "unlimited"])
async def test_under_a_limit_every_copy_is_paid_with_what_it_cost(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, limit: float | None, asked: int
) -> None:
    """An average of some of them would let the rest spend too much, or too little."""
    fill(yard, 120)
    yard.stores[StoreName.DYNAMODB] = MeteredStore(JOBS, StoreName.DYNAMODB, yard.dynamo)
    told: list[float] = []

    def leave(pacing: Pacing, size: int, paid: float, took: float, seconds: float | None) -> None:
        told.append(took)
        pacing.window.leave(seconds)

    monkeypatch.setattr(Pacing, "leave", leave)
    await backfill(yard.site(), yard.door, JobOrder(max_units=limit))
    assert sorted(told) == [0.0] * (120 - asked) + [7.0] * asked


async def test_a_backfill_needs_somebody_who_follows(yard: Yard) -> None:
    yard.control._jobs.clear()
    with pytest.raises(Refused, match="no reconciler follows"):
        await backfill(yard.site(), yard.door)
    job = await job_of(yard, "backfill")
    assert (job.state, "no reconciler follows" in job.message) == ("failed", True)


async def test_a_backfill_needs_a_mirror(quick: None) -> None:
    yard = await followed_yard(Yard(Stage.MONGO_ONLY))
    with pytest.raises(Refused, match="no mirror"):
        await backfill(yard.site(), yard.door)


async def test_a_flip_ends_a_backfill(yard: Yard) -> None:
    fill(yard, 50)

    async def flip() -> None:
        if yard.door.published.stage is Stage.MONGO_PRIMARY:
            await yard.publish(Stage.DYNAMO_PRIMARY)
            await asyncio.sleep(0.05)

    with armed("backfill.after_copy", flip), pytest.raises(Refused, match="changed"):
        await backfill(yard.site(), yard.door)
    assert (await job_of(yard, "backfill")).state == "failed"


async def test_a_backfill_from_before_the_mirror_was_absent_begins_anew(yard: Yard) -> None:
    fill(yard, 50)
    assert await kill_after("backfill.after_copy", 6, lambda: backfill(yard.site(), yard.door))
    await yard.publish(Stage.MONGO_ONLY)
    yard.dynamo.records.clear()
    await yard.publish(Stage.MONGO_PRIMARY)
    await follow_feed(yard, EPOCH + 2)
    job = await backfill(yard.site(), yard.door)
    assert job.counts["copied"] == 50
    assert yard.bench().differences() == []
