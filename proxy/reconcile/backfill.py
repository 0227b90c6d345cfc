"""Copies what the primary held before there was a mirror, under live traffic, by conditional mirror writes.

A job that any number of workers share (see `shift`); what becomes of one range is said in `copying`.

Invariant: the feed is followed from before the first range is begun, so that a document which changes or goes
while it is copied is the feed's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from proxy.core.errors import Reason, Refused
from proxy.core.exchange import Segment
from proxy.core.flag import Job
from proxy.reconcile.charter import AS_IT_IS, Charter, JobOrder, Layout
from proxy.reconcile.checkpoint import KIND, place_in
from proxy.reconcile.copying import copy_range
from proxy.reconcile.job import begin
from proxy.reconcile.key import Pair
from proxy.reconcile.pacing import Pacing
from proxy.reconcile.progress import Progress, ranges_for
from proxy.reconcile.shift import work
from proxy.reconcile.site import Outlook, Site

FEED_TIMEOUT = 15.0
"""Seconds to wait for a reconciler to hold a position before the copy may begin."""


class Backfill:
    """See `trade.Trade`. Its counts are those of `copying.copy_range`."""

    kind = craft = "backfill"

    def lay_out(self, documents: int) -> Layout:
        return Layout(ranges_for(documents), documents, documents)

    async def require(self, site: Site, outlook: Outlook) -> None:
        """What changes while it is copied must be seen by a feed whose position is older than the copy."""
        try:
            async with asyncio.timeout(FEED_TIMEOUT):
                while not await _is_followed(site, outlook):  # noqa: ASYNC110 - another process saves it
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            message = f"no reconciler follows the primary of {site.name}: changes would be missed"
            raise Refused(message, Reason.STAGE_NOT_ALLOWED) from error

    async def work(
        self, site: Site, pair: Pair, charter: Charter, number: int, progress: Progress, pacing: Pacing
    ) -> None:
        await copy_range(site, pair, Segment(number, charter.ranges), progress, pacing)

    def done(self, counts: Mapping[str, int]) -> int:
        return sum(counts.values())

    def tell(self, site: Site, counts: Mapping[str, int]) -> None:
        for outcome, amount in counts.items():
            site.signals.count("crossfade.backfill.documents", amount, collection=site.name, outcome=outcome)

    async def conclude(self, site: Site, pair: Pair, job: Job) -> None:
        """Nothing is due."""


BACKFILL = Backfill()


async def backfill(site: Site, outlook: Outlook, order: JobOrder = AS_IT_IS) -> Job:
    """Begin or join in the collection's backfill, and work at it until it runs no more; the job as it is
    then.

    Raises what `job.begin` and `shift.work` do, and Refused when nobody follows the feed.
    """
    job = await begin(site, outlook, BACKFILL, order)
    return await work(site, outlook, BACKFILL, job)


async def _is_followed(site: Site, outlook: Outlook) -> bool:
    job = await site.control.job(site.name, KIND)
    return place_in(job, outlook.published.stage.primary) is not None
