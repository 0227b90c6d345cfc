"""Writes a collection as files for DynamoDB's own import, and later brings the imported table up to date.

The import makes a new table at no write capacity; what changed since the export began is then taken from the
feed, from a position before it. So nothing is missing, and nothing is written twice at full price.

Invariants: the position is taken before the first document is read; a file that is there is whole; a run goes
on with its own position and division after a crash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from proxy.core.canary import canary_key
from proxy.core.errors import Reason, Refused
from proxy.core.exchange import FeedLost, Segment
from proxy.core.flag import Job
from proxy.core.keys import Key
from proxy.core.manifest import ExportFile, Manifest
from proxy.core.ports import CollectionStore
from proxy.core.version import Record
from proxy.faultpoint import faultpoint
from proxy.reconcile.copying import QUARANTINED
from proxy.reconcile.follower import Follower
from proxy.reconcile.job import FINISHED, pair_of
from proxy.reconcile.key import Pair
from proxy.reconcile.progress import chunks_of, ranges_for, read_key, write_key
from proxy.reconcile.quarantine import Quarantine
from proxy.reconcile.settler import Settler, Superseded
from proxy.reconcile.site import Outlook, Site
from proxy.reconcile.together import together

HANDS = 3
"""Ranges that are written at the same time."""
CHUNK = 1_000
IMPORTED = "imported"


class Sheet(Protocol):
    """One file in the making."""

    def add(self, records: Sequence[Record]) -> Record | None:
        """Write them; what DynamoDB cannot hold is noted with its reason instead. One that was written.
        Blocks."""
        ...

    def finish(self, example: str) -> ExportFile:
        """The file is whole and durable from now on; `example` is the key of one of its items. Blocks."""
        ...

    def discard(self) -> None: ...


class Shelf(Protocol):
    """Where the files of one export are."""

    def begun(self) -> Manifest | None:
        """The manifest of the run that is there, finished or not."""
        ...

    def keep(self, manifest: Manifest) -> None:
        """Durably."""
        ...

    def finished(self, number: int) -> ExportFile | None:
        """The file of a range that is done."""
        ...

    def sheet(self, number: int) -> Sheet: ...


async def export(site: Site, outlook: Outlook, shelf: Shelf, tell: Callable[[ExportFile], None]) -> Manifest:
    """Write every live document of the primary, or go on with it; the whole manifest.

    `tell` is called for each finished file. Raises Refused where the shelf holds another collection's export.
    """
    store = site.stores[outlook.published.stage.primary]
    manifest = await asyncio.to_thread(shelf.begun) or await _begin(site, outlook, store, shelf)
    if manifest.collection != site.name:
        raise Refused(f"there is an export of {manifest.collection} already", Reason.INVALID_ARGUMENT)
    if manifest.finished_at:
        return manifest
    files = await _write_all(site, store, manifest, shelf, tell)
    whole = manifest.finish(files, site.clock.now())
    await asyncio.to_thread(shelf.keep, whole)
    return whole


async def export_range(site: Site, store: CollectionStore, segment: Segment, sheet: Sheet) -> ExportFile:
    """Write what a segment holds, to its end. Tombstones and the canary stay where they are."""
    canary, example = canary_key(site.collection), ""
    try:
        records: Any = store.scan(segment)
        async with aclosing(records):
            async for chunk in chunks_of(records, CHUNK):
                live = [record for record in chunk if not record.is_tombstone and record.key != canary]
                written = await asyncio.to_thread(sheet.add, live)
                example = example or (write_key(written.key) if written else "")
                await faultpoint("export.after_chunk")
        return await asyncio.to_thread(sheet.finish, example)
    except BaseException:
        sheet.discard()
        raise


async def adopt(site: Site, outlook: Outlook, manifest: Manifest) -> Job:
    """Bring an imported table up to now, and let the gate know: the finished backfill.

    Raises Refused where there is no mirror, items are missing from it, or the feed does not reach back to the
    export any more (then a backfill copies what is missing).
    """
    pair = pair_of(site, outlook)
    if not manifest.finished_at or manifest.collection != site.name:
        raise Refused(f"there is no whole export of {site.name}", Reason.INVALID_ARGUMENT)
    began = site.clock.now()
    await _look_for_items(site, pair, manifest)
    counts = await _catch_up(site, outlook, pair, manifest.position)
    counts |= {IMPORTED: manifest.items, QUARANTINED: manifest.refused + counts.get(QUARANTINED, 0)}
    job = Job(
        collection=site.name,
        kind="backfill",
        state=FINISHED,
        epoch=outlook.published.epoch,
        started_at=began,
        updated_at=site.clock.now(),
        counts=counts,
        message="imported from an export",
        total=manifest.items,
        done=manifest.items,
    )
    await site.control.save_job(job)
    return job


async def _begin(site: Site, outlook: Outlook, store: CollectionStore, shelf: Shelf) -> Manifest:
    collection, now = site.collection, site.clock.now()
    position = await site.feeds[outlook.published.stage.primary].tip()
    await faultpoint("export.after_position")
    manifest = Manifest(
        collection.name,
        f"{collection.mongo_database}.{collection.mongo_collection}",
        collection.table,
        position,
        now,
        ranges_for(await store.estimate()),
    )
    await asyncio.to_thread(shelf.keep, manifest)
    return manifest


async def _write_all(
    site: Site, store: CollectionStore, manifest: Manifest, shelf: Shelf, tell: Callable[[ExportFile], None]
) -> list[ExportFile]:
    """Every range that has no file yet, a few at a time."""
    free = asyncio.Semaphore(HANDS)

    async def write(number: int) -> ExportFile:
        async with free:
            done = await asyncio.to_thread(shelf.finished, number)
            if done is not None:
                return done
            segment = Segment(number, manifest.ranges)
            file = await export_range(site, store, segment, shelf.sheet(number))
            tell(file)
            return file

    async with together() as group:
        tasks = [group.create_task(write(number)) for number in range(manifest.ranges)]
    return [task.result() for task in tasks]


async def _look_for_items(site: Site, pair: Pair, manifest: Manifest) -> None:
    """One item of each file must be there, or in the primary no more: an import that left one out is seen."""
    named = {read_key(file.example): file for file in manifest.files if file.example}
    keys: list[Key] = list(named)
    found = await pair.mirror.get(keys)
    missing = [key for key, record in zip(keys, found, strict=True) if record is None]
    held = await pair.primary.get(missing) if missing else []
    for key, record in zip(missing, held, strict=True):
        if record is not None and not record.is_tombstone:
            message = f"the table {site.collection.table} lacks items of {named[key].name}: import it first"
            raise Refused(message, Reason.NOT_FOUND)


async def _catch_up(site: Site, outlook: Outlook, pair: Pair, position: str) -> dict[str, int]:
    """Settle every key that the feed names between a position and now; what became of them, by result."""
    feed = site.feeds[outlook.published.stage.primary]
    settler = Settler(site, pair, Quarantine())
    follower = Follower(feed, position, position, settler.settle, site.clock)
    following = asyncio.create_task(follower.run())
    try:
        if not await follower.wait_for(await feed.mark()):
            await following
        if follower.blind:
            raise Refused(
                f"{follower.blind} events since the export named no document, as pre-images were not on: "
                "run a backfill, a verify and a repair instead",
                Reason.STAGE_NOT_ALLOWED,
            )
    except FeedLost as lost:
        message = f"the feed does not reach back to the export any more ({lost}): run a backfill"
        raise Refused(message, Reason.STAGE_NOT_ALLOWED) from lost
    except Superseded:
        raise Refused(f"the stage of {site.name} has changed", Reason.STAGE_NOT_ALLOWED) from None
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return dict(settler.counts)
