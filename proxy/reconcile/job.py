"""The life of a job that many workers share: begun, paused, gone on with, failed and finished, each by
compare-and-set.

    (none) --begin--> running --pause--> paused --begin--> running --finish--> finished
                         |--fail--> failed

Invariants: nothing changes without an entry in the audit trail; a collection has one run of a kind at a time;
a run belongs to the primary under which it began, and to the mirror that was kept up since; whoever finds
another run in the job's place has nothing to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from proxy.core.errors import Contended, Reason, Refused
from proxy.core.flag import Job
from proxy.core.ports import Control
from proxy.reconcile.charter import AS_IT_IS, Charter, JobOrder, charter_of
from proxy.reconcile.key import Pair
from proxy.reconcile.lease import Lease
from proxy.reconcile.site import Outlook, Site
from proxy.reconcile.trade import Trade
from proxy.reconcile.trail import JobTrail

RUNNING, PAUSED, FINISHED, FAILED = "running", "paused", "finished", "failed"

_ALONE = 5.0
"""Seconds for which one replica may be the only one that begins a job."""


def pair_of(site: Site, outlook: Outlook) -> Pair:
    """The stores in their present roles. Raises Refused where there is no mirror."""
    pair = site.pair(outlook.published)
    if pair is None:
        stage = outlook.published.stage.value
        raise Refused(f"{site.name} has no mirror in {stage}", Reason.STAGE_NOT_ALLOWED)
    return pair


async def begin(site: Site, outlook: Outlook, trade: Trade, order: JobOrder) -> Job:
    """The running job: the one that runs already, the one that was paused, or a new one.

    Limits that the order names hold from now on. Raises Refused where there is no mirror, or nothing to go on
    with if that alone is wanted; Contended where another replica is about to begin one.
    """
    pair, trail = pair_of(site, outlook), JobTrail(site, order)
    async with _alone(site, trade.kind):
        while True:
            job = await site.control.job(site.name, trade.kind)
            if job is None or not await _is_to_go_on(site, outlook, job, order):
                if order.only_resume:
                    raise Refused(f"no {trade.kind} of {site.name} is paused", Reason.STAGE_NOT_ALLOWED)
                begun = await _draw_up(site, outlook, trade, pair, order)
                await trail.note(job, begun)
                await site.control.save_job(begun)
                return begun
            if changed := await _swap(site.control, job, RUNNING, order, trail):
                return changed


async def pause(site: Site, kind: str, order: JobOrder = AS_IT_IS) -> Job:
    """Have all workers stop at a checkpoint. Raises Refused where none is running."""
    trail = JobTrail(site, order)
    while True:
        job = await site.control.job(site.name, kind)
        if job is None or job.state != RUNNING:
            raise Refused(f"no {kind} of {site.name} is running", Reason.STAGE_NOT_ALLOWED)
        if paused := await _swap(site.control, job, PAUSED, order, trail):
            return paused


async def fail(site: Site, kind: str, run: str, message: str) -> None:
    """End a run that cannot go on, unless it has ended, or another one has begun."""
    while True:
        job = await site.control.job(site.name, kind)
        if job is None or not is_run(job, run) or job.state != RUNNING:
            return
        now = await site.control.now()
        if await site.control.swap_job(job, replace(job, state=FAILED, message=message, updated_at=now)):
            return


def is_run(job: Job | None, run: str) -> bool:
    """Whether this is the job of a run."""
    charter = charter_of(job)
    return charter is not None and charter.run == run


async def _is_to_go_on(site: Site, outlook: Outlook, job: Job, order: JobOrder) -> bool:
    """Whether the job may be gone on with: not if the mirror was absent in between, or is the primary now."""
    charter = charter_of(job)
    if charter is None or charter.primary is not outlook.published.stage.primary:
        return False
    if job.state == PAUSED and order.anew:
        return False
    flag = await site.control.flag(site.name)
    return job.state in (RUNNING, PAUSED) and job.epoch >= flag.mirrored_since


async def _draw_up(site: Site, outlook: Outlook, trade: Trade, pair: Pair, order: JobOrder) -> Job:
    """A new run's job."""
    published, now = outlook.published, await site.control.now()
    layout = trade.lay_out(await pair.primary.estimate())
    run = site.clock.new_op().hex()
    charter = Charter(run, published.stage.primary, layout.ranges, layout.most).limited(order)
    return Job(
        site.name,
        trade.kind,
        RUNNING,
        published.epoch,
        now,
        now,
        {},
        charter.to_text(),
        total=layout.total,
        population=layout.population,
    )


async def _swap(control: Control, job: Job, state: str, order: JobOrder, trail: JobTrail) -> Job | None:
    """Give the job a state, and its charter the limits of an order; None where it has changed meanwhile."""
    charter = charter_of(job)
    position = charter.limited(order).to_text() if charter else job.position
    if (state, position) == (job.state, job.position):
        return job
    changed = replace(job, state=state, position=position, message="", updated_at=await control.now())
    await trail.note(job, changed)
    return changed if await control.swap_job(job, changed) else None


@asynccontextmanager
async def _alone(site: Site, kind: str) -> AsyncIterator[None]:
    """While nobody else begins a job of the kind. Raises Contended if that takes too long."""
    holder = f"{site.replica}/{site.clock.new_op().hex()}"
    lease = Lease(site.control, f"begin/{kind}/{site.name}", holder, _ALONE)
    try:
        async with asyncio.timeout(_ALONE):
            while not await lease.hold():  # noqa: ASYNC110 - another process has it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise Contended(f"another replica begins the {kind} of {site.name}") from None
    try:
        yield
    finally:
        await lease.release()
