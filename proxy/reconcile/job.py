"""A long scan as a job of its collection: one at a time by lease, checkpointed, resumable by anybody.

A job belongs to the roles under which it began; when another store becomes the primary, it ends as failed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from proxy.core.errors import Contended, CrossfadeError, Reason, Refused
from proxy.core.flag import Flag, Job
from proxy.core.ports import Door
from proxy.core.stage import Published
from proxy.faultpoint import faultpoint
from proxy.reconcile.key import Pair
from proxy.reconcile.lease import Lease
from proxy.reconcile.progress import Progress
from proxy.reconcile.site import Site

_log = logging.getLogger("crossfade.reconcile")
_T = TypeVar("_T")

LEASE = 10.0
CHECKPOINT = 1.0
"""Seconds of work that a crash may cost."""
LONGEST_PAUSE = 2.0


@dataclass(slots=True)
class Scan:
    """A running job: its stores in their roles, how far it is, and what is saved of it."""

    site: Site
    door: Door
    kind: str
    published: Published
    pair: Pair
    progress: Progress
    job: Job
    failure: str = ""

    @property
    def name(self) -> str:
        """What makes it the same scan after a crash: what it does, and in which direction."""
        return scan_name(self.kind, self.published)

    def check(self) -> None:
        """Raises Refused when another store has become the primary since."""
        stage = self.door.published.stage
        if stage.primary is not self.published.stage.primary or stage.mirror is None:
            raise Refused(f"the stage of {self.site.name} has changed: start the {self.kind} again")

    async def persist(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Call until the stores answer."""
        pause = 0.05
        while True:
            self.check()
            try:
                return await call()
            except CrossfadeError as error:
                _log.warning("the %s of %s waits for a store: %s", self.kind, self.site.name, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def save(self, state: str, message: str = "") -> Job:
        await faultpoint(f"{self.kind}.before_checkpoint")
        self.job = replace(
            self.job,
            state=state,
            updated_at=await self.site.control.now(),
            counts=dict(self.progress.counts),
            position=self.progress.to_text(self.name),
            message=message,
        )
        await self.site.control.save_job(self.job)
        return self.job


def scan_name(kind: str, published: Published) -> str:
    return f"{kind} {published.stage.primary.value}"


async def run_scan(
    site: Site, door: Door, kind: str, parts: int, work: Callable[[Scan], Coroutine[Any, Any, None]]
) -> Job:
    """Do `work` as the collection's job `kind`, going on where an unfinished one stopped.

    Raises Contended when another replica is at it, Refused where there is no mirror or the stage changes.
    Cancelling pauses it: the job stays "running" and may be taken up again by anyone.
    """
    lease = Lease(site.control, f"{kind}/{site.name}", site.replica, LEASE)
    if not await lease.hold():
        raise Contended(f"another replica runs the {kind} of {site.name}")
    try:
        scan = await _open(site, door, kind, parts)
        return await _drive(scan, lease, work)
    finally:
        await lease.release()


async def _open(site: Site, door: Door, kind: str, parts: int) -> Scan:
    published = door.published
    pair = site.pair(published)
    if pair is None:
        raise Refused(f"{site.name} has no mirror in {published.stage.value}", Reason.STAGE_NOT_ALLOWED)
    flag = await site.control.flag(site.name)
    job = await site.control.job(site.name, kind)
    now = await site.control.now()
    progress = _resumed(job, flag, scan_name(kind, published))
    if job is None or progress is None:
        job = Job(site.name, kind, "running", published.epoch, now, now, {})
        progress = Progress(parts)
    scan = Scan(site, door, kind, published, pair, progress, job)
    await scan.save("running")
    return scan


def _resumed(job: Job | None, flag: Flag, scan: str) -> Progress | None:
    """The progress of an unfinished job, unless the mirror was absent in between."""
    if job is None or job.state != "running" or job.epoch < flag.mirrored_since:
        return None
    return Progress.from_text(job.position, scan, job.counts)


async def _drive(scan: Scan, lease: Lease, work: Callable[[Scan], Coroutine[Any, Any, None]]) -> Job:
    """Work and save until the work is done; save once more when it is cut off."""
    task = asyncio.create_task(work(scan), name=f"{scan.kind}.{scan.site.name}")
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=CHECKPOINT)
            await _keep(scan, lease)
        task.result()
    except asyncio.CancelledError:
        await _stop(task)
        await _keep(scan, lease)
        raise
    except CrossfadeError as error:
        await _stop(task)
        await scan.save("failed", error.message)
        raise
    return await scan.save("finished")


async def _keep(scan: Scan, lease: Lease) -> None:
    """A checkpoint that cannot be written costs work after a crash, and nothing else."""
    try:
        await lease.hold()
        await scan.save("running")
    except CrossfadeError as error:
        _log.warning("no checkpoint of the %s of %s: %s", scan.kind, scan.site.name, error)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
