"""Compares both stores completely, in both directions, while traffic goes on, in memory that does not grow.

Every document of the primary is compared with the mirror's by version and content, and every live document of
the mirror is looked for in the primary. What differs is looked at again after each of the collection's
`recheck_delays`, and reported as a divergence only if it lasts. Divergences of documents that were open
before it began, and that it did not find, are closed at the end: they have healed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from proxy.core.comparison import MATCH, SURVIVING, Kind, Verdict, compare, conclude
from proxy.core.divergence import Divergence
from proxy.core.exchange import Segment
from proxy.core.finding import Finding, key_named
from proxy.core.flag import Job
from proxy.core.keys import Key
from proxy.core.ports import Door
from proxy.core.version import Record, Version
from proxy.faultpoint import faultpoint
from proxy.reconcile.job import Scan, run_scan
from proxy.reconcile.progress import Chunk, chunks_of
from proxy.reconcile.rate import Rate
from proxy.reconcile.repair import open_rows
from proxy.reconcile.site import Site


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How a verify proceeds: `segments` parallel parts in each direction, `chunk` documents read at once,
    at most `rate` documents a second (None: no limit), at most `rechecks` chunks waiting to be looked at
    again."""

    segments: int = 4
    chunk: int = 100
    rate: float | None = None
    rechecks: int = 32


Look = tuple[Verdict, Record | None, Record | None]


async def verify(site: Site, door: Door, options: VerifyOptions | None = None) -> Job:
    """The finished job "verify". Its counts: `documents` compared, `extras` looked for, `rechecked`, and one
    for each kind of verdict; every divergence is in the log too. Raises as `job.run_scan` does."""
    options = options or VerifyOptions()
    parts = options.segments * 2
    return await run_scan(site, door, "verify", parts, lambda scan: _Comparison(scan, options).run())


class _Comparison:
    """One run of a verify. The first half of the parts is of the primary, the second of the mirror."""

    def __init__(self, scan: Scan, options: VerifyOptions) -> None:
        self._scan = scan
        self._options = options
        self._rate = Rate(options.rate)
        self._rechecks = asyncio.Semaphore(options.rechecks)
        self._half = len(scan.progress.parts) // 2

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for part in range(2 * self._half):
                    group.create_task(self._compare_part(part, group))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        await self._scan.persist(self._close_healed)

    async def _close_healed(self) -> None:
        """What was not seen again since the start is closed if both stores agree on it now: replicas' clocks
        differ, so times alone prove nothing. Queries and refusals were not looked at."""
        site, began = self._scan.site, self._scan.job.started_at
        for row in await open_rows(site):
            if row.key and row.last_seen < began and row.kind is not Kind.ERROR_PARITY:
                await self._close_if_equal(row)

    async def _close_if_equal(self, row: Divergence) -> None:
        site, pair = self._scan.site, self._scan.pair
        key = key_named(site.collection, row.key)
        if key is None:
            return
        [mirror] = await pair.mirror.get([key])
        [primary] = await pair.primary.get([key])
        if compare(primary, mirror) == MATCH:
            await site.divergences.close(row.id, "a complete verify did not find it any more")

    async def _compare_part(self, number: int, group: asyncio.TaskGroup) -> None:
        part = self._scan.progress.parts[number]
        while not part.is_done:
            await self._scan.persist(lambda: self._compare_on(number, group))

    async def _compare_on(self, number: int, group: asyncio.TaskGroup) -> None:
        progress, pair = self._scan.progress, self._scan.pair
        is_extra = number >= self._half
        store = pair.mirror if is_extra else pair.primary
        after = progress.parts[number].newest
        records: Any = store.scan(Segment(number % self._half, self._half), after)
        async with aclosing(records):
            async for chunk in chunks_of(records, self._options.chunk):
                await self._rate.take(len(chunk))
                self._scan.check()
                looks = await (self._look_for if is_extra else self._compare)(chunk)
                begun = progress.begin(number, chunk[-1].key)
                begun.counts["extras" if is_extra else "documents"] += len(chunk)
                await self._conclude(number, begun, looks, group)
                await faultpoint("verify.after_chunk")
        progress.finish(number)

    async def _compare(self, chunk: Sequence[Record]) -> dict[Key, Look]:
        mirrored = await self._scan.pair.mirror.get([record.key for record in chunk])
        return {
            record.key: (compare(record, other), record, other)
            for record, other in zip(chunk, mirrored, strict=True)
        }

    async def _look_for(self, chunk: Sequence[Record]) -> dict[Key, Look]:
        """Only what the primary lacks: what it has is compared from the other side."""
        live = [record for record in chunk if not record.is_tombstone]
        held = await self._scan.pair.primary.get([record.key for record in live])
        return {
            record.key: (compare(None, record), None, record)
            for record, other in zip(live, held, strict=True)
            if other is None
        }

    async def _conclude(
        self, part: int, chunk: Chunk, looks: Mapping[Key, Look], group: asyncio.TaskGroup
    ) -> None:
        """Count what is settled; have the rest looked at again while the scan goes on."""
        chunk.counts += Counter(verdict.kind.value for verdict, _, _ in looks.values() if verdict.is_settled)
        first_seen = {k: _version(primary) for k, (v, primary, _) in looks.items() if not v.is_settled}
        if not first_seen:
            self._scan.progress.complete(part, chunk)
            return
        await self._rechecks.acquire()
        group.create_task(self._recheck(part, chunk, first_seen))

    async def _recheck(self, part: int, chunk: Chunk, first_seen: Mapping[Key, Version | None]) -> None:
        try:
            chunk.counts["rechecked"] += len(first_seen)
            for key, (verdict, primary, mirror) in (await self._outlast(first_seen, chunk.counts)).items():
                kind = SURVIVING.get(verdict.kind, verdict.kind)
                chunk.counts[kind.value] += 1
                await self._report(kind, key, primary, mirror)
        finally:
            self._rechecks.release()
        self._scan.progress.complete(part, chunk)

    async def _outlast(
        self, first_seen: Mapping[Key, Version | None], counts: Counter[str]
    ) -> dict[Key, Look]:
        """What differs still after every delay; what is settled on the way is counted."""
        keys, looks = list(first_seen), dict[Key, Look]()
        for delay in self._scan.site.collection.settings.recheck_delays or (0.0,):
            await asyncio.sleep(delay)
            looks = await self._look_again(first_seen, keys, counts)
            keys = list(looks)
            if not keys:
                break
        return looks

    async def _look_again(
        self, first_seen: Mapping[Key, Version | None], keys: list[Key], counts: Counter[str]
    ) -> dict[Key, Look]:
        """The looks that are still not settled. The mirror is read first: time alone cannot put it ahead."""
        pair = self._scan.pair
        mirrored = await self._scan.persist(lambda: pair.mirror.get(keys))
        held = await self._scan.persist(lambda: pair.primary.get(keys))
        unsettled: dict[Key, Look] = {}
        for key, primary, mirror in zip(keys, held, mirrored, strict=True):
            verdict = conclude(first_seen[key], primary, mirror)
            if verdict.is_settled:
                counts[verdict.kind.value] += 1
            else:
                unsettled[key] = (verdict, primary, mirror)
        return unsettled

    async def _report(self, kind: Kind, key: Key, primary: Record | None, mirror: Record | None) -> None:
        self._scan.site.signals.count(
            "crossfade.verify.divergences", collection=self._scan.site.name, outcome=kind.value
        )
        finding = Finding(kind, key, "verify", self._scan.published.epoch, primary, mirror)
        await self._scan.persist(lambda: self._scan.site.report(finding))


def _version(record: Record | None) -> Version | None:
    return record.version if record else None
