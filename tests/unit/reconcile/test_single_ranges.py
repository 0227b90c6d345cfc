"""One range at a time, for those who have a scheduler of their own: to the end of the job, and no further."""

from __future__ import annotations

import asyncio

import pytest

from proxy.core.errors import Refused
from proxy.core.stage import Published, Stage
from proxy.faultpoint import armed
from proxy.reconcile import progress as progress_module
from proxy.reconcile.backfill import BACKFILL
from proxy.reconcile.charter import JobOrder, charter_of
from proxy.reconcile.job import begin, pause
from proxy.reconcile.shift import work_one
from tests.fixtures.yard import Yard
from tests.unit.reconcile.jobs import fill, job_of


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "PER_RANGE", 10)


async def done_ranges(yard: Yard) -> int:
    charter = charter_of(await job_of(yard, "backfill"))
    assert charter is not None
    return sum(one.is_done for one in await yard.control.ranges("jobs", "backfill", charter.run))


async def test_each_call_does_one_range_and_the_last_ends_the_job(yard: Yard) -> None:
    fill(yard, 60)
    job = await begin(yard.site(), yard.door, BACKFILL, JobOrder())
    charter = charter_of(job)
    assert charter is not None and charter.ranges > 3
    for number in range(charter.ranges):
        assert await work_one(yard.site(f"w{number}"), yard.door, BACKFILL, job)
        assert await done_ranges(yard) == number + 1
    ended = await job_of(yard, "backfill")
    assert (ended.state, ended.done) == ("finished", 60)
    assert not await work_one(yard.site(), yard.door, BACKFILL, job)


async def test_ranges_that_others_hold_are_left_to_them(yard: Yard) -> None:
    fill(yard, 60)
    job = await begin(yard.site(), yard.door, BACKFILL, JobOrder())
    charter = charter_of(job)
    assert charter is not None
    await yard.control.lay_out("jobs", "backfill", charter.run, charter.ranges)
    for _ in range(charter.ranges):
        assert await yard.control.claim_range("jobs", "backfill", charter.run, "another", 60)
    assert not await work_one(yard.site(), yard.door, BACKFILL, job)


async def test_a_paused_job_is_left_at_its_last_document(yard: Yard) -> None:
    fill(yard, 60)
    job = await begin(yard.site(), yard.door, BACKFILL, JobOrder())
    reached = asyncio.Event()

    async def wait_for_ever() -> None:
        reached.set()
        await asyncio.Event().wait()

    with armed("backfill.after_copy", wait_for_ever):
        working = asyncio.create_task(work_one(yard.site(), yard.door, BACKFILL, job))
        await reached.wait()
        await pause(yard.site(), "backfill")
        async with asyncio.timeout(10):
            assert await working
    assert await done_ranges(yard) == 0
    ranges = await yard.control.ranges("jobs", "backfill", charter_of(job).run)  # type: ignore[union-attr]
    assert not any(one.is_held for one in ranges)


async def test_a_change_of_stage_is_told(yard: Yard) -> None:
    fill(yard, 20)
    job = await begin(yard.site(), yard.door, BACKFILL, JobOrder())
    yard.door.published = Published(yard.door.published.epoch + 1, Stage.DYNAMO_PRIMARY)
    with pytest.raises(Refused, match="has changed"):
        await work_one(yard.site(), yard.door, BACKFILL, job)


async def test_a_failure_is_the_callers_and_the_range_is_free_again(yard: Yard) -> None:
    fill(yard, 20)
    job = await begin(yard.site(), yard.door, BACKFILL, JobOrder())

    async def fail() -> None:
        raise Refused("broken")

    with armed("backfill.after_copy", fail), pytest.raises(Refused, match="broken"):
        await work_one(yard.site(), yard.door, BACKFILL, job)
    assert (await job_of(yard, "backfill")).state == "running"
    assert await work_one(yard.site(), yard.door, BACKFILL, job)
