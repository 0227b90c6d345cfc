"""One worker's share in one run of a job: claims ranges, works on them, and saves how far each is.

Any number of workers share a run. Invariants: a range is worked on under a lease, and its progress is saved
only by whoever holds it, so that nothing is counted twice; a worker that dies costs what it did since its
last checkpoint. Two who work on one range for a while, as a lease has run out unnoticed, do no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from proxy.core.errors import Contended, CrossfadeError, Reason, Refused
from proxy.core.flag import Job, JobRange
from proxy.faultpoint import faultpoint
from proxy.reconcile.charter import Charter, charter_of
from proxy.reconcile.foreman import Foreman
from proxy.reconcile.job import RUNNING, fail, is_run, pair_of
from proxy.reconcile.pacing import Pacing
from proxy.reconcile.patience import persist
from proxy.reconcile.progress import Progress
from proxy.reconcile.site import Outlook, Site
from proxy.reconcile.trade import Trade

_log = logging.getLogger("crossfade.jobs")

HANDS = 3
"""Ranges that one worker works on at the same time."""
LEASE = 10.0
"""Seconds after which the ranges of a dead worker are taken over."""
CHECKPOINT = 1.0
"""Seconds of work that a crash may cost."""
IDLE = 0.5
"""Seconds between two attempts to find a range while others hold what is left."""


async def work(site: Site, outlook: Outlook, trade: Trade, job: Job) -> Job:
    """Share in a running job until it runs no more; the job as it is then.

    Raises Refused and whatever else lasts, having saved the job as failed. Cancelling it gives the ranges up
    at their last document, for others to go on with.
    """
    charter = charter_of(job)
    if charter is None:
        raise Contended(f"the {trade.kind} of {site.name} is none that can be shared")
    try:
        return await _Shift(site, outlook, trade, charter, job).run()
    except CrossfadeError as error:
        message = error.message
        await persist(f"the failure of {site.name}", lambda: fail(site, trade.kind, charter.run, message))
        raise


async def work_one(site: Site, outlook: Outlook, trade: Trade, job: Job) -> bool:
    """Do one range of a running job, whichever is free, to its end; False where none is, or it runs no more.

    For those who have a scheduler of their own. Raises what `work` does; what fails here fails the job only
    if nobody can do it.
    """
    charter = charter_of(job)
    if charter is None:
        raise Contended(f"the {trade.kind} of {site.name} is none that can be shared")
    return await _Shift(site, outlook, trade, charter, job).run_one()


class _Shift:
    """One worker at one run."""

    def __init__(self, site: Site, outlook: Outlook, trade: Trade, charter: Charter, job: Job) -> None:
        self.name = f"the {trade.kind} of {site.name}"
        self._site = site
        self._outlook = outlook
        self._trade = trade
        self._charter = charter
        self._job = job
        self._pair = pair_of(site, outlook)
        self._pacing = Pacing(gives_way=site.gives_way)
        self._foreman = Foreman(site, trade, charter)
        self._is_idle = asyncio.Event()

    async def run(self) -> Job:
        self._check()
        await self._trade.require(self._site, self._outlook)
        if not await self._is_on():
            return self._job
        await self._lay_out()
        name = f"{self._trade.kind}.{self._site.name}"
        hands = [asyncio.create_task(self._work(), name=name) for _ in range(HANDS)]
        try:
            await self._oversee(hands)
        finally:
            await _stop(hands)
            await self._foreman.leave()
        return self._job

    async def run_one(self) -> bool:
        self._check()
        await self._trade.require(self._site, self._outlook)
        if not await self._is_on():
            return False
        await self._lay_out()
        claimed = await self._claim()
        if claimed is None:
            return False
        hand = asyncio.create_task(self._work_on(claimed))
        try:
            while not hand.done() and await self._is_on():
                await asyncio.wait({hand}, timeout=CHECKPOINT)
            if hand.done():
                hand.result()
            await self._tally()
        finally:
            await _stop([hand])
            await self._foreman.leave()
        return True

    async def _lay_out(self) -> None:
        """Whoever comes first makes the ranges."""
        site, charter = self._site, self._charter
        await persist(
            self.name, lambda: site.control.lay_out(site.name, self._trade.kind, charter.run, charter.ranges)
        )

    async def _oversee(self, hands: Iterable[asyncio.Task[None]]) -> None:
        """Look after the job until it runs no more, and the last time when the hands have stopped."""
        while await self._is_on():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECKPOINT):
                    await self._is_idle.wait()
            self._is_idle.clear()
            for hand in hands:
                if hand.done():
                    hand.result()
        await _stop(hands)
        if is_run(self._job, self._charter.run) and self._job.state == "paused":
            await self._tally()

    async def _is_on(self) -> bool:
        """Whether the run goes on; learns of changed limits, and tells how far all is."""
        self._check()
        try:
            stored = await self._site.control.job(self._site.name, self._trade.kind)
        except CrossfadeError as error:
            _log.warning("%s does not see its job: %s", self.name, error)
            return True
        self._job = stored or self._job
        if stored is None or not is_run(stored, self._charter.run) or stored.state != RUNNING:
            return False
        self._limit(stored)
        await self._tally()
        return self._job.state == RUNNING

    async def _tally(self) -> None:
        try:
            self._job = await self._foreman.tally(self._job, self._pair)
        except CrossfadeError as error:
            _log.warning("%s is not summed up: %s", self.name, error)

    def _check(self) -> None:
        """Raises Refused when another store has become the primary since."""
        stage = self._outlook.published.stage
        if stage.primary is not self._charter.primary or stage.mirror is None:
            message = f"the stage of {self._site.name} has changed: start the {self._trade.kind} again"
            raise Refused(message, Reason.STAGE_NOT_ALLOWED)

    def _limit(self, job: Job) -> None:
        """Keep to our share of what all workers may do together."""
        charter = charter_of(job)
        if charter is not None:
            others = max(1, job.workers)
            self._pacing.documents.set_ceiling(charter.rate / others or None)
            self._pacing.units.set_ceiling(charter.max_units / others or None)

    async def _work(self) -> None:
        """Range after range, until somebody stops us."""
        while True:
            claimed = await self._claim()
            if claimed is None:
                self._is_idle.set()
                await asyncio.sleep(IDLE)
            else:
                await self._work_on(claimed)

    async def _claim(self) -> JobRange | None:
        site, run = self._site, self._charter.run
        try:
            return await site.control.claim_range(site.name, self._trade.kind, run, site.replica, LEASE)
        except CrossfadeError as error:
            _log.warning("%s finds no range: %s", self.name, error)
            return None

    async def _work_on(self, claimed: JobRange) -> None:
        progress = Progress.at(claimed.position, claimed.counts)
        desk = _Desk(self._site, self._trade, claimed, progress)
        task = asyncio.create_task(
            self._trade.work(self._site, self._pair, self._charter, claimed.number, progress, self._pacing)
        )
        try:
            while not task.done() and desk.is_ours:
                await asyncio.wait({task}, timeout=CHECKPOINT)
                await desk.keep()
        finally:
            await _stop([task])
            await desk.give_up()
        if desk.is_ours:
            task.result()


class _Desk:
    """One range in our hands: what is saved of it, and whether it is still ours."""

    def __init__(self, site: Site, trade: Trade, claimed: JobRange, progress: Progress) -> None:
        self._site = site
        self._trade = trade
        self._held = claimed
        self._progress = progress
        self.is_ours = True

    async def keep(self) -> None:
        """A checkpoint. One that cannot be written costs work after a crash; but the end must be known."""
        while self.is_ours:
            try:
                await self._save(0.0 if self._progress.is_done else LEASE)
                return
            except CrossfadeError as error:
                _log.warning("no checkpoint of the %s of %s: %s", self._trade.kind, self._site.name, error)
            if not self._progress.is_done:
                return
            await asyncio.sleep(IDLE)

    async def give_up(self) -> None:
        """Leave what is not done to others, at once if the control store answers."""
        if self.is_ours and not self._held.is_done:
            with contextlib.suppress(CrossfadeError, TimeoutError):
                async with asyncio.timeout(2.0):
                    await self._save(0.0)

    async def _save(self, seconds: float) -> None:
        await faultpoint(f"{self._trade.craft}.before_checkpoint")
        progress = self._progress
        standing = replace(
            self._held,
            position=progress.position,
            counts=dict(progress.counts),
            is_done=progress.is_done,
        )
        saved = await self._site.control.save_range(standing, seconds)
        if saved is None:
            self.is_ours = False
            return
        self._trade.tell(self._site, Counter(saved.counts) - Counter(self._held.counts))
        self._held = saved


async def _stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
