"""What the gauges say of a replica, and that they say nothing rather than something old."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.errors import Unavailable
from proxy.core.flag import Job
from proxy.core.reading import Pool, Read
from proxy.core.silence import SilentSignals
from proxy.core.stage import Stage
from proxy.core.write import Delete
from proxy.gauges import Gauges, Subjects
from proxy.stores.mongo.pool import PoolGauge
from proxy.wiring import App
from tests.fixtures.memory_world import SETTINGS, World, world
from tests.fixtures.waiting import until

JOBS = ("collection", "cron_jobs")


class Listener(SilentSignals):
    """Somebody who wants the gauges."""

    is_heard = True

    def __init__(self) -> None:
        self.reads: list[Read] = []

    def watch(self, read: Read) -> None:
        self.reads.append(read)

    def said(self, name: str) -> dict[tuple[str, ...], float]:
        """The values of one gauge by the values of its attributes, the collection's name left out."""
        return {
            tuple(value for key, value in one.attributes if key != "collection"): one.value
            for read in self.reads
            for one in read()
            if one.name == name
        }


def gauges_of(app: App, pools: Iterable[Pool] = ()) -> Gauges:
    return Gauges(
        Subjects(
            app.membership.doors,
            app.lanes,
            app.reporters,
            app.reconcilers,
            app.control,
            app.divergences,
            lambda: pools,
        )
    )


async def test_stage_epoch_and_breaker_are_those_of_this_replica() -> None:
    signals = Listener()
    async with world(Stage.MONGO_PRIMARY, signals=signals) as here:
        await until(lambda: signals.said("crossfade.collection.stage") == {("MONGO_PRIMARY", "mongodb"): 1})
        await here.publish(Stage.DYNAMO_PRIMARY)
        await until(lambda: signals.said("crossfade.collection.epoch") == {(): 2})
        assert signals.said("crossfade.collection.stage") == {("DYNAMO_PRIMARY", "dynamodb"): 1}
        assert signals.said("crossfade.collection.holding") == {(): 0}
        closed = {("closed",): 1, ("open",): 0, ("half_open",): 0}
        assert signals.said("crossfade.breaker.state") == closed
        breaker = next(iter(here.app.lanes.values())).mirror.breaker
        for _ in range(5):
            breaker.failed()
        open_now = {**closed, ("closed",): 0, ("open",): 1}
        await until(lambda: signals.said("crossfade.breaker.state") == open_now)


async def test_what_waits_is_told() -> None:
    signals = Listener()
    async with world(Stage.MONGO_PRIMARY, replace(SETTINGS, tombstone_grace=30.0), signals) as here:
        nothing = {("shadow",): 0, ("recheck",): 0, ("report",): 0, ("purge",): 0}
        await until(lambda: signals.said("crossfade.queue.length") == nothing)
        await here.app.pipeline.write("jobs", here.insert("a"))
        await here.app.pipeline.write("jobs", Delete(here.key("a")))
        await until(lambda: signals.said("crossfade.queue.length") == {**nothing, ("purge",): 1})


async def test_the_replica_that_follows_the_feed_tells_its_lag() -> None:
    signals = Listener()
    async with world(Stage.MONGO_PRIMARY, signals=signals):
        await until(lambda: signals.said("crossfade.feed.leading") == {(): 1})
        await until(lambda: signals.said("crossfade.feed.lag") == {(): 0})
        assert await asyncio.to_thread(signals.said, "crossfade.feed.waiting") == {(): 0}
        assert signals.said("crossfade.feed.gap") == {(): 0}


@pytest.mark.parametrize("stage", [Stage.MONGO_ONLY, Stage.DYNAMO_ONLY])
async def test_without_a_mirror_nobody_is_said_to_follow_a_feed(stage: Stage) -> None:
    """Though replicas may hold the lease, one after another, for longer than it is granted."""
    signals = Listener()
    async with world(Stage.MONGO_PRIMARY, signals=signals) as here:
        await until(lambda: signals.said("crossfade.feed.leading") == {(): 1})
        await here.publish(stage)
        await until(lambda: signals.said("crossfade.feed.leading") == {})


async def test_what_replicas_share_is_kept_fresh() -> None:
    signals = Listener()
    async with world(Stage.MONGO_PRIMARY, signals=signals) as here:
        await until(lambda: bool(signals.said("crossfade.replicas")))
        assert signals.said("crossfade.replicas") == {("alive",): 1, ("dead",): 0}
        open_now = signals.said("crossfade.divergences.open")
        assert open_now[("TRUE_MISMATCH",)] == 0
        assert ("MATCH",) not in open_now
        gauges = await refreshed(here)
        assert "crossfade.job.state" not in {one.name for one in gauges.read()}


JOB = Job("", "backfill", "running", 1, 0, 0, {"copied": 30, "quarantined": 1}, total=40, done=31, rate=7.5)


@pytest.mark.parametrize(
    ("changes", "progress", "rate"),
    [
        ({}, 31 / 40, 7.5),
        ({"done": 90}, 0.99, 7.5),
        ({"total": 0}, 0.0, 7.5),
        ({"state": "failed"}, 31 / 40, 0.0),
        ({"state": "finished"}, 1.0, 0.0),
    ],
)
async def test_a_job_tells_its_progress(changes: dict[str, Any], progress: float, rate: float) -> None:
    async with world(Stage.MONGO_PRIMARY) as here:
        fields = {name: getattr(JOB, name) for name in JOB.__slots__}
        job = Job(**{**fields, "collection": here.collection.name, **changes})
        await here.app.control.save_job(job)
        said = {
            (one.name, *(value for _, value in one.attributes[2:])): one.value for one in await all_of(here)
        }
    assert said["crossfade.job.state", job.state] == 1
    assert said["crossfade.job.progress",] == progress
    assert said["crossfade.job.rate",] == rate
    assert said["crossfade.job.documents", "copied"] == 30


async def test_a_silent_control_store_takes_only_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(Stage.MONGO_PRIMARY) as here:

        async def fail() -> Any:
            raise Unavailable("gone")

        before = {one.name for one in await all_of(here)}
        monkeypatch.setattr(here.app.control, "replicas", fail)
        after = {one.name for one in await all_of(here)}
    assert before - after == {"crossfade.replicas", "crossfade.divergences.open"}
    assert "crossfade.collection.stage" in after


async def test_nothing_is_gathered_where_nobody_listens() -> None:
    async with world(Stage.MONGO_PRIMARY):
        assert "gauges" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_pool_tells_who_uses_it_and_who_waits() -> None:
    pool = Pool("mongodb", used=3, idle=2, pending=4, limit=100)
    async with world(Stage.MONGO_PRIMARY) as here:
        gauges = gauges_of(here.app, [pool, Pool("aws.dynamodb", 1, None, 0, 128)])
        await gauges.look()
        said = {(one.name, *(value for _, value in one.attributes)): one.value for one in gauges.read()}
    count = "db.client.connection.count"
    assert (said[count, "mongodb", "used"], said[count, "mongodb", "idle"]) == (3, 2)
    assert (count, "aws.dynamodb", "idle") not in said
    assert said["db.client.connection.pending_requests", "mongodb"] == 4
    assert said["db.client.connection.max", "aws.dynamodb"] == 128


def test_the_events_of_the_driver_make_a_pool() -> None:
    class Event:
        address = ("db", 27017)
        options: dict[str, Any] = {}  # noqa: RUF012 - of the driver's own shape

    gauge, event = PoolGauge(), Event()
    gauge.pool_created(event)
    for _ in range(2):
        gauge.connection_created(event)
        gauge.connection_check_out_started(event)
    gauge.connection_checked_out(event)
    assert gauge.pool == Pool("mongodb", used=1, idle=1, pending=1, limit=100)
    gauge.connection_check_out_failed(event)
    gauge.connection_checked_in(event)
    gauge.connection_closed(event)
    assert gauge.pool == Pool("mongodb", used=0, idle=1, pending=0, limit=100)


async def refreshed(here: World) -> Gauges:
    gauges = gauges_of(here.app)
    await gauges.look()
    await gauges.refresh()
    return gauges


async def all_of(here: World) -> list[Any]:
    return list((await refreshed(here)).read())
