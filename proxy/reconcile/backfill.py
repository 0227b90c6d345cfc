"""Copies what the primary held before there was a mirror, under live traffic, by conditional mirror writes.

Invariants: nothing is written over a newer version; a document that changes or goes while it is copied is the
feed's business, and the feed is followed from before the copy begins; a document that the mirror cannot hold
is quarantined and the others go on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from proxy.core.errors import CrossfadeError, Reason, Refused
from proxy.core.exchange import ApplyResult, ApplyStatus, Segment
from proxy.core.flag import Job
from proxy.core.ports import Door
from proxy.core.version import Record
from proxy.faultpoint import faultpoint
from proxy.reconcile.checkpoint import KIND, place_in
from proxy.reconcile.job import Scan, run_scan
from proxy.reconcile.key import Result
from proxy.reconcile.progress import chunks_of
from proxy.reconcile.quarantine import Quarantine
from proxy.reconcile.rate import Rate
from proxy.reconcile.settler import Settler, Superseded
from proxy.reconcile.site import Site

FEED_TIMEOUT = 15.0
"""Seconds to wait for a reconciler to hold a position before the copy may begin."""


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """How a backfill proceeds; none of it can be changed for a job that is taken up again but `rate`.

    `rate` limits documents a second (None: no limit); `chunk` is how many documents are in flight in each of
    `segments` parallel parts.
    """

    segments: int = 4
    chunk: int = 8
    rate: float | None = None


async def backfill(site: Site, door: Door, options: BackfillOptions | None = None) -> Job:
    """The finished job "backfill"; its counts: copied, present (already there), settled (needed a closer
    look) and quarantined. Raises as `job.run_scan` does, and Refused when nobody follows the feed."""
    options = options or BackfillOptions()
    await _await_feed(site, door)
    return await run_scan(site, door, "backfill", options.segments, lambda scan: _Copy(scan, options).run())


async def _await_feed(site: Site, door: Door) -> None:
    """What changes while it is copied must be seen by a feed whose position is older than the copy."""
    try:
        async with asyncio.timeout(FEED_TIMEOUT):
            while not await _is_followed(site, door):  # noqa: ASYNC110 - another process saves it
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        message = f"no reconciler follows the primary of {site.name}: changes would be missed"
        raise Refused(message, Reason.STAGE_NOT_ALLOWED) from error


async def _is_followed(site: Site, door: Door) -> bool:
    job = await site.control.job(site.name, KIND)
    return place_in(job, door.published.stage.primary) is not None


class _Copy:
    """One run of a backfill."""

    def __init__(self, scan: Scan, options: BackfillOptions) -> None:
        self._scan = scan
        self._options = options
        self._rate = Rate(options.rate)
        self._settler = Settler(scan.site, scan.pair, Quarantine())

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for part in range(len(self._scan.progress.parts)):
                    group.create_task(self._copy_part(part))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _copy_part(self, number: int) -> None:
        """To the part's end, starting over from where it stands whenever the primary does not answer."""
        part = self._scan.progress.parts[number]
        while not part.is_done:
            await self._scan.persist(lambda: self._copy_on(number))

    async def _copy_on(self, number: int) -> None:
        progress, pair = self._scan.progress, self._scan.pair
        segment = Segment(number, len(progress.parts))
        records: Any = pair.primary.scan(segment, progress.parts[number].after)
        async with aclosing(records):
            async for chunk in chunks_of(records, self._options.chunk):
                await self._rate.take(len(chunk))
                self._scan.check()
                begun = progress.begin(number, chunk[-1].key)
                begun.counts = await self._copy_chunk(chunk)
                await faultpoint("backfill.after_chunk")
                progress.complete(number, begun)
        progress.finish(number)

    async def _copy_chunk(self, chunk: Sequence[Record]) -> Counter[str]:
        counts = Counter(await asyncio.gather(*map(self._copy, chunk)))
        for outcome, amount in counts.items():
            self._scan.site.signals.count(
                "crossfade.backfill.documents", amount, collection=self._scan.site.name, outcome=outcome
            )
        return counts

    async def _copy(self, record: Record) -> str:
        try:
            applied = await self._scan.pair.mirror.apply(record)
        except CrossfadeError:
            return await self._settle(record)
        if applied.status is ApplyStatus.APPLIED:
            return "copied"
        return "present" if _is_the_same(applied, record) else await self._settle(record)

    async def _settle(self, record: Record) -> str:
        """Whatever was in the way: look at what both stores hold now."""
        try:
            [outcome] = await self._settler.settle([record.key], False)
        except Superseded:
            message = f"the stage of {self._scan.site.name} has changed: start the backfill again"
            raise Refused(message, Reason.STAGE_NOT_ALLOWED) from None
        return "quarantined" if outcome.result is Result.QUARANTINED else "settled"


def _is_the_same(applied: ApplyResult, record: Record) -> bool:
    existing = applied.existing
    if applied.status is not ApplyStatus.ALREADY_THERE:
        return False
    return existing is None or existing.document == record.document
