"""Compares one range of one store with the other store, by version and content, rechecking before reporting.

Pure in its inputs, like `copying`. What differs is looked at again after each of the collection's
`recheck_delays`, and reported as a divergence only if it lasts. Memory is bounded whatever differs: between
two looks only keys and versions are kept, and few looks are had at the same time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import Any

from proxy.core.comparison import SURVIVING, Kind, Verdict, compare, conclude
from proxy.core.exchange import Segment
from proxy.core.finding import Finding
from proxy.core.keys import Key
from proxy.core.version import Record, Version
from proxy.faultpoint import faultpoint
from proxy.reconcile.key import Pair
from proxy.reconcile.pacing import Pacing
from proxy.reconcile.patience import persist
from proxy.reconcile.progress import Chunk, Progress, chunks_of
from proxy.reconcile.site import Site
from proxy.reconcile.together import together

CHUNK = 100
"""Documents that are read at once from the other store."""
LOOKS = 4
"""Chunks of one range that are looked at again at the same time."""

DOCUMENTS, EXTRAS, RECHECKED = "documents", "extras", "rechecked"


class Side(Enum):
    """Whose range is read, and so what can be found: the primary's has all but what only the mirror has."""

    PRIMARY = "primary"
    MIRROR = "mirror"


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """`chunk` documents are read at once, at most `rechecks` chunks wait to be looked at again; the reading
    ends behind `most` documents (0: with the range)."""

    chunk: int = CHUNK
    rechecks: int = 16
    most: int = 0


Look = tuple[Verdict, Record | None, Record | None]


async def compare_range(
    site: Site,
    pair: Pair,
    side: Side,
    segment: Segment,
    progress: Progress,
    pacing: Pacing,
    options: CompareOptions | None = None,
) -> None:
    """Compare what a segment of one side holds behind `progress.after`, to its end.

    The counts of `progress` are `documents` compared (of the primary) or `extras` looked for (of the mirror),
    `rechecked`, and one for each kind of verdict; every difference that lasts goes to `site.report` before
    its chunk is complete. Stores that do not answer are waited for. Cancelling it is harmless, and so is
    doing a range again: the same difference is the same row of the log.
    """
    work = _Comparison(site, pair, side, segment, progress, pacing, options or CompareOptions())
    while not progress.is_done:
        await persist(f"the verify of {site.name}", work.go_on)


class _Comparison:
    """The comparison of one range."""

    def __init__(
        self,
        site: Site,
        pair: Pair,
        side: Side,
        segment: Segment,
        progress: Progress,
        pacing: Pacing,
        options: CompareOptions,
    ) -> None:
        self._site = site
        self._pair = pair
        self._side = side
        self._segment = segment
        self._progress = progress
        self._pacing = pacing
        self._options = options
        self._read_so_far = 0
        self._rechecks = asyncio.Semaphore(options.rechecks)
        self._looks = asyncio.Semaphore(LOOKS)

    async def go_on(self) -> None:
        """From where the range stands to its end."""
        self._progress.forget()
        self._read_so_far = self._progress.counts[self._what]
        async with together() as group:
            await self._read(group)
        self._progress.is_done = True

    async def _read(self, group: asyncio.TaskGroup) -> None:
        store = self._pair.primary if self._side is Side.PRIMARY else self._pair.mirror
        look = self._compare if self._side is Side.PRIMARY else self._look_for
        records: Any = store.scan(self._segment, self._progress.after)
        async with aclosing(records):
            async for read in chunks_of(records, self._chunk_size):
                await self._pacing.take(len(read))
                looks = await look(read)
                chunk = self._progress.begin(read[-1].key)
                counts = Counter({self._what: len(read)})
                self._read_so_far += len(read)
                await self._conclude(chunk, counts, looks, group)
                await faultpoint("verify.after_chunk")
                if self._is_enough:
                    return

    @property
    def _what(self) -> str:
        return DOCUMENTS if self._side is Side.PRIMARY else EXTRAS

    @property
    def _chunk_size(self) -> int:
        return min(self._options.chunk, self._options.most or self._options.chunk)

    @property
    def _is_enough(self) -> bool:
        """Whether a sample has seen its part of the range; what is not yet complete counts too."""
        return 0 < self._options.most <= self._read_so_far

    async def _compare(self, read: Sequence[Record]) -> dict[Key, Look]:
        mirrored = await self._pair.mirror.get([record.key for record in read])
        return {
            record.key: (compare(record, other), record, other)
            for record, other in zip(read, mirrored, strict=True)
        }

    async def _look_for(self, read: Sequence[Record]) -> dict[Key, Look]:
        """Only what the primary lacks: what it has is compared from the other side."""
        live = [record for record in read if not record.is_tombstone]
        held = await self._pair.primary.get([record.key for record in live])
        return {
            record.key: (compare(None, record), None, record)
            for record, other in zip(live, held, strict=True)
            if other is None
        }

    async def _conclude(
        self, chunk: Chunk, counts: Counter[str], looks: Mapping[Key, Look], group: asyncio.TaskGroup
    ) -> None:
        """Count what is equal; have the rest looked at again while the scan goes on."""
        first_seen = {
            k: _version(primary) for k, (v, primary, _) in looks.items() if v.kind is not Kind.MATCH
        }
        if len(looks) > len(first_seen):
            counts[Kind.MATCH.value] += len(looks) - len(first_seen)
        if not first_seen:
            self._progress.complete(chunk, counts)
            return
        counts[RECHECKED] += len(first_seen)
        await self._rechecks.acquire()
        group.create_task(self._recheck(chunk, counts, first_seen))

    async def _recheck(
        self, chunk: Chunk, counts: Counter[str], first_seen: Mapping[Key, Version | None]
    ) -> None:
        """Report what differs still after every delay; what has become equal on the way is counted."""
        try:
            keys = list(first_seen)
            delays = self._site.collection.settings.recheck_delays or (0.0,)
            for number, delay in enumerate(delays, start=1):
                await asyncio.sleep(delay)
                keys = await self._look_again(first_seen, keys, counts, is_last=number == len(delays))
                if not keys:
                    break
        finally:
            self._rechecks.release()
        self._progress.complete(chunk, counts)

    async def _look_again(
        self,
        first_seen: Mapping[Key, Version | None],
        keys: list[Key],
        counts: Counter[str],
        *,
        is_last: bool,
    ) -> list[Key]:
        """The keys that still differ; with `is_last` they are reported. The mirror is read first: time alone
        cannot put it ahead."""
        async with self._looks:
            mirrored = await self._ask(keys, is_mirror=True)
            held = await self._ask(keys, is_mirror=False)
            unequal: list[Key] = []
            for key, primary, mirror in zip(keys, held, mirrored, strict=True):
                verdict = conclude(first_seen[key], primary, mirror)
                if verdict.kind is Kind.MATCH:
                    counts[Kind.MATCH.value] += 1
                    continue
                unequal.append(key)
                if is_last:
                    kind = SURVIVING.get(verdict.kind, verdict.kind)
                    counts[kind.value] += 1
                    await self._report(kind, key, primary, mirror)
        return unequal

    async def _ask(self, keys: list[Key], *, is_mirror: bool) -> list[Record | None]:
        store = self._pair.mirror if is_mirror else self._pair.primary
        return await persist(f"the verify of {self._site.name}", lambda: store.get(keys))

    async def _report(self, kind: Kind, key: Key, primary: Record | None, mirror: Record | None) -> None:
        site = self._site
        site.signals.count("crossfade.verify.divergences", collection=site.name, outcome=kind.value)
        finding = Finding(kind, key, "verify", self._pair.epoch, primary, mirror)
        await persist(f"the verify of {site.name}", lambda: site.report(finding))


def _version(record: Record | None) -> Version | None:
    return record.version if record else None
