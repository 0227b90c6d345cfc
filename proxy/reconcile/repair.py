"""Brings documents together again and proves it: only what both stores are seen to agree on is closed.

The primary is always read anew; no operation is replayed, and nothing is written over a newer version.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from proxy.core.comparison import Kind, Verdict, conclude
from proxy.core.divergence import Divergence
from proxy.core.errors import Reason, Refused
from proxy.core.exchange import DivergenceQuery
from proxy.core.finding import identify, key_named
from proxy.core.keys import Key
from proxy.core.ports import Door
from proxy.core.version import Record
from proxy.reconcile.key import Outcome, Pair
from proxy.reconcile.quarantine import Quarantine
from proxy.reconcile.settler import Settler, Superseded
from proxy.reconcile.site import Site

PAGE = 200


@dataclass(frozen=True, slots=True)
class RepairReport:
    """`results` counts keys by what was done, `closed` divergences; `unequal` keys are not settled yet;
    `unnamed` divergences show no key (redacted, or of a query) and need a verify."""

    results: Mapping[str, int]
    closed: int
    unequal: tuple[Key, ...]
    unnamed: int = 0


async def repair(site: Site, door: Door, keys: Iterable[Key]) -> RepairReport:
    """Reconcile, compare again, and close the keys' divergences. Raises Refused where there is no mirror."""
    pair = _pair(site, door)
    wanted = list(dict.fromkeys(keys))
    try:
        outcomes = await Settler(site, pair, Quarantine()).settle(wanted, False)
    except Superseded:
        raise Refused(f"the stage of {site.name} has changed: repair again") from None
    verdicts = await _compare(site, pair, outcomes)
    closed = 0
    for key, (verdict, held) in verdicts.items():
        if verdict.is_settled and not verdict.kind.is_divergence:
            closed += await _close(site, key, held)
    unequal = tuple(key for key, (verdict, _) in verdicts.items() if not verdict.is_settled)
    return RepairReport(Counter(outcome.result.value for outcome in outcomes), closed, unequal)


async def repair_open(site: Site, door: Door, kind: str = "") -> RepairReport:
    """`repair` for every open divergence of the collection, or those of one kind."""
    rows = await open_rows(site, kind)
    keys = [key_named(site.collection, row.key) if row.key else None for row in rows]
    report = await repair(site, door, [key for key in keys if key is not None])
    return RepairReport(report.results, report.closed, report.unequal, unnamed=keys.count(None))


def _pair(site: Site, door: Door) -> Pair:
    pair = site.pair(door.published)
    if pair is None:
        stage = door.published.stage.value
        raise Refused(f"{site.name} has no mirror in {stage}", Reason.STAGE_NOT_ALLOWED)
    return pair


async def open_rows(site: Site, kind: str = "") -> list[Divergence]:
    """All open divergences of the collection, or those of one kind."""
    rows: list[Divergence] = []
    before: tuple[int, str] | None = None
    while True:
        query = DivergenceQuery(site.name, kind, "open", PAGE, before)
        page = await site.divergences.list(query)
        rows += page
        if len(page) < PAGE:
            return rows
        before = (page[-1].last_seen, page[-1].id)


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
        waiting = [key for key in waiting if not verdicts[key][0].is_settled]
    return verdicts


async def _close(site: Site, key: Key, held: Record | None) -> int:
    """Close whatever is open about a key; how many divergences that were."""
    if held is None or held.is_tombstone:
        evidence = "repaired: neither store holds it any more"
    else:
        evidence = f"repaired: both stores hold version {held.version.epoch}.{held.version.revision}"
    rows = [identify(site.collection, kind, key) for kind in Kind if kind.is_divergence]
    return sum([await site.divergences.close(row, evidence) for row in rows])
