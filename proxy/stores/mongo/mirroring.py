"""Writes as mirror, and what the reconciler asks of a primary: all conditional, so any may be repeated."""

from __future__ import annotations

from dataclasses import dataclass

from bson.int64 import Int64
from pymongo import ReturnDocument

from proxy.core.errors import BadRequest, Fenced, Outcome, Unavailable
from proxy.core.exchange import ApplyResult, ApplyStatus
from proxy.core.version import RING, Record, Stamp
from proxy.stores.mongo.access import Access, Writing, pause
from proxy.stores.mongo.expressions import TOMBSTONE, older_query, version_query
from proxy.stores.mongo.slot import Slot

ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Mirror:
    """The mirror writes of one collection."""

    access: Access
    slot: Slot

    async def apply(self, record: Record) -> ApplyResult:
        """What is found instead of applied is reported only once a majority has it.

        The validator is asked before the key is: where it refuses a record that is there already, or older
        than what is, nothing was to enter, so that is told instead.
        """
        for attempt in range(ATTEMPTS):
            fenced: Fenced | None = None
            try:
                if await self._put_over_older(record):
                    return ApplyResult(ApplyStatus.APPLIED, record)
            except Fenced as error:
                fenced = error
            existing = await self.access.read_committed(record.key)
            if existing is not None and existing.version >= record.version:
                return ApplyResult(_status(existing, record), existing)
            if fenced:
                raise fenced
            await pause(attempt)
        raise Unavailable(
            "the mirror's newest version is not confirmed", outcome=Outcome.UNKNOWN, op=record.op
        )

    async def restamp(self, record: Record, stamp: Stamp, floor: int) -> Record | None:
        if record.version.epoch > stamp.epoch:
            raise Fenced("the document has been written in a newer epoch", op=stamp.op)
        revision = max(record.version.revision, floor) + 1
        try:
            return await self._restamp_natively(record, stamp, revision)
        except BadRequest:
            return await self._restamp_by_swap(record, stamp, revision)

    async def purge(self, tombstone: Record) -> bool:
        query = self.access.query(tombstone.key) | version_query(tombstone.version, tombstone.op) | TOMBSTONE
        async with Writing(self.access, tombstone.version.epoch, tombstone.op):
            result = await self.access.newest.delete_one(query)
        return result.deleted_count == 1

    async def _put_over_older(self, record: Record) -> bool:
        if record.is_legacy:
            return await self.slot.insert(record)
        query = self.access.query(record.key) | older_query(record)
        return await self.slot.replace(query, record, upsert=True)

    async def _restamp_natively(self, record: Record, stamp: Stamp, revision: int) -> Record | None:
        query = self.access.query(record.key) | version_query(record.version, record.op)
        change = {
            "$set": {"_cf.e": Int64(stamp.epoch), "_cf.r": Int64(revision), "_cf.op": stamp.op},
            "$push": {"_cf.ops": {"$each": [stamp.op], "$slice": -RING}},
        }
        async with Writing(self.access, stamp.epoch, stamp.op):
            raw = await self.access.newest.find_one_and_update(
                query, change, return_document=ReturnDocument.AFTER
            )
        return None if raw is None else self.access.codec.decode(raw)

    async def _restamp_by_swap(self, record: Record, stamp: Stamp, revision: int) -> Record | None:
        """Where the user has a field `_cf` of his own, the whole document is stored anew, escaped."""
        held = await self.access.read(record.key)
        if held is None or not held.record.is_same_write(record):
            return None
        put = held.record.restamped(stamp, revision)
        return put if await self.slot.swap(held, put) else None


def _status(existing: Record, record: Record) -> ApplyStatus:
    if existing.version > record.version:
        return ApplyStatus.NEWER
    return ApplyStatus.ALREADY_THERE if existing.op == record.op else ApplyStatus.CONFLICT
