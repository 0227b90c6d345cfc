"""Runs backfills and verifies in the background of this replica, started by operators.

A job that is running anywhere is not started twice: its lease, and its state in the control store, say so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from proxy.core.errors import CrossfadeError, NotFound, Reason
from proxy.core.flag import Job
from proxy.core.ports import Door
from proxy.reconcile.backfill import backfill
from proxy.reconcile.site import Site
from proxy.reconcile.verify import verify

_log = logging.getLogger("crossfade.jobs")

KINDS = ("backfill", "verify")


class Workshop:
    """The jobs of every collection on this replica."""

    def __init__(self, sites: Mapping[str, Site], doors: Mapping[str, Door]) -> None:
        self._sites = sites
        self._doors = doors
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def start_job(self, collection: str, kind: str) -> Job:
        """Start a "backfill" or "verify" and return at once, with the job as it begins.

        The one that this replica is running already is returned as it stands. One that another replica runs
        ends this one at its lease.
        """
        assert kind in KINDS, kind
        site = self._sites.get(collection)
        if site is None:
            raise NotFound(f"there is no collection named {collection!r}", Reason.UNKNOWN_COLLECTION)
        if (collection, kind) in self._tasks:
            return await site.control.job(collection, kind) or self._first(site, kind)
        begun = self._first(site, kind)
        task = asyncio.create_task(self._run(site, kind), name=f"{kind}.{collection}")
        self._tasks[collection, kind] = task
        task.add_done_callback(lambda _: self._tasks.pop((collection, kind), None))
        return begun

    async def stop(self) -> None:
        """Stop at the last checkpoint; whoever starts the job again goes on from there."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _first(self, site: Site, kind: str) -> Job:
        now = site.clock.now()
        epoch = self._doors[site.name].published.epoch
        return Job(site.name, kind, "running", epoch, now, now, {})

    async def _run(self, site: Site, kind: str) -> None:
        work = backfill if kind == "backfill" else verify
        try:
            await work(site, self._doors[site.name])
        except CrossfadeError as error:
            _log.error("the %s of %s ended: %s", kind, site.name, error)
            await self._note_failure(site, kind, error.message)

    async def _note_failure(self, site: Site, kind: str, message: str) -> None:
        """A job that could not even begin leaves word for whoever waits for it."""
        try:
            job = await site.control.job(site.name, kind)
            if job is None or job.state != "running":
                failed = replace(job or self._first(site, kind), state="failed", message=message)
                await site.control.save_job(replace(failed, updated_at=site.clock.now()))
        except CrossfadeError as error:
            _log.error("the failure of the %s of %s is not recorded: %s", kind, site.name, error)
