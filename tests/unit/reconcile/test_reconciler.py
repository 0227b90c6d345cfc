"""The reconciler on memory stores: what bypassing writers and crashed proxies leave, leases, gaps, drains."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from proxy.core.document import Document
from proxy.core.errors import Unavailable
from proxy.core.exchange import DivergenceQuery, FeedLost
from proxy.core.flag import Change, Job
from proxy.core.stage import Stage, StoreName
from proxy.core.version import Record
from proxy.core.write import Command, Delete, Insert, Replace
from proxy.reconcile import reconciler as module
from proxy.reconcile import tail
from proxy.reconcile.checkpoint import FAILED, RECENT, RUNNING, adopted_kind, place_in, secured_kind
from proxy.reconcile.reconciler import Reconciler
from proxy.stores.memory.feed import MemoryFeed
from tests.fixtures.yard import EPOCH, GONE, JOBS, ShakyStore, Yard, key, record, tombstone, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "TICK": 0.01,
        "CHECKPOINT": 0.01,
        "SIGN_OF_LIFE": 0.05,
        "TIP": 0.02,
        "LEASE": 0.5,
    }.items():
        monkeypatch.setattr(module, name, seconds)


@pytest.fixture
async def yard() -> Yard:
    yard = Yard()
    await yard.open()
    return yard


@asynccontextmanager
async def running(yard: Yard, replica: str = "r1", collections: int = 1) -> AsyncIterator[Reconciler]:
    reconciler = Reconciler(yard.site(replica), yard.door, collections)
    task = asyncio.create_task(reconciler.run())
    try:
        yield reconciler
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def feed_job(yard: Yard) -> Job:
    job = await yard.control.job("jobs", "feed")
    assert job is not None
    return job


async def is_saved(yard: Yard) -> bool:
    return await yard.control.job("jobs", "feed") is not None


async def test_what_a_crashed_proxy_left_is_mirrored(yard: Yard) -> None:
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        yard.mongo.put(key(), record((EPOCH, 3)))
        assert await reconciler.drain(5)
        assert yard.bench().differences() == []
        assert yard.dynamo.records[key()].version == (EPOCH, 3)


async def test_what_bypassing_writers_do_is_stamped_mirrored_and_counted(yard: Yard) -> None:
    bench = yard.bench()
    bench.put(record((EPOCH, 3)), record((EPOCH, 3)))
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        for change in (2, 3, GONE, 4):
            bench.bypass("k", change)
            assert await reconciler.drain(5)
            assert bench.differences() == []
        assert reconciler.status().counts["bypass"] >= 3
        assert abs(reconciler.status().bypass_at - yard.clock.now()) < 5000
        held = bench.held()[1]
        assert held is not None
        assert held.document is not None
        assert held.document.fields["n"] == 4


async def test_a_position_is_taken_up_by_the_next_process(yard: Yard) -> None:
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        yard.mongo.put(key("a"), record((EPOCH, 3), name="a"))
        assert await reconciler.drain(5)
    yard.mongo.put(key("b"), record((EPOCH, 3), name="b"))
    async with running(yard, "r2") as reconciler:
        assert await reconciler.drain(5)
        assert yard.bench().differences() == []


async def test_many_collections_take_fewer_positions_and_follow_as_soon_as_they_are_told() -> None:
    yard = Yard(Stage.MONGO_ONLY)
    await yard.open()
    async with running(yard, collections=100_000) as reconciler:  # the next position is due in an hour
        await until(lambda: is_saved(yard))
        first = await feed_job(yard)
        await asyncio.sleep(10 * module.TIP)
        assert await feed_job(yard) == first
        await yard.publish(Stage.MONGO_PRIMARY)
        reconciler.wake()
        await until(lambda: reconciler.status().following is StoreName.MONGODB)


async def test_who_starts_where_a_position_is_kept_takes_none_at_once() -> None:
    yard = Yard(Stage.MONGO_ONLY)
    await yard.open()
    async with running(yard):
        await until(lambda: is_saved(yard))
    kept = await feed_job(yard)
    async with running(yard, "r2", collections=100_000) as reconciler:  # a position is due in an hour
        await until(lambda: reconciler.status().is_leading)
        await asyncio.sleep(10 * module.TIP)
        assert await feed_job(yard) == kept
        await yard.publish(Stage.MONGO_PRIMARY)
        yard.mongo.put(key(), record((EPOCH, 3)))
        reconciler.wake()
        assert await reconciler.drain(5)
        assert yard.bench().differences() == []


@pytest.mark.parametrize(("state", "age"), [(RUNNING, RECENT), (FAILED, 0)], ids=["old", "failed"])
async def test_a_kept_position_that_is_of_no_use_is_renewed_at_once(state: str, age: float) -> None:
    """With it, the first pass of a collection that gets its mirror now would tell of a gap that is none."""
    yard = Yard(Stage.MONGO_ONLY)
    await yard.open()
    async with running(yard):
        await until(lambda: is_saved(yard))
    await yard.control.save_job(replace(await feed_job(yard), state=state))
    kept = await feed_job(yard)
    yard.clock.ahead += int(age * 1000)

    async def is_renewed() -> bool:
        job = await feed_job(yard)
        return job.updated_at > kept.updated_at and job.state == RUNNING

    async with running(yard, "r2", collections=100_000):  # the next position is due in an hour
        await until(is_renewed)


async def test_a_kept_position_is_renewed_when_its_turn_comes() -> None:
    yard = Yard(Stage.MONGO_ONLY)
    await yard.open()
    async with running(yard):
        await until(lambda: is_saved(yard))
    kept = await feed_job(yard)

    async def is_renewed() -> bool:
        return await feed_job(yard) != kept

    async with running(yard, "r2"):
        await until(is_renewed)


async def test_nothing_falls_between_mongo_only_and_the_publication_of_a_mirror() -> None:
    yard = Yard(Stage.MONGO_ONLY)
    await yard.open()
    async with running(yard):
        await until(lambda: is_saved(yard))
    await yard.publish(Stage.MONGO_PRIMARY)
    bench = yard.bench()
    bench.put(record((EPOCH, 3)), record((EPOCH, 3)))
    bench.bypass("k", GONE)  # nobody follows, and no scan will ever find it
    async with running(yard) as reconciler:
        assert await reconciler.drain(5)
        assert bench.differences() == []


@pytest.mark.parametrize("left", [record((EPOCH, 4)), tombstone((EPOCH, 4))], ids=["by others", "by a proxy"])
async def test_who_deleted_what_the_mirror_never_had_is_told_apart(left: Record) -> None:
    """A document is deleted just before there is a mirror; a proxy's tombstone is gone by then."""
    yard = Yard(Stage.MONGO_ONLY)
    await yard.open()
    async with running(yard):
        await until(lambda: is_saved(yard))
    yard.mongo.put(key(), record((EPOCH, 3)))
    yard.mongo.put(key(), left)
    yard.mongo.put(key(), None)
    await yard.publish(Stage.MONGO_PRIMARY)
    async with running(yard) as reconciler:
        assert await reconciler.drain(5)
        assert reconciler.status().counts["bypass"] == (not left.is_tombstone)
        assert yard.bench().differences() == []


async def test_a_replica_that_has_not_heard_of_the_mirror_yet_asks_now_and_then_and_not_without_end() -> None:
    yard = Yard(Stage.MONGO_ONLY)
    await yard.open()
    heard = yard.door.published
    await yard.publish(Stage.MONGO_PRIMARY)
    yard.door.published = heard
    asked = 0

    class CountedFeed(MemoryFeed):
        async def tip(self) -> str:
            nonlocal asked
            asked += 1
            return await super().tip()

    yard.feeds[StoreName.MONGODB] = CountedFeed(yard.mongo, yard.clock)
    async with running(yard):
        await until(lambda: asked >= 2)
        assert asked == 2


async def test_a_tip_from_after_the_publication_of_a_mirror_is_not_kept() -> None:
    """The reconciler still believes that there is no mirror, and would jump over what came since."""
    yard = Yard(Stage.MONGO_ONLY)
    await yard.open()

    class LateFeed(MemoryFeed):
        tips = 0

        async def tip(self) -> str:
            self.tips += 1
            if self.tips == 3:
                await yard.publish(Stage.MONGO_PRIMARY)
                yard.mongo.put(key(), record((EPOCH, 3)))
            return await super().tip()

    yard.feeds[StoreName.MONGODB] = LateFeed(yard.mongo, yard.clock)
    async with running(yard) as reconciler:
        await until(lambda: reconciler.status().following is not None)
        assert await reconciler.drain(5)
        assert yard.bench().differences() == []


async def test_one_replica_leads_and_another_takes_over(yard: Yard) -> None:
    async with running(yard, "r1") as first:
        await until(lambda: first.status().is_leading and first.status().following is not None)
        async with running(yard, "r2") as second:
            await asyncio.sleep(0.05)
            assert not second.status().is_leading
            assert second.status().following is None
            yard.control._leases.clear()  # r1 is paused past its lease
            await yard.control.acquire_lease("reconciler/jobs", "r2", 60)
            await until(lambda: second.status().is_leading)
            await until(lambda: not first.status().is_leading)


async def test_a_replica_without_the_lease_drains_all_the_same(yard: Yard) -> None:
    await yard.control.acquire_lease("reconciler/jobs", "a dead replica", 60)
    async with running(yard) as reconciler:
        reconciler.attend(5)
        await until(lambda: reconciler.status().following is not None)
        yard.mongo.put(key(), record((EPOCH, 3)))
        assert await reconciler.drain(5)
        assert not reconciler.status().is_leading
        assert yard.bench().differences() == []


async def test_a_prepared_drain_secures_nothing_again_until_the_epoch_is_over(yard: Yard) -> None:
    async with running(yard) as reconciler:
        await reconciler.make_ready(5)
        before = await yard.control.job("jobs", secured_kind(StoreName.DYNAMODB))
        yard.mongo.put(key(), record((EPOCH, 3)))
        assert await reconciler.drain(5)
        assert before and await yard.control.job("jobs", secured_kind(StoreName.DYNAMODB)) == before
        assert yard.bench().differences() == []
        await yard.publish(Stage.DYNAMO_PRIMARY)
        assert await reconciler.drain(5)
        after = await yard.control.job("jobs", secured_kind(StoreName.DYNAMODB))
        assert after and after.epoch == EPOCH + 1


async def test_a_drain_that_cannot_be_prepared_is_not_awaited(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WARM_UP", 0.05)
    await Reconciler(yard.site("r1"), yard.door).make_ready(5)  # it does not run: nothing is followed
    assert await yard.control.job("jobs", secured_kind(StoreName.MONGODB)) is not None


async def test_a_drain_waits_for_what_the_mirror_does_not_take_yet(yard: Yard) -> None:
    mirror = yard.stores[StoreName.DYNAMODB] = ShakyStore(JOBS, StoreName.DYNAMODB, yard.dynamo)
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        mirror.error = Unavailable("down")
        yard.mongo.put(key(), record((EPOCH, 3)))
        assert not await reconciler.drain(0.1)
        await until(lambda: reconciler.status().lag is not None and reconciler.status().lag.documents == 1)  # type: ignore[union-attr]
        mirror.error = None
        assert await reconciler.drain(5)
        assert yard.bench().differences() == []


async def test_a_lag_is_told_while_the_mirror_is_down(yard: Yard) -> None:
    mirror = yard.stores[StoreName.DYNAMODB] = ShakyStore(JOBS, StoreName.DYNAMODB, yard.dynamo)
    async with running(yard):
        await until(lambda: is_saved(yard))
        mirror.error = Unavailable("down")
        yard.mongo.put(key(), record((EPOCH, 3)))

        async def lags() -> bool:
            return (await feed_job(yard)).counts.get("lag_ms", 0) > 150

        await until(lags)
        mirror.error = None

        async def is_close() -> bool:
            return (await feed_job(yard)).counts["lag_ms"] == 0

        await until(is_close)


async def test_a_drain_is_refused_while_a_document_cannot_be_mirrored(yard: Yard) -> None:
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        gate = asyncio.Event()
        mark = yard.feeds[StoreName.MONGODB].mark

        async def mark_later() -> str:
            yard.mongo.put(key(), record((EPOCH, 3), poison=1))
            gate.set()
            return await mark()

        yard.feeds[StoreName.MONGODB].mark = mark_later  # type: ignore[method-assign]
        assert not await reconciler.drain(5)
        assert gate.is_set()
        [row] = await yard.divergences.list(DivergenceQuery("jobs"))
        assert (row.kind.value, row.state) == ("ERROR_PARITY", "open")
        yard.feeds[StoreName.MONGODB].mark = mark  # type: ignore[method-assign]
        yard.mongo.put(key(), record((EPOCH, 4)))
        assert await reconciler.drain(5)
        [row] = await yard.divergences.list(DivergenceQuery("jobs"))
        assert row.state == "closed"


async def test_a_lost_feed_is_an_alarm_until_a_verify_that_began_after_it(yard: Yard) -> None:
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        assert await reconciler.drain(5)
        assert (await feed_job(yard)).state == RUNNING
    for number in range(3):
        yard.mongo.put(key(), record((EPOCH, number + 1)))
    yard.feeds[StoreName.MONGODB].oldest = 2
    before = await yard.control.now()
    async with running(yard) as reconciler:

        async def is_alarmed() -> bool:
            return (await feed_job(yard)).state == FAILED

        await until(is_alarmed)
        assert "full verify" in (await feed_job(yard)).message
        assert not await reconciler.drain(5), "a change that began before the gap is not let through"
        known = await yard.control.now() + 1
        assert await reconciler.drain(5, gaps_known_at=known), "new writes are mirrored all the same"
        await save_verify(yard, started_at=before - 1000)
        await asyncio.sleep(0.1)
        assert await is_alarmed(), "a verify from before the gap has seen nothing of it"
        await save_verify(yard, started_at=await yard.control.now() + 1)

        async def is_over() -> bool:
            return (await feed_job(yard)).state == RUNNING

        await until(is_over)
        assert reconciler.status().message == ""


async def save_verify(yard: Yard, started_at: int) -> None:
    await yard.control.save_job(Job("jobs", "verify", "finished", EPOCH, started_at, started_at, {}))


async def test_a_drain_does_not_pass_over_a_gap(yard: Yard) -> None:
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        await until(lambda: reconciler.status().following is not None)
        mark = yard.feeds[StoreName.MONGODB].mark

        async def lose_and_mark() -> str:
            yard.feeds[StoreName.MONGODB].mark = mark  # type: ignore[method-assign]
            yard.mongo.put(key(), record((EPOCH, 3)))
            yard.feeds[StoreName.MONGODB].oldest = len(yard.mongo.events)
            return await mark()

        yard.feeds[StoreName.MONGODB].mark = lose_and_mark  # type: ignore[method-assign]
        assert not await reconciler.drain(5)
        assert not await reconciler.drain(5), "nor does the next one, for the gate was passed before"
        await save_verify(yard, started_at=await yard.control.now() + 1)
        await until(lambda: reconciler.status().message == "")
        assert await reconciler.drain(5)


async def test_mirror_writes_that_come_late_change_nothing(yard: Yard) -> None:
    bench, late = yard.bench(), [record((EPOCH, 3), 1, name=name) for name in ("gone", "new")]
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        for held in late:
            yard.mongo.put(held.key, held)
            yard.mongo.put(held.key, None)
        bench.bypass("new", 2)
        assert await reconciler.drain(5)
        for held in late:
            await bench.mirror.apply(held)
        assert await reconciler.drain(5)
        assert bench.differences() == []


async def test_after_a_flip_the_other_feed_is_followed_from_before_it(yard: Yard) -> None:
    bench = yard.bench()
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        assert await reconciler.drain(5)
    await yard.publish(Stage.DYNAMO_PRIMARY)
    yard.dynamo.put(key(), record((EPOCH + 1, 9)))  # before any reconciler follows DynamoDB
    async with running(yard) as reconciler:
        assert await reconciler.drain(5)
        assert (await feed_job(yard)).state == RUNNING
    assert bench.differences() == []


async def test_the_first_pass_over_a_new_primary_without_a_secured_position_is_a_gap(yard: Yard) -> None:
    async with running(yard):
        await until(lambda: is_saved(yard))
    await yard.publish(Stage.DYNAMO_PRIMARY)
    async with running(yard) as reconciler:
        await until(lambda: reconciler.status().following is StoreName.DYNAMODB)
        assert "no position was kept" in reconciler.status().message


async def test_an_epoch_is_stamped_only_once_it_is_published() -> None:
    """A stale replica's write in DynamoDB, late in a way back: MongoDB already wants e + 1, whose primary
    MongoDB itself may be at any moment. It waits until the change ended, here in an abort."""
    yard = Yard(Stage.DYNAMO_PRIMARY)
    await yard.open()
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        flag = await yard.control.flag("jobs")
        change = Change("c", Stage.MONGO_PRIMARY, "a", "r", 0, "r1", 0)
        assert await yard.control.swap(flag, flag.begin(change))
        yard.dynamo.put(key(), record((EPOCH, 9)))
        assert await reconciler.drain(5), "before the fence it is brought over as it is"
        yard.mongo.fence = EPOCH + 1
        yard.dynamo.put(key("late"), record((EPOCH, 9), name="late"))
        assert not await reconciler.drain(0.2)
        assert yard.dynamo.records[key("late")].version.epoch == EPOCH
        kept = await yard.control.job("jobs", adopted_kind(StoreName.MONGODB))
        assert kept is None, "nothing is adopted where the primary takes stamps"
        await yard.publish(Stage.DYNAMO_PRIMARY)
        assert await reconciler.drain(5)
        assert yard.mongo.records[key("late")].version.epoch == EPOCH + 1
        assert yard.bench().differences() == []


async def begin_change(yard: Yard, target: Stage) -> None:
    flag = await yard.control.flag("jobs")
    change = Change("c", target, "a", "r", 0, "r1", 0)
    assert await yard.control.swap(flag, flag.begin(change))


@asynccontextmanager
async def led_by_somebody(yard: Yard) -> AsyncIterator[None]:
    """Whoever else follows the feed within the block has no lease, and saves no position."""
    assert await yard.control.acquire_lease("reconciler/jobs", "somebody", 60)
    yield
    await yard.control.release_lease("reconciler/jobs", "somebody")


async def raise_the_fence(yard: Yard) -> None:
    """A change to DynamoDB has begun, somebody follows the feed, and MongoDB takes nothing of our epoch."""
    await until(lambda: is_saved(yard))
    await begin_change(yard, Stage.DYNAMO_PRIMARY)
    yard.mongo.fence = EPOCH + 1


@pytest.mark.parametrize("end", [Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY], ids=["published", "aborted"])
async def test_what_bypassing_writers_did_just_before_the_fence_does_not_hold_up_a_drain(
    yard: Yard, end: Stage
) -> None:
    """MongoDB takes no version for it any more, so only DynamoDB has one until the change is over."""
    bench = yard.bench()
    bench.put(record((EPOCH, 3)), record((EPOCH, 3)))
    async with running(yard) as reconciler:
        await raise_the_fence(yard)
        bench.bypass("k", 2)
        bench.bypass("new", 7)
        assert await reconciler.drain(5)
        ours, theirs = bench.held("new")
        assert ours is not None and ours.is_legacy
        assert theirs is not None and theirs.document == ours.document
        assert theirs.version.epoch == EPOCH
        await yard.publish(end)
        await until(lambda: bench.differences() == [])
        assert {one.version.epoch for name in ("k", "new") for one in bench.held(name) if one} == {EPOCH + 1}


async def test_what_was_adopted_is_not_forgotten_by_a_restart(yard: Yard) -> None:
    """The position that a next process goes on from stays before it until the change is over."""
    bench = yard.bench()
    async with running(yard) as reconciler:
        await raise_the_fence(yard)
        bench.bypass("new", 7)
        assert await reconciler.drain(5)
        handled = (await feed_job(yard)).updated_at
        await until(lambda: is_saved_after(yard, handled))
    await yard.publish(Stage.MONGO_PRIMARY)
    async with running(yard, "r2"):
        await until(lambda: bench.differences() == [])


async def test_what_was_adopted_is_looked_at_by_the_next_primary_whoever_drains_last(yard: Yard) -> None:
    """Another coordinator secures its own position in DynamoDB's feed, after what was adopted there."""
    bench = yard.bench()
    async with running(yard) as reconciler:
        await raise_the_fence(yard)
        bench.bypass("new", 7)
        handled = yard.clock.now()
        assert await reconciler.drain(5)
        await until(lambda: is_saved_after(yard, handled))
    async with led_by_somebody(yard), running(yard, "r2") as successor:
        assert await successor.drain(5)
    await yard.publish(Stage.DYNAMO_PRIMARY)
    async with running(yard, "r3"):
        await until(lambda: bench.differences() == [])
    assert {one.version.epoch for one in bench.held("new") if one} == {EPOCH + 1}


async def test_what_was_adopted_in_a_change_that_was_aborted_is_looked_at_after_the_next(yard: Yard) -> None:
    """Nobody was there between the two, so MongoDB never got its version."""
    bench = yard.bench()
    async with running(yard) as reconciler:
        await raise_the_fence(yard)
        bench.bypass("old", 7)
        assert await reconciler.drain(5)
    await yard.publish(Stage.MONGO_PRIMARY)
    await begin_change(yard, Stage.DYNAMO_PRIMARY)
    yard.mongo.fence = EPOCH + 2
    async with led_by_somebody(yard), running(yard, "r2") as reconciler:
        await until(lambda: yard.door.published.epoch == EPOCH + 1)
        bench.bypass("new", 8)
        assert await reconciler.drain(5)
    await yard.publish(Stage.DYNAMO_PRIMARY)
    async with running(yard, "r3"):
        await until(lambda: bench.differences() == [])


async def test_what_was_adopted_is_looked_at_by_who_gets_the_lease_after_an_abort(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has followed along without the lease, from behind what its predecessor adopted. The change took
    longer than DynamoDB's own feed is followed."""
    monkeypatch.setattr(tail, "TAIL", 0.0)
    bench = yard.bench()
    async with running(yard) as reconciler:
        await raise_the_fence(yard)
        bench.bypass("new", 7)
        assert await reconciler.drain(5)
        await until(lambda: is_saved_with_a_second_look_to_come(yard))
    async with running(yard, "r2") as successor:
        async with led_by_somebody(yard):
            successor.attend(60)
            await until(lambda: successor.status().following is StoreName.MONGODB)
            await yard.publish(Stage.MONGO_PRIMARY)
        await until(lambda: bench.differences() == [])


async def test_a_position_that_cannot_be_kept_in_the_mirror_s_feed_is_no_gap_in_the_primary_s(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def lose() -> str:
        asked.set()
        raise FeedLost("the stream is not what it was")

    async with running(yard) as reconciler:
        await raise_the_fence(yard)
        with monkeypatch.context() as lost:
            lost.setattr(yard.feeds[StoreName.DYNAMODB], "tip", lose)
            yard.bench().bypass("new", 7)
            async with asyncio.timeout(5):
                await asked.wait()
            assert not await reconciler.drain(0.1)
        assert await reconciler.drain(5)
        assert (await feed_job(yard)).state == RUNNING and "new" in str(yard.dynamo.records)


async def test_nothing_is_adopted_without_a_change_of_the_primary(yard: Yard) -> None:
    """A fence higher than what is published, as after a publisher died: its epoch is waited for."""
    bench = yard.bench()
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        yard.mongo.fence = EPOCH + 1
        bench.bypass("new", 7)
        assert not await reconciler.drain(0.2)
        assert bench.held("new")[1] is None


async def is_saved_with_a_second_look_to_come(yard: Yard) -> bool:
    place = place_in(await feed_job(yard), StoreName.MONGODB)
    return place is not None and place.applied != place.purged


async def is_saved_after(yard: Yard, moment: int) -> bool:
    return (await feed_job(yard)).updated_at > moment


async def test_tombstones_leave_mongodb_also_after_a_restart(yard: Yard) -> None:
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        yard.mongo.put(key(), tombstone((EPOCH, 3), deleted_at=yard.clock.now() + 60_000))
        assert await reconciler.drain(5)
        assert key() in yard.mongo.records
        assert key() in yard.dynamo.records
    yard.clock.ahead += 60_000
    async with running(yard):
        await until(lambda: key() not in yard.mongo.records)
    assert yard.dynamo.records[key()].is_tombstone


@pytest.mark.parametrize("seed", range(6))
async def test_after_quiescence_both_stores_are_equal(seed: int) -> None:
    """Proxies that crash between their two writes, bypassing writers, late mirror writes, two reconcilers
    that are killed and come back, a mirror that fails now and then."""
    yard, dice = Yard(), random.Random(seed)
    await yard.open()
    mirror = yard.stores[StoreName.DYNAMODB] = ShakyStore(JOBS, StoreName.DYNAMODB, yard.dynamo)
    bench = yard.bench()
    names = [f"k{number:02}" for number in range(48)]
    late: list[asyncio.Task[object]] = []

    async def proxied() -> None:
        for number in range(150):
            name = dice.choice(names)
            command = _command(dice, name, number)
            try:
                result = await bench.primary.write(command, bench.stamp())
            except Exception:
                continue
            await asyncio.sleep(0)
            if result.after is not None and dice.random() < 0.7:  # else the proxy died here
                late.append(asyncio.create_task(_apply_late(mirror, result.after, dice.random() * 0.03)))

    async def bypassing() -> None:
        for number in range(100):
            content = GONE if dice.random() < 0.25 else f"b{number}"
            bench.bypass(dice.choice(names), content)
            await asyncio.sleep(dice.random() * 0.002)

    async def failing() -> None:
        for _ in range(5):
            await asyncio.sleep(0.02)
            mirror.error = Unavailable("down")
            await asyncio.sleep(0.01)
            mirror.error = None

    async with running(yard, "r0"):
        await until(lambda: is_saved(yard))
    work = asyncio.gather(proxied(), proxied(), bypassing(), failing())
    for life in range(4):
        async with running(yard, f"r{life}"), running(yard, "other"):
            await asyncio.sleep(0.03)
    await work
    await asyncio.gather(*late, return_exceptions=True)
    async with running(yard, "last") as reconciler:
        assert await reconciler.drain(10)
        yard_differences = bench.differences()
    assert yard_differences == []
    assert len(yard.mongo.records) > 20


def _command(dice: random.Random, name: str, number: int) -> Command:
    document = Document({"a": "x", "b": name, "n": f"p{number}"})
    roll = dice.random()
    if roll < 0.3:
        return Insert(key(name), document)
    if roll < 0.8:
        return Replace(key(name), document, upsert=True)
    return Delete(key(name))


async def _apply_late(mirror: ShakyStore, after: object, delay: float) -> None:
    await asyncio.sleep(delay)
    await mirror.apply(after)  # type: ignore[arg-type]


async def test_what_a_late_replica_wrote_to_dynamodb_after_the_way_back_is_taken_back() -> None:
    yard = Yard(Stage.DYNAMO_PRIMARY)
    await yard.open()
    async with running(yard) as reconciler:
        await until(lambda: is_saved(yard))
        yard.dynamo.put(key(), record((EPOCH, 9)))
        assert await reconciler.drain(5)
        yard.mongo.fence = EPOCH + 1
        await yard.publish(Stage.MONGO_PRIMARY)
        yard.dynamo.put(key(), record((EPOCH, 10), "unheard"))
        yard.dynamo.put(key("new"), record((EPOCH, 10), "unheard", name="new"))
        await until(lambda: yard.dynamo.records[key("new")].is_tombstone)
        await until(lambda: yard.bench().differences() == [])
        document = yard.dynamo.records[key()].document
        assert document is not None and document.fields["n"] == 1
