"""Sums up what all workers of a run have done, about once a second, and ends it when every range is done.

One worker at a time is the foreman, by lease. Two at once are harmless: the job changes by compare-and-set,
and what is due at its end may be done twice.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace

from proxy.core.flag import Job, JobRange
from proxy.reconcile.charter import Charter
from proxy.reconcile.job import FINISHED, RUNNING
from proxy.reconcile.key import Pair
from proxy.reconcile.lease import Lease
from proxy.reconcile.pacing import loop_time
from proxy.reconcile.site import Site
from proxy.reconcile.trade import Trade

LEASE = 5.0
SPAN = 30.0
"""Seconds over which the rate is measured: an honest guess of what is to come, neither hasty nor stale."""


class Foreman:
    """One worker's readiness to be the foreman of a run."""

    def __init__(self, site: Site, trade: Trade, charter: Charter) -> None:
        self._site = site
        self._trade = trade
        self._charter = charter
        self._lease = Lease(site.control, f"foreman/{trade.kind}/{site.name}", site.replica, LEASE)
        self._marks: deque[tuple[float, int]] = deque()

    async def tally(self, job: Job, pair: Pair) -> Job:
        """The job as it stands now, saved if that is ours to do. Raises the errors of the stores."""
        if not await self._lease.hold():
            return job
        ranges = await self._site.control.ranges(job.collection, job.kind, self._charter.run)
        summed = await self._sum(job, ranges)
        if job.state == RUNNING and ranges and all(one.is_done for one in ranges):
            await self._trade.conclude(self._site, pair, summed)
            summed = replace(summed, state=FINISHED, total=summed.done, workers=0)
        return summed if await self._site.control.swap_job(job, summed) else job

    async def leave(self) -> None:
        """Let another one be the foreman."""
        await self._lease.release()

    async def _sum(self, job: Job, ranges: Sequence[JobRange]) -> Job:
        counts = sum((Counter(one.counts) for one in ranges), Counter[str]())
        done = self._trade.done(counts)
        return replace(
            job,
            counts=dict(counts),
            done=done,
            total=max(job.total, done),
            rate=self._rate(done, job),
            workers=len({one.holder for one in ranges if one.is_held and not one.is_done}),
            updated_at=await self._site.control.now(),
        )

    def _rate(self, done: int, job: Job) -> float:
        """Documents a second of late; of a paused job none."""
        now = loop_time()
        self._marks.append((now, done))
        while len(self._marks) > 2 and self._marks[1][0] < now - SPAN:
            self._marks.popleft()
        since, before = self._marks[0]
        if job.state != RUNNING or now - since < 0.5:
            return job.rate if job.state == RUNNING else 0.0
        return max(0.0, (done - before) / (now - since))
