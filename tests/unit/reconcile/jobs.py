"""What the tests of jobs share: a site whose feed is followed, documents in it, deaths at chosen moments."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

from proxy.core.comparison import Kind
from proxy.core.exchange import DivergenceQuery
from proxy.core.flag import Job
from proxy.core.stage import StoreName
from proxy.faultpoint import armed
from proxy.reconcile.checkpoint import Health, Place, feed_job
from proxy.reconcile.comparing import CompareOptions
from proxy.reconcile.verify import Verify
from tests.fixtures.yard import EPOCH, Yard, key, record, tombstone

CLOSE = Verify(options=CompareOptions(chunk=5, rechecks=2))
Work = Callable[[], Coroutine[Any, Any, Job]]


async def follow_feed(yard: Yard, epoch: int = EPOCH) -> None:
    """What a reconciler leaves behind: a backfill may begin."""
    place = Place(StoreName.MONGODB, "0", "0")
    await yard.control.save_job(feed_job("jobs", epoch, place, Health(1), {}, 1))


async def followed_yard(yard: Yard | None = None) -> Yard:
    """A collection whose feed is followed."""
    yard = yard or Yard()
    await yard.open()
    await follow_feed(yard)
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


async def job_of(yard: Yard, kind: str) -> Job:
    job = await yard.control.job("jobs", kind)
    assert job is not None
    return job


async def found(yard: Yard) -> dict[str, Kind]:
    """The keys of the unclosed divergences."""
    rows = await yard.divergences.list(DivergenceQuery("jobs", is_unclosed=True))
    return {row.key.split('"')[7]: row.kind for row in rows}


async def kill_after(moment: str, times: int, work: Work) -> bool:
    """Run `work`, killed when a moment has passed so many times; False if it ended before."""
    passed = itertools.count(1)
    task = asyncio.create_task(work())

    async def die() -> None:
        if next(passed) == times:
            task.cancel()

    with armed(moment, die):
        await asyncio.gather(task, return_exceptions=True)
    return task.cancelled()


async def kill_at(moment: str, times: int, work: Work) -> int:
    """Run `work` again and again, killed each time at the n-th passing of a moment, then to its end."""
    kills = 0
    for number in range(1, times + 1):
        kills += await kill_after(moment, number, work)
    await work()
    return kills
