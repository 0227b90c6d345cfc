"""Copies one range of the primary into the mirror, by conditional writes, many in flight at a time.

Pure in its inputs: it works on the stores, the range and the progress that it is given, and asks nobody what
to do. So proxies, dedicated workers and clusters run the same code over the same ranges.

Invariants: nothing is written over a newer version; a document that the mirror cannot hold is quarantined
(reported with its reason) and the others go on; memory is bounded by what may be in flight.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from proxy.core.canary import canary_key
from proxy.core.errors import CrossfadeError, Overloaded, Reason, Refused
from proxy.core.exchange import ApplyResult, ApplyStatus, Segment
from proxy.core.version import Record
from proxy.faultpoint import faultpoint
from proxy.reconcile.key import Pair, Result
from proxy.reconcile.pacing import Pacing, loop_time
from proxy.reconcile.patience import persist
from proxy.reconcile.progress import Chunk, Progress, size_of
from proxy.reconcile.quarantine import Quarantine
from proxy.reconcile.settler import Settler, Superseded
from proxy.reconcile.site import Site
from proxy.reconcile.together import together

MOST_AHEAD = 1_000
"""Documents that may be done with behind one that is not."""
LONGEST_PAUSE = 1.0
"""Seconds between two attempts while the mirror throttles."""

COPIED, PRESENT, SETTLED, QUARANTINED = "copied", "present", "settled", "quarantined"


async def copy_range(site: Site, pair: Pair, segment: Segment, progress: Progress, pacing: Pacing) -> None:
    """Copy what a segment of `pair.primary` holds behind `progress.after`, to its end.

    `progress` moves along while it runs, and may be saved at any time; its counts are documents: copied,
    present (already there), settled (needed a closer look) and quarantined. Stores that do not answer are
    waited for. Raises Refused when another store has become the primary. Cancelling it is harmless, and so is
    doing a range again. The feed must have been followed since before the first range was begun.
    """
    work = _Copy(site, pair, segment, progress, pacing)
    while not progress.is_done:
        await persist(f"the backfill of {site.name}", work.go_on)


class _Copy:
    """The copying of one range."""

    def __init__(self, site: Site, pair: Pair, segment: Segment, progress: Progress, pacing: Pacing) -> None:
        self._site = site
        self._pair = pair
        self._segment = segment
        self._progress = progress
        self._pacing = pacing
        self._settler = Settler(site, pair, Quarantine())
        self._canary = canary_key(site.collection)
        self._tasks: set[asyncio.Task[None]] = set()

    async def go_on(self) -> None:
        """From where the range stands to its end."""
        self._progress.forget()
        async with together() as group:
            await self._feed(group)
        self._progress.is_done = True

    async def _feed(self, group: asyncio.TaskGroup) -> None:
        records: Any = self._pair.primary.scan(self._segment, self._progress.after)
        async with aclosing(records):
            async for record in records:
                size = size_of(record)
                paid = await self._pacing.enter(size)
                chunk = self._progress.begin(record.key)
                task = group.create_task(self._finish(record, chunk, size, paid))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                while len(self._progress.chunks) >= MOST_AHEAD:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _finish(self, record: Record, chunk: Chunk, size: int, paid: float) -> None:
        begun, units = loop_time(), 0.0
        seconds: float | None = None
        try:
            applied = await self._apply(record)
            if applied is not None:
                seconds, units = loop_time() - begun, applied.units
            outcome = await self._outcome(record, applied)
        finally:
            self._pacing.leave(size, paid, units, seconds)
        await faultpoint("backfill.after_copy")
        self._progress.complete(chunk, {outcome: 1})

    async def _apply(self, record: Record) -> ApplyResult | None:
        """What the mirror made of it; None where it failed. While the mirror throttles, it is tried again."""
        pause = 0.05
        while True:
            try:
                return await self._pair.mirror.apply(record, is_metered=self._pacing.asks())
            except Overloaded:
                self._pacing.throttle()
            except CrossfadeError:
                return None
            await asyncio.sleep((1.0 - self._site.clock.random() / 2) * pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _outcome(self, record: Record, applied: ApplyResult | None) -> str:
        if applied is not None and applied.status is ApplyStatus.APPLIED:
            return COPIED
        if record.key == self._canary or (applied is not None and _is_the_same(applied, record)):
            return PRESENT
        return await self._settle(record)

    async def _settle(self, record: Record) -> str:
        """Whatever was in the way: look at what both stores hold now."""
        try:
            [outcome] = await self._settler.settle([record.key], False)
        except Superseded:
            message = f"the stage of {self._site.name} has changed: start the backfill again"
            raise Refused(message, Reason.STAGE_NOT_ALLOWED) from None
        return QUARANTINED if outcome.result is Result.QUARANTINED else SETTLED


def _is_the_same(applied: ApplyResult, record: Record) -> bool:
    existing = applied.existing
    if applied.status is not ApplyStatus.ALREADY_THERE:
        return False
    return existing is None or existing.document == record.document
