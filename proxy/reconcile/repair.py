"""Brings documents together again and proves it: only what both stores are seen to agree on is closed.

The primary is always read anew; no operation is replayed, and nothing is written over a newer version. A
divergence is looked at, mended, compared again, and closed with evidence or opened again: see `core.life`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from proxy.core.comparison import Kind, Verdict, conclude
from proxy.core.divergence import Divergence
from proxy.core.errors import Reason, Refused
from proxy.core.exchange import DivergenceQuery
from proxy.core.finding import identify, key_named
from proxy.core.keys import Key
from proxy.core.life import Event
from proxy.core.version import Record
from proxy.reconcile.job import pair_of
from proxy.reconcile.key import Outcome, Pair, Result
from proxy.reconcile.quarantine import Quarantine
from proxy.reconcile.settler import Settler, Superseded
from proxy.reconcile.site import Outlook, Site

PAGE = 200

_KINDS = tuple(kind for kind in Kind if kind.is_recorded)
"""What is recorded about single documents."""
_CHANGED = frozenset((Result.APPLIED, Result.STAMPED, Result.BURIED))


@dataclass(frozen=True, slots=True)
class RepairReport:
    """`results` counts keys by what was done, `closed` divergences; `unequal` keys are not settled yet;
    `unnamed` divergences show no key (redacted, or of a query) and need a verify. `looked` divergences were
    gone through; `next` is where to go on behind them, None at the end."""

    results: Mapping[str, int] = field(default_factory=dict)
    closed: int = 0
    unequal: tuple[Key, ...] = ()
    unnamed: int = 0
    looked: int = 0
    next: tuple[int, str] | None = None

    def followed_by(self, other: RepairReport) -> RepairReport:
        """Both, as one."""
        return RepairReport(
            dict(Counter(self.results) + Counter(other.results)),
            self.closed + other.closed,
            self.unequal + other.unequal,
            self.unnamed + other.unnamed,
            self.looked + other.looked,
            other.next,
        )


async def repair(site: Site, outlook: Outlook, keys: Iterable[Key]) -> RepairReport:
    """Reconcile, compare again, and close the keys' divergences. Raises Refused where there is no mirror."""
    pair, work = pair_of(site, outlook), _Repair(site)
    wanted = list(dict.fromkeys(keys))
    try:
        await work.look(wanted)
        outcomes = await Settler(site, pair, Quarantine()).settle(wanted, False)
    except Superseded:
        raise Refused(
            f"the stage of {site.name} has changed: repair again", Reason.STAGE_NOT_ALLOWED
        ) from None
    await work.mend(outcomes)
    verdicts = await _compare(site, pair, outcomes)
    closed = await work.end(verdicts)
    unequal = tuple(key for key, (verdict, _) in verdicts.items() if verdict.kind is not Kind.MATCH)
    return RepairReport(Counter(outcome.result.value for outcome in outcomes), closed, unequal)


async def repair_page(
    site: Site, outlook: Outlook, query: DivergenceQuery, ids: Sequence[str] = ()
) -> RepairReport:
    """`repair` for one page of the unclosed divergences that a query selects, or for those of these ids."""
    rows = await _named(site, ids) if ids else await site.divergences.list(query)
    keys = [key_named(site.collection, row.key) if row.key else None for row in rows]
    report = await repair(site, outlook, [key for key in keys if key is not None])
    is_last = bool(ids) or len(rows) < query.limit
    behind = None if is_last else (rows[-1].last_seen, rows[-1].id)
    return replace(report, unnamed=keys.count(None), looked=len(rows), next=behind)


async def repair_open(site: Site, outlook: Outlook, kind: str = "", since: int = 0) -> RepairReport:
    """`repair` for every unclosed divergence of the collection, those of one kind, or those that were seen
    since (milliseconds): what a verify that began then has found."""
    query = DivergenceQuery(site.name, kind, limit=PAGE, is_unclosed=True, since=since)
    report = RepairReport()
    while True:
        report = report.followed_by(await repair_page(site, outlook, query))
        if report.next is None:
            return report
        query = replace(query, before=report.next)


async def open_rows(site: Site) -> AsyncIterator[list[Divergence]]:
    """All unclosed divergences of the collection, page by page."""
    query = DivergenceQuery(site.name, limit=PAGE, is_unclosed=True)
    while True:
        page = await site.divergences.list(query)
        yield page
        if len(page) < PAGE:
            return
        query = replace(query, before=(page[-1].last_seen, page[-1].id))


async def _named(site: Site, ids: Sequence[str]) -> list[Divergence]:
    found = await site.divergences.get(ids)
    return [row for row in found.values() if row.collection == site.name]


class _Repair:
    """What the divergence log is told of one repair."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._rows: dict[Key, list[str]] = {}

    async def look(self, keys: Sequence[Key]) -> None:
        """Find the keys' divergences, and say that they are being looked at."""
        collection = self._site.collection
        ids = {key: [identify(collection, kind, key) for kind in _KINDS] for key in keys}
        known: dict[str, Divergence] = {}
        for start in range(0, len(keys), PAGE):
            part = keys[start : start + PAGE]
            known |= await self._site.divergences.get([one for key in part for one in ids[key]])
        self._rows = {key: [one for one in ids[key] if one in known] for key in keys}
        await self._tell(keys, Event.LOOK, "a repair looks at both stores")

    async def mend(self, outcomes: Sequence[Outcome]) -> None:
        """Say which of them were changed."""
        for outcome in outcomes:
            if outcome.result in _CHANGED:
                await self._tell([outcome.key], Event.MEND, f"{outcome.result.value}, by a repair")

    async def end(self, verdicts: Mapping[Key, tuple[Verdict, Record | None]]) -> int:
        """Close what is equal, and open again what is not; how many were closed."""
        closed = 0
        for key, (verdict, held) in verdicts.items():
            if verdict.kind is Kind.MATCH:
                closed += await self._tell([key], Event.AGREE, _evidence(held))
            else:
                await self._tell([key], Event.DIFFER, f"after a repair still {verdict.kind.value}")
        return closed

    async def _tell(self, keys: Iterable[Key], event: Event, evidence: str) -> int:
        moved = 0
        for key in keys:
            for row in self._rows[key]:
                state = await self._site.divergences.move(row, event, self._site.replica, evidence)
                moved += state is not None
        return moved


async def _compare(
    site: Site, pair: Pair, outcomes: Sequence[Outcome]
) -> dict[Key, tuple[Verdict, Record | None]]:
    """What both stores show after the repair; a busy document is given time to be caught up with."""
    first_seen = {o.key: o.primary.version if o.primary else None for o in outcomes}
    verdicts: dict[Key, tuple[Verdict, Record | None]] = {}
    waiting = list(first_seen)
    for delay in (0.0, *site.collection.settings.recheck_delays):
        if not waiting:
            break
        await asyncio.sleep(delay)
        mirrored = await pair.mirror.get(waiting)
        held = await pair.primary.get(waiting)
        for key, primary, mirror in zip(waiting, held, mirrored, strict=True):
            verdicts[key] = (conclude(first_seen[key], primary, mirror), primary)
        waiting = [key for key in waiting if verdicts[key][0].kind is not Kind.MATCH]
    return verdicts


def _evidence(held: Record | None) -> str:
    if held is None or held.is_tombstone:
        return "repaired: neither store holds it any more"
    return f"repaired: both stores hold version {held.version.epoch}.{held.version.revision}"
