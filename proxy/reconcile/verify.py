"""Compares both stores completely, in both directions, while traffic goes on, in memory that does not grow.

A job that any number of workers share (see `shift`): the first half of its ranges are of the primary, the
second of the mirror; how one is compared is said in `comparing`. Divergences of documents that were open
before it began, and that it did not find, are closed at the end: they have healed.

A sample is the same over the beginning of every range; it is another kind of job, so that no gate takes it
for the whole, and it closes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

from proxy.core.comparison import MATCH, Kind, compare
from proxy.core.divergence import Divergence
from proxy.core.exchange import Segment
from proxy.core.finding import key_named
from proxy.core.flag import Job
from proxy.reconcile.charter import AS_IT_IS, Charter, JobOrder, Layout
from proxy.reconcile.comparing import DOCUMENTS, EXTRAS, CompareOptions, Side, compare_range
from proxy.reconcile.job import begin
from proxy.reconcile.key import Pair
from proxy.reconcile.pacing import Pacing
from proxy.reconcile.progress import Progress, ranges_for
from proxy.reconcile.repair import open_rows
from proxy.reconcile.shift import work
from proxy.reconcile.site import Outlook, Site

CLOSELY = CompareOptions()
SAMPLE_RANGES = 64
"""Places of each store at which a sample looks."""


@dataclass(frozen=True, slots=True)
class Verify:
    """See `trade.Trade`. Its counts are those of `comparing.compare_range`. With a `share` of the documents
    it is a sample, even if that is all of them."""

    share: float | None = None
    options: CompareOptions = CLOSELY
    craft: str = "verify"

    @property
    def kind(self) -> str:
        return "verify" if self.share is None else "sample"

    def lay_out(self, documents: int) -> Layout:
        """Both directions count; the mirror is taken to hold as much."""
        if self.share is None:
            return Layout(2 * ranges_for(documents), 2 * documents, 2 * documents)
        most = max(1, ceil(documents * self.share / SAMPLE_RANGES))
        total = 2 * min(documents, most * SAMPLE_RANGES)
        return Layout(2 * SAMPLE_RANGES, total, 2 * documents, most)

    async def require(self, site: Site, outlook: Outlook) -> None:
        """Nothing is needed."""

    async def work(
        self, site: Site, pair: Pair, charter: Charter, number: int, progress: Progress, pacing: Pacing
    ) -> None:
        half = charter.ranges // 2
        side = Side.PRIMARY if number < half else Side.MIRROR
        segment = Segment(number % half, half)
        options = replace(self.options, most=charter.most)
        await compare_range(site, pair, side, segment, progress, pacing, options)

    def done(self, counts: Mapping[str, int]) -> int:
        return counts.get(DOCUMENTS, 0) + counts.get(EXTRAS, 0)

    def tell(self, site: Site, counts: Mapping[str, int]) -> None:
        for name in (DOCUMENTS, EXTRAS):
            if amount := counts.get(name, 0):
                site.signals.count("crossfade.verify.documents", amount, collection=site.name, outcome=name)

    async def conclude(self, site: Site, pair: Pair, job: Job) -> None:
        """What was not seen again since the start is closed if both stores agree on it now: replicas' clocks
        differ, so times alone prove nothing. Queries and refusals were not looked at."""
        if self.share is not None:
            return
        async for rows in open_rows(site):
            for row in rows:
                if row.key and row.last_seen < job.started_at and row.kind is not Kind.ERROR_PARITY:
                    await _close_if_equal(site, pair, row)


async def verify(
    site: Site, outlook: Outlook, trade: Verify | None = None, order: JobOrder = AS_IT_IS
) -> Job:
    """Begin or join in the collection's verify, and work at it until it runs no more; the job as it is then.

    Every divergence is in the log too. Raises what `job.begin` and `shift.work` do.
    """
    trade = trade or Verify()
    job = await begin(site, outlook, trade, order)
    return await work(site, outlook, trade, job)


async def _close_if_equal(site: Site, pair: Pair, row: Divergence) -> None:
    key = key_named(site.collection, row.key)
    if key is None:
        return
    [mirror] = await pair.mirror.get([key])
    [primary] = await pair.primary.get([key])
    if compare(primary, mirror) == MATCH:
        await site.divergences.close(row.id, "a complete verify did not find it any more")
