"""The backfills and verifies that this process works at: those that it was asked for, or all that run.

A job that is running is never begun twice: whoever is asked for it joins in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from proxy.core.errors import CrossfadeError, NotFound, Reason
from proxy.core.flag import Job
from proxy.core.ports import Control
from proxy.reconcile.backfill import BACKFILL
from proxy.reconcile.charter import AS_IT_IS, JobOrder, charter_of
from proxy.reconcile.job import begin, pause
from proxy.reconcile.shift import work
from proxy.reconcile.site import Outlook, Site
from proxy.reconcile.trade import Trade
from proxy.reconcile.verify import Verify

_log = logging.getLogger("crossfade.jobs")

LOOK = 1.0
"""Seconds between two looks for jobs that others have begun."""


class Workshop:
    """The jobs of every collection in this process; an idle one begins them and leaves the work to others."""

    def __init__(
        self,
        control: Control,
        sites: Mapping[str, Site],
        outlooks: Mapping[str, Outlook],
        *,
        is_idle: bool = False,
    ) -> None:
        self._is_idle = is_idle
        self._control = control
        self._sites = sites
        self._outlooks = outlooks
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._wanted: dict[tuple[str, str], tuple[Trade, Job]] = {}

    async def start_job(
        self, collection: str, kind: str, order: JobOrder = AS_IT_IS, share: float = 1.0
    ) -> Job:
        """Begin a "backfill", "verify" or "sample" (of a `share` of the documents), go on with a paused one
        or join in the one that runs, and return at once with the job as it is.

        Raises Refused where there is no mirror, or nothing is paused that alone was to be gone on with.
        """
        site, trade = self._site(collection), trade_of(kind, share)
        job = await begin(site, self._outlooks[collection], trade, order)
        if not self._is_idle:
            self._join(site, trade, job)
        return job

    async def pause_job(self, collection: str, kind: str, order: JobOrder = AS_IT_IS) -> Job:
        """Have all who work at the job stop at a checkpoint; starting it goes on from there.

        Raises Refused where none is running, NotFound for an unknown collection.
        """
        return await pause(self._site(collection), kind, order)

    async def join_all(self) -> None:
        """Join in whatever job runs anywhere, for ever."""
        while True:
            with contextlib.suppress(CrossfadeError):
                await self._join_running()
            await asyncio.sleep(LOOK)

    @property
    def is_busy(self) -> bool:
        """Whether this process works at any job."""
        return bool(self._tasks)

    async def stop(self) -> None:
        """Stop at the last document; whoever starts the job again, or works at it too, goes on from there."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _join_running(self) -> None:
        for job in await self._control.running_jobs():
            if job.collection in self._sites and charter_of(job) is not None:
                self._join(self._sites[job.collection], trade_of(job.kind), job)

    def _join(self, site: Site, trade: Trade, job: Job) -> None:
        """Work at it, or have the task that is about to leave it stay."""
        place = (site.name, trade.kind)
        self._wanted[place] = (trade, job)
        if place not in self._tasks:
            self._tasks[place] = asyncio.create_task(self._run(site, place), name=f"{trade.kind}.{site.name}")

    async def _run(self, site: Site, place: tuple[str, str]) -> None:
        try:
            while wanted := self._wanted.pop(place, None):
                await self._work(site, *wanted)
        finally:
            self._tasks.pop(place, None)

    async def _work(self, site: Site, trade: Trade, job: Job) -> None:
        try:
            await work(site, self._outlooks[site.name], trade, job)
        except CrossfadeError as error:
            _log.error("the %s of %s ended: %s", trade.kind, site.name, error)

    def _site(self, collection: str) -> Site:
        if collection not in self._sites:
            raise NotFound(f"there is no collection named {collection!r}", Reason.UNKNOWN_COLLECTION)
        return self._sites[collection]


def trade_of(kind: str, share: float = 1.0) -> Trade:
    """How a kind of job is done. Raises NotFound for one that cannot be started."""
    match kind:
        case "backfill":
            return BACKFILL
        case "verify":
            return Verify()
        case "sample":
            return Verify(share=share)
    raise NotFound(f"there is no job {kind!r} to start", Reason.NOT_FOUND, field="kind")
