"""Replicas and coordinator together, on the control store in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from proxy.core.errors import Reason, Refused, Unavailable
from proxy.core.flag import Change, Flag, Job
from proxy.core.silence import SilentSignals
from proxy.core.stage import Stage
from proxy.cutover.coordinator import Coordinator
from proxy.cutover.replica import CollectionDoor, Membership
from proxy.faultpoint import armed
from proxy.stores.memory.control import MemoryControl, MemoryDivergences
from tests.fixtures.waiting import until

LEASE = 0.3


class RecordingFence:
    def __init__(self) -> None:
        self.height = 0
        self.raised: list[int] = []

    async def raise_to(self, epoch: int) -> None:
        self.raised.append(epoch)
        self.height = max(self.height, epoch)

    async def current(self) -> int:
        return self.height

    async def lift(self) -> None:
        self.height = 0


class Town:
    """Some replicas, one control store, one collection named `jobs`."""

    def __init__(self, stage: Stage) -> None:
        self.control = MemoryControl(lambda: time.time_ns() // 1_000_000)
        self.fence = RecordingFence()
        self.members: list[Membership] = []
        self.flag = Flag("jobs", 3, stage, 0, mirrored_since=2)

    async def join(self, name: str) -> CollectionDoor:
        member = Membership(self.control, name, f"{name}:1", LEASE)
        member.admit([await self.control.create(self.flag)])
        await member.start()
        self.members.append(member)
        return member.doors["jobs"]

    def coordinator(self, name: str = "r0") -> Coordinator:
        async def drained(_: Flag) -> bool:
            return True

        async def returned(_: Flag) -> str:
            return ""

        return Coordinator(
            self.control,
            MemoryDivergences(),
            {"jobs": self.fence},
            drained,
            returned,
            SilentSignals(),
            replica_id=name,
            lease=LEASE,
        )

    async def make_evidence(self) -> None:
        now = await self.control.now()
        for kind, state in (("backfill", "finished"), ("verify", "finished"), ("feed", "running")):
            await self.control.save_job(Job("jobs", kind, state, 3, now, now, {"MATCH": 5}))


@asynccontextmanager
async def town(stage: Stage, replicas: int = 2) -> AsyncIterator[tuple[Town, list[CollectionDoor]]]:
    place = Town(stage)
    doors = [await place.join(f"r{number}") for number in range(replicas)]
    await place.make_evidence()
    try:
        yield place, doors
    finally:
        for member in place.members:
            await member.stop()


async def move(place: Town, target: Stage, **options: bool):  # type: ignore[no-untyped-def]
    wanted = {"dry_run": False, "override": False, **options}
    return await place.coordinator().move("jobs", target, actor="ann", reason="test", **wanted)


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


async def test_a_dead_replica_delays_a_flip_by_no_more_than_its_lease() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        await place.control.beat(
            replace((await place.control.replicas())[0], id="dead", held={}, seen={"jobs": 9})
        )
        started = time.monotonic()
        report = await move(place, Stage.DYNAMO_PRIMARY)
        assert report.executed
        assert LEASE * 0.5 < time.monotonic() - started < LEASE + 0.25


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
        assert [entry.action for entry in await place.control.audit("jobs", 9)] == ["override"]


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


async def test_every_step_can_be_a_named_moment() -> None:
    reached: list[str] = []

    async with town(Stage.DYNAMO_PRIMARY) as (place, _):

        async def note() -> None:
            reached.append("publish")

        with armed("cutover.publish", note):
            await move(place, Stage.MONGO_PRIMARY)
    assert reached == ["publish"]
