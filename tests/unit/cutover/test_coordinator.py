"""Replicas and coordinator together, on the control store in memory."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from proxy.core.errors import Contended, Reason, Refused, Unavailable
from proxy.core.flag import Change, Flag, Job
from proxy.core.stage import Stage
from proxy.cutover.machine import Step
from proxy.cutover.replica import CollectionDoor
from proxy.faultpoint import armed
from tests.fixtures.waiting import until
from tests.unit.cutover.town import LEASE, Town, move, town


async def doors_are_at(place: Town, epoch: int) -> bool:
    return (await place.control.flag("jobs")).epoch == epoch


async def refuses_reads(door: CollectionDoor) -> bool:
    try:
        await door.enter_read()
    except Unavailable as error:
        return error.reason is Reason.STORE_UNAVAILABLE
    return False


async def test_a_flip_waits_for_writes_in_flight_and_holds_new_ones() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, doors):
        told: list[int] = []
        doors[1].on_change = lambda: told.append(doors[1].published.epoch)
        assert (await doors[0].enter_write()).stage is Stage.MONGO_PRIMARY
        flip = asyncio.create_task(move(place, Stage.DYNAMO_PRIMARY))
        await until(lambda: doors[0].flag.holds_writes)
        held = asyncio.create_task(doors[1].enter_write())
        await asyncio.sleep(0.02)
        assert not held.done() and not place.fence.raised
        doors[0].leave_write()
        report = await flip
        assert report.executed and list(report.steps_ms) == ["hold", "fence", "drain", "publish"]
        published = await held
        assert (published.epoch, published.stage) == (4, Stage.DYNAMO_PRIMARY)
        assert place.fence.height == 4
        assert told[-1] == 4 and len(told) > 1, "of the hold, and of what was published"


async def test_a_dead_replica_delays_a_flip_by_no_more_than_its_lease() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        await place.control.beat(
            replace((await place.control.replicas())[0], id="dead", held={}, seen={"jobs": 9})
        )
        started = time.monotonic()
        report = await move(place, Stage.DYNAMO_PRIMARY)
        assert report.executed
        assert LEASE * 0.5 < time.monotonic() - started < LEASE + 3.0


async def test_the_gate_refuses_and_names_what_failed() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        await place.control.save_job(Job("jobs", "verify", "finished", 3, 0, 0, {"TRUE_MISMATCH": 1}))
        with pytest.raises(Refused, match="verify_clean") as refusal:
            await move(place, Stage.DYNAMO_PRIMARY)
        assert refusal.value.reason is Reason.GATE_CLOSED
        assert (await place.control.flag("jobs")).epoch == 3
        report = await move(place, Stage.DYNAMO_PRIMARY, dry_run=True)
        assert not report.executed and "verify_clean" in report.message
        assert (await move(place, Stage.DYNAMO_PRIMARY, override=True)).executed
        assert [entry.action for entry in await place.control.audit("jobs", 9)] == ["published", "override"]


async def test_a_crashed_coordinator_is_replaced_and_the_change_finishes() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        flag = await place.control.flag("jobs")
        now = await place.control.now()
        change = Change("c9", Stage.DYNAMO_PRIMARY, "ann", "test", now, "gone", now - 1)
        await place.control.swap(flag, flag.begin(change))
        successor = place.coordinator("r1")
        await successor.look_after()
        await until(lambda: doors_are_at(place, 4))
        after = await place.control.flag("jobs")
        assert (after.epoch, after.stage) == (4, Stage.DYNAMO_PRIMARY)


async def test_a_dead_coordinator_is_replaced_within_the_hold_and_a_living_one_is_left_alone() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        flag, now = await place.control.flag("jobs"), await place.control.now()
        [living, *_] = await place.control.replicas()
        change = Change("c9", Stage.DYNAMO_PRIMARY, "ann", "test", now, living.id, now + 60_000)
        begun = await place.control.swap(flag, flag.begin(change))
        assert begun is not None
        await place.coordinator("r1").look_after()
        assert (await place.control.flag("jobs")).serial == begun.serial
        await place.control.swap(begun, replace(begun, change=replace(change, coordinator="gone")))
        await place.coordinator("r1").look_after()
        await until(lambda: doors_are_at(place, 4))
        assert (await place.control.flag("jobs")).stage is Stage.DYNAMO_PRIMARY


async def test_no_fence_is_looked_at_while_writes_wait_for_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        [living, *_] = await place.control.replicas()
        now, coordinator, looked = await place.control.now(), place.coordinator("r1"), list[str]()
        monkeypatch.setattr(coordinator._guard, "look", lambda flag: looked.append(flag.collection))
        await coordinator.look_after()
        assert looked == ["jobs"]
        flag = await place.control.create(Flag("tasks", 3, Stage.MONGO_PRIMARY, 0, mirrored_since=2))
        change = Change("c9", Stage.DYNAMO_PRIMARY, "ann", "test", now, living.id, now + 60_000)
        begun = await place.control.swap(flag, flag.begin(change))
        assert begun is not None and begun.holds_writes
        await coordinator.look_after()
        assert looked == ["jobs"]
        await place.control.swap(begun, replace(begun, change=None))
        await coordinator.look_after()
        assert looked == ["jobs", "jobs", "tasks"]


async def test_an_orphan_older_than_the_hold_limit_is_aborted_at_the_next_epoch() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, doors):
        flag = await place.control.flag("jobs")
        now = await place.control.now()
        change = Change("c9", Stage.DYNAMO_PRIMARY, "ann", "test", now - 60_000, "gone", now - 1)
        await place.control.swap(flag, flag.begin(change))
        await place.coordinator("r1").look_after()
        await until(lambda: doors[0].published.epoch == 4)
        assert doors[0].published.stage is Stage.MONGO_PRIMARY and doors[0].published.epoch == 4


async def test_abort_publishes_the_old_stage_under_the_next_epoch() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, doors):
        await doors[0].enter_write()
        flip = asyncio.create_task(move(place, Stage.DYNAMO_PRIMARY))
        await until(lambda: doors[0].flag.holds_writes)
        flag = await place.coordinator("r1").abort("jobs", actor="bob", reason="cold feet")
        assert (flag.epoch, flag.stage) == (4, Stage.MONGO_PRIMARY)
        doors[0].leave_write()
        report = await flip
        assert report.flag.stage is Stage.MONGO_PRIMARY and not report.executed


async def test_a_fence_that_fails_for_a_while_only_delays() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        failures = iter([True, True, False])

        async def fail_sometimes() -> None:
            if next(failures, False):
                raise Unavailable("injected")

        original = place.fence.raise_to

        async def raise_to(epoch: int) -> None:
            await fail_sometimes()
            await original(epoch)

        place.fence.raise_to = raise_to  # type: ignore[method-assign]
        assert (await move(place, Stage.DYNAMO_PRIMARY)).executed


async def test_a_replica_without_its_lease_refuses_reads() -> None:
    async with town(Stage.DYNAMO_PRIMARY, replicas=1) as (place, doors):
        await doors[0].enter_read()
        for task in place.members[0]._tasks:
            task.cancel()
        await until(lambda: refuses_reads(doors[0]))


async def test_what_was_read_counts_only_if_the_primary_is_the_same_afterwards() -> None:
    async with town(Stage.DYNAMO_PRIMARY) as (place, doors):
        published = await doors[0].enter_read()
        assert doors[0].confirms(published)
        assert (await move(place, Stage.MONGO_PRIMARY)).executed
        await until(lambda: doors[0].published.epoch == 4)
        assert not doors[0].confirms(published)
        assert doors[0].confirms(await doors[0].enter_read())


async def test_a_replica_that_comes_back_serves_nothing_before_it_has_read_the_flags() -> None:
    """Its heartbeat alone would make its lease good while it still believes in an old primary."""
    async with town(Stage.DYNAMO_PRIMARY) as (place, doors):
        member = place.members[1]
        for task in member._tasks:
            task.cancel()
        await until(lambda: refuses_reads(doors[1]))
        assert (await move(place, Stage.MONGO_PRIMARY)).executed
        await member._beat()
        assert (await doors[1].enter_read()).stage is Stage.MONGO_PRIMARY


async def test_every_step_can_be_a_named_moment() -> None:
    reached: list[str] = []

    async with town(Stage.DYNAMO_PRIMARY) as (place, _):

        async def note() -> None:
            reached.append("publish")

        with armed("cutover.publish", note):
            await move(place, Stage.MONGO_PRIMARY)
    assert reached == ["publish"]


async def test_an_abort_that_comes_too_late_says_so() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        with pytest.raises(Refused, match="no change"):
            await place.coordinator("r1").abort("jobs", actor="bob", reason="cold feet")
        late: list[Stage] = []
        swap = place.control.swap

        async def publish_first(old: Flag, new: Flag) -> Flag | None:
            if not late and new.change is None:  # the abort's own publication comes second
                late.append(old.stage)
                assert old.change is not None
                await swap(old, old.publish(old.change.target, await place.control.now()))
            return await swap(old, new)

        await doors_hold(place)
        place.control.swap = publish_first  # type: ignore[method-assign]
        flag = await place.coordinator("r1").abort("jobs", actor="bob", reason="cold feet")
        assert (flag.stage, flag.change) == (Stage.DYNAMO_PRIMARY, None)


async def doors_hold(place: Town) -> None:
    """A change is under way, and nobody drives it."""
    flag = await place.control.flag("jobs")
    now = await place.control.now()
    change = Change("c9", Stage.DYNAMO_PRIMARY, "ann", "test", now, "gone", now + 60_000)
    assert await place.control.swap(flag, flag.begin(change))


async def test_the_running_step_is_known_to_the_replica_that_drives() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, doors):
        driver, seen = place.coordinator("r0"), list[Step]()

        async def look() -> None:
            seen.append(driver.step_of(doors[0].flag))

        with armed("cutover.fence", look):
            await driver.move(
                "jobs", Stage.DYNAMO_PRIMARY, actor="ann", reason="", dry_run=False, override=False
            )
        assert seen == [Step.RAISE_FENCE]
        await doors_hold_back(place)
        flag = await place.control.flag("jobs")
        assert place.coordinator("r1").step_of(flag) is Step.AWAIT_HOLD


async def doors_hold_back(place: Town) -> None:
    flag = await place.control.flag("jobs")
    change = Change("c9", Stage.MONGO_PRIMARY, "ann", "test", 0, "gone", 2**60)
    assert await place.control.swap(flag, flag.begin(change))


async def test_the_audit_tells_how_a_flip_went() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        report = await move(place, Stage.DYNAMO_PRIMARY)
        ended, began = await place.control.audit("jobs", 9)
        assert (began.action, began.before, began.after) == ("move", "MONGO_PRIMARY", "DYNAMO_PRIMARY")
        assert (ended.action, ended.actor, ended.reason) == ("published", "ann", "test")
        assert ended.details["hold_ms"] == report.hold_ms > 0
        assert ended.details["epoch"] == 4


async def test_a_move_that_meets_another_leaves_word_of_it() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        swap = place.control.swap

        async def lose(old: Flag, new: Flag) -> Flag | None:
            place.control.swap = swap  # type: ignore[method-assign]
            await doors_hold(place)
            return await swap(old, new)

        place.control.swap = lose  # type: ignore[method-assign]
        with pytest.raises(Contended):
            await move(place, Stage.DYNAMO_PRIMARY)
        assert [entry.action for entry in await place.control.audit("jobs", 9)] == ["refused", "move"]
