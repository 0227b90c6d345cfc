"""Jobs that many workers share: joined, taken over from the dead, paused, gone on with, counted once."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from proxy.core.errors import Refused
from proxy.core.flag import Job
from proxy.core.stage import Stage, StoreName
from proxy.faultpoint import armed
from proxy.reconcile import progress as progress_module
from proxy.reconcile import shift as shift_module
from proxy.reconcile.backfill import BACKFILL, backfill
from proxy.reconcile.charter import Charter, JobOrder, charter_of
from proxy.reconcile.job import begin, pause
from proxy.reconcile.progress import Progress, ranges_for
from proxy.reconcile.shift import work
from proxy.reconcile.worker import Worker
from proxy.reconcile.workshop import Workshop
from tests.fixtures.yard import Yard, key, until
from tests.unit.reconcile.jobs import fill, job_of

NOTHING_SPECIAL = JobOrder()


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "PER_RANGE", 10)


def charter(job: Job) -> Charter:
    found = charter_of(job)
    assert found is not None
    return found


async def test_two_workers_share_the_ranges_and_count_each_document_once(yard: Yard) -> None:
    fill(yard, 200)

    async def be_slow() -> None:
        await asyncio.sleep(0.001)

    with armed("backfill.after_copy", be_slow):
        jobs = await asyncio.gather(*(backfill(yard.site(name), yard.door) for name in ("w1", "w2")))
    assert {job.state for job in jobs} == {"finished"}
    job = await job_of(yard, "backfill")
    assert (sum(job.counts.values()), job.done) == (200, 200)
    ranges = await yard.control.ranges("jobs", "backfill", charter(job).run)
    assert len(ranges) == 18, "ten live documents each"
    assert {one.holder for one in ranges} == {"w1", "w2"}


async def test_ranges_of_the_dead_are_taken_over_when_their_leases_run_out(yard: Yard) -> None:
    fill(yard, 60)
    job = await begin(yard.site(), yard.door, BACKFILL, NOTHING_SPECIAL)
    run = charter(job).run
    await yard.control.lay_out("jobs", "backfill", run, charter(job).ranges)
    dead = [await yard.control.claim_range("jobs", "backfill", run, "dead", 0.05) for _ in range(2)]
    assert all(dead)
    done = await work(yard.site("alive"), yard.door, BACKFILL, job)
    assert (done.state, dict(done.counts)) == ("finished", {"copied": 60})
    assert yard.bench().differences() == []


async def test_who_lost_a_range_unnoticed_saves_nothing_more_of_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker stands still until another one has done its range, and goes on as if nothing were."""
    fill(yard, 10)
    monkeypatch.setattr(shift_module, "LEASE", 0.02)
    stopped, go_on = asyncio.Event(), asyncio.Event()
    passed = itertools.count()

    async def stand_still() -> None:
        if next(passed) == 3:
            stopped.set()
            await go_on.wait()

    monkeypatch.setattr(shift_module, "CHECKPOINT", 0.5)
    with armed("backfill.after_copy", stand_still):
        slow = asyncio.create_task(backfill(yard.site("slow"), yard.door))
        await stopped.wait()
        await asyncio.sleep(0.05)
        quick = await backfill(yard.site("quick"), yard.door)
        go_on.set()
        await slow
    assert quick.state == "finished"
    assert sum((await job_of(yard, "backfill")).counts.values()) == 10


async def test_a_paused_job_stops_is_summed_up_and_goes_on_where_it_was(yard: Yard) -> None:
    fill(yard, 100)
    workshop = Workshop(yard.control, {"jobs": yard.site()}, {"jobs": yard.door})
    passed = itertools.count(1)

    async def pause_in_the_middle() -> None:
        if next(passed) == 30:
            await workshop.pause_job("jobs", "backfill")
        await asyncio.sleep(0)

    with armed("backfill.after_copy", pause_in_the_middle):
        begun = await workshop.start_job("jobs", "backfill")
        await until(lambda: not workshop.is_busy)
    paused = await job_of(yard, "backfill")
    assert paused.state == "paused"
    assert 30 <= paused.done < 100
    assert paused.workers == 0 and paused.rate == 0.0
    copied = len(yard.dynamo.records)
    await asyncio.sleep(0.03)
    assert len(yard.dynamo.records) == copied, "nobody works at a paused job"

    resumed = await workshop.start_job("jobs", "backfill", JobOrder(only_resume=True))
    assert charter(resumed).run == charter(begun).run
    await until(lambda: not workshop.is_busy)
    finished = await job_of(yard, "backfill")
    assert (finished.state, sum(finished.counts.values())) == ("finished", 100)
    assert finished.counts.get("present", 0) < 30, "no more was done again than was in flight"


async def test_a_job_resumed_before_its_workers_have_left_is_worked_at(yard: Yard) -> None:
    fill(yard, 100)
    workshop = Workshop(yard.control, {"jobs": yard.site()}, {"jobs": yard.door})
    await workshop.start_job("jobs", "backfill")
    await until(lambda: len(yard.dynamo.records) > 5)
    await workshop.pause_job("jobs", "backfill")
    await workshop.start_job("jobs", "backfill")
    await until(lambda: not workshop.is_busy)
    assert (await job_of(yard, "backfill")).state == "finished"


async def test_a_paused_job_begins_anew_if_that_is_wanted(yard: Yard) -> None:
    fill(yard, 30)
    first = await begin(yard.site(), yard.door, BACKFILL, NOTHING_SPECIAL)
    await pause(yard.site(), "backfill")
    second = await begin(yard.site(), yard.door, BACKFILL, JobOrder(anew=True))
    assert charter(first).run != charter(second).run


async def test_pausing_or_resuming_what_is_not_there_is_refused(yard: Yard) -> None:
    with pytest.raises(Refused, match="no backfill of jobs is running"):
        await pause(yard.site(), "backfill")
    with pytest.raises(Refused, match="no backfill of jobs is paused"):
        await begin(yard.site(), yard.door, BACKFILL, JobOrder(only_resume=True))


async def test_two_replicas_that_begin_at_once_begin_one_run(yard: Yard) -> None:
    begun = await asyncio.gather(
        *(begin(yard.site(f"r{number}"), yard.door, BACKFILL, NOTHING_SPECIAL) for number in range(5))
    )
    assert len({charter(job).run for job in begun}) == 1


async def test_limits_can_be_set_and_changed_while_it_runs(yard: Yard) -> None:
    first = await begin(yard.site(), yard.door, BACKFILL, JobOrder(max_units=100.0))
    assert charter(first).max_units == 100.0
    joined = await begin(yard.site(), yard.door, BACKFILL, JobOrder(rate=7.0))
    assert (charter(joined).max_units, charter(joined).rate) == (100.0, 7.0)
    lifted = await begin(yard.site(), yard.door, BACKFILL, JobOrder(max_units=0.0))
    assert charter(lifted).run == charter(first).run
    assert (charter(lifted).max_units, charter(lifted).rate) == (0.0, 7.0)


async def test_a_limit_of_documents_a_second_is_kept(yard: Yard) -> None:
    fill(yard, 30)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await backfill(yard.site(), yard.door, JobOrder(rate=100.0))
    assert loop.time() - began > 0.2


async def test_others_join_in_what_runs_anywhere(yard: Yard) -> None:
    fill(yard, 40)
    await begin(yard.site(), yard.door, BACKFILL, NOTHING_SPECIAL)
    worker = Workshop(yard.control, {"jobs": yard.site("worker")}, {"jobs": yard.door})
    watching = asyncio.create_task(worker.join_all())

    async def is_finished() -> bool:
        return (await job_of(yard, "backfill")).state == "finished"

    await until(is_finished)
    watching.cancel()
    await worker.stop()
    assert yard.bench().differences() == []


async def test_a_job_that_lost_its_ranges_is_not_finished(yard: Yard) -> None:
    """Who read the job before a new run began may forget the new one's ranges: they are laid out again."""
    fill(yard, 40)
    job = await begin(yard.site(), yard.door, BACKFILL, NOTHING_SPECIAL)
    await yard.control.lay_out("jobs", "backfill", "an older run", 3)
    done = await work(yard.site(), yard.door, BACKFILL, job)
    assert (done.state, done.counts["copied"]) == ("finished", 40)


async def test_a_job_of_an_unknown_shape_begins_anew(yard: Yard) -> None:
    fill(yard, 10)
    await yard.control.save_job(Job("jobs", "backfill", "running", 5, 1, 1, {}, '{"parts": []}'))
    assert (await backfill(yard.site(), yard.door)).counts["copied"] == 10


def test_a_charter_survives_being_written() -> None:
    original = Charter("run", StoreName.MONGODB, 7, most=3, rate=1.5, max_units=2.0)
    job = Job("jobs", "sample", "running", 1, 1, 1, {}, original.to_text())
    assert charter_of(job) == original
    assert charter_of(replace(job, position="{}")) is None
    assert charter_of(None) is None


def test_ranges_grow_with_the_collection_within_bounds() -> None:
    assert [ranges_for(n) for n in (0, 39, 41, 10**9)] == [4, 4, 5, 1_000]


def test_a_range_stands_only_after_what_is_complete() -> None:
    progress = Progress()
    chunks = [progress.begin(key(f"k{n}")) for n in range(3)]
    progress.complete(chunks[2], {"documents": 1})
    progress.complete(chunks[1], {"documents": 1})
    assert (progress.after, progress.counts) == (None, {})
    progress.complete(chunks[0], {"documents": 1})
    assert (progress.after, progress.counts) == (key("k2"), {"documents": 3})


def test_a_range_goes_on_where_it_was_saved() -> None:
    progress = Progress()
    progress.complete(progress.begin(key("k1")), {"documents": 2})
    progress.begin(key("k2"))
    again = Progress.at(progress.position, progress.counts)
    assert (again.after, again.counts) == (key("k1"), {"documents": 2})
    assert Progress.at("", {}).after is None


async def test_an_idle_workshop_begins_a_job_and_leaves_it_to_the_workers(yard: Yard) -> None:
    fill(yard, 40)
    proxy = Workshop(yard.control, {"jobs": yard.site("proxy")}, {"jobs": yard.door}, is_idle=True)
    await proxy.start_job("jobs", "backfill")
    assert not proxy.is_busy
    worker = Worker(yard.control, {"jobs": yard.site("worker")})
    working = asyncio.create_task(worker.run())

    async def is_finished() -> bool:
        return (await job_of(yard, "backfill")).state == "finished"

    await until(is_finished)
    working.cancel()
    await worker.stop()
    run = charter(await job_of(yard, "backfill")).run
    assert {one.holder for one in await yard.control.ranges("jobs", "backfill", run)} == {"worker"}


async def test_a_worker_hears_of_new_stages(yard: Yard) -> None:
    fill(yard, 60)
    worker = Worker(yard.control, {"jobs": yard.site("worker")})
    working = asyncio.create_task(worker.run())
    await begin(yard.site(), yard.door, BACKFILL, JobOrder(rate=20.0))
    await until(lambda: len(yard.dynamo.records) > 2)
    await yard.publish(Stage.DYNAMO_PRIMARY)

    async def has_failed() -> bool:
        return (await job_of(yard, "backfill")).state == "failed"

    await until(has_failed)
    assert "has changed" in (await job_of(yard, "backfill")).message
    working.cancel()
    await worker.stop()
