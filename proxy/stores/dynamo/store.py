"""One collection in DynamoDB: every write is a whole item under a condition on the version it replaces.

As primary: read consistently, decide in the proxy (core.write), put on condition that nothing changed, and on
conflict go on from the item that the failed condition returned. As mirror: put over an older version or none.
A put whose answer was lost is looked up by its version and op, and repeated if it is not there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from proxy.core.collection import Collection, IndexKind
from proxy.core.confirmed import Write
from proxy.core.errors import Contended, CrossfadeError, Outcome, Reason, Refused
from proxy.core.exchange import ApplyResult, ApplyStatus, Page, Segment
from proxy.core.keys import Key
from proxy.core.ports import Limits
from proxy.core.query import PageRequest, Plan
from proxy.core.stage import StoreName
from proxy.core.update import Update
from proxy.core.version import Record, Stamp
from proxy.core.write import NOT_MATCHED, Command, Insert, Modify, Precondition, Replace, WriteResult, effect
from proxy.stores.dynamo.codec import Codec
from proxy.stores.dynamo.conditions import Condition, nothing_at, older_than, still
from proxy.stores.dynamo.failures import ConditionFailed
from proxy.stores.dynamo.finding import Finder
from proxy.stores.dynamo.limits import DynamoLimits
from proxy.stores.dynamo.reading import Reader
from proxy.stores.dynamo.rivals import Rivals, is_told_by_index
from proxy.stores.dynamo.tables import TableKeeper
from proxy.stores.dynamo.transport import Transport
from proxy.stores.dynamo.turns import Turns

TRIES = 8
"""Times that one write, or one reservation, is tried before it is given up as contended."""

CANDIDATES = 25
"""Documents that a reservation looks at: in a crowd it takes any of them (see `rivals`)."""


@dataclass(frozen=True, slots=True)
class _Tried:
    """How a conditional put ended: stored, or what was found instead.

    `lost` is the failure of a put whose answer did not come and that may still arrive: what it was to replace
    is there unchanged.
    """

    is_stored: bool
    found: Record | None = None
    lost: CrossfadeError | None = None


class DynamoStore:
    """See `core.ports.CollectionStore`."""

    store = StoreName.DYNAMODB

    def __init__(self, transport: Transport, collection: Collection, limits: Limits | None = None) -> None:
        self._transport = transport
        self._collection = collection
        self.codec = Codec(collection)
        self._limits = limits or DynamoLimits(collection)
        self._reader = Reader(transport, self.codec)
        self._finder = Finder(self._reader, self.codec)
        self._keeper = TableKeeper(transport, self.codec.layout)
        self._key_fields = tuple(field.name for field in collection.key_fields)
        self._turns = Turns()
        self._rivals = Rivals()
        self._partition = self.codec.layout.partition.attribute

    async def prepare(self) -> tuple[str, ...]:
        """Raises Refused where a table is there with another key, stream or local index."""
        return await self._keeper.prepare()

    async def get(self, keys: Sequence[Key]) -> list[Record | None]:
        return await self._reader.get_all(keys)

    async def versions(self, keys: Sequence[Key]) -> list[Write | None]:
        return await self._reader.versions(keys)

    async def find(self, plan: Plan, page: PageRequest) -> Page:
        return await self._finder.page(plan, page)

    async def count(self, plan: Plan, scan_budget: int) -> int:
        return await self._finder.count(plan, scan_budget)

    async def write(self, command: Command, stamp: Stamp) -> WriteResult:
        """An insert is first tried without reading. Raises Contended after TRIES conflicts."""
        try:
            if isinstance(command, Replace):
                self._limits.check(command.key, command.document)  # refused whatever is stored, as by MongoDB
            return await self._write(command, stamp)
        except CrossfadeError as error:
            error.op = stamp.op
            raise

    async def write_first(self, plan: Plan, update: Update, stamp: Stamp) -> WriteResult:
        """Tries for the first of the order, or while others do too for any of the first CANDIDATES; the
        conditional put decides."""
        command = Modify(Key(()), update, Precondition(plan.filter), wants_before=True)
        is_indexed = plan.index is not None and plan.index.kind is not IndexKind.TABLE
        for attempt in range(TRIES):
            # Keys alone cost little, but only whole documents show whether the rest of the filter holds.
            is_quick = is_indexed and attempt == 0
            keys = await (
                self._finder.candidates(plan, CANDIDATES) if is_quick else self._matching_keys(plan)
            )
            if not keys:
                return NOT_MATCHED
            for key in self._rivals.choose(keys):
                result = await self._try_write(replace(command, key=key), stamp)
                if result.matched:
                    return result
                if not is_quick or is_told_by_index(plan):
                    self._rivals.notice()
            await _pause(attempt)
        raise Contended("others kept taking the documents that were found", Reason.CONTENTION, op=stamp.op)

    async def apply(self, record: Record, *, is_metered: bool = False) -> ApplyResult:
        try:
            units = await self._put(record, older_than(record.version), is_metered=is_metered)
        except ConditionFailed as failed:
            existing = await self._found(failed, record.key)
        except CrossfadeError as error:
            existing = await self._look_up(record, error)
            if existing is None or existing.version < record.version:
                raise
        else:
            return ApplyResult(ApplyStatus.APPLIED, record, units)
        return ApplyResult(_status(record, existing), existing)

    async def restamp(self, record: Record, stamp: Stamp, floor: int) -> Record | None:
        renewed = record.restamped(stamp, max(floor, record.version.revision) + 1)
        tried = await self._put_over(renewed, record)
        if tried.lost is not None:
            raise tried.lost
        return renewed if tried.is_stored else None

    async def purge(self, tombstone: Record) -> bool:
        if not tombstone.is_tombstone:
            return False
        key = self.codec.layout.key_item(tombstone.key)
        request = {"TableName": self._collection.table, "Key": key, **still(tombstone, self._partition)}
        try:
            await self._transport.call("DeleteItem", request)
        except ConditionFailed:
            return False
        return True

    async def scan(self, segment: Segment, after: Key | None = None) -> AsyncIterator[Record]:
        """In DynamoDB's own order; a segment's place `after` is good only for the same `total`."""
        async with aclosing(self._reader.scan(segment, after)) as batches:
            async for batch in batches:
                for item in batch:
                    yield self.codec.decode(item)

    async def estimate(self) -> int:
        """DynamoDB counts about every six hours, tombstones included."""
        return await self._keeper.estimate()

    async def _write(self, command: Command, stamp: Stamp) -> WriteResult:
        """Try once; after a conflict, writers of one document in this process take turns, and who comes then
        queues up too."""
        tried = _Tried(False)
        if not self._turns.is_taken(command.key):
            # Inserts mostly find nothing, and the failed condition tells when they do not.
            current = None if isinstance(command, Insert) else await self._reader.get(command.key)
            first = await self._attempt(command, _Tried(False, current), stamp)
            if isinstance(first, WriteResult):
                return first
            tried = first
        async with self._turns.turn(command.key) as has_waited:
            if has_waited and tried.lost is None:  # what was found then, if anything, has changed since
                tried = _Tried(False, await self._reader.get(command.key))
            for attempt in range(1, TRIES):
                again = await self._attempt(command, tried, stamp)
                if isinstance(again, WriteResult):
                    return again
                tried = again
                await _pause(attempt)
        raise tried.lost or Contended(f"the document changed {TRIES} times while it was being written")

    async def _attempt(self, command: Command, tried: _Tried, stamp: Stamp) -> WriteResult | _Tried:
        """Decide on what is stored, and put the result in its place."""
        done = effect(command, tried.found, stamp, key_fields=self._key_fields)
        if done.put is None:
            return done.result
        if done.put.document is not None:
            self._limits.check(done.put.key, done.put.document)
        try:
            again = await self._put_over(done.put, tried.found, is_retry=tried.lost is not None)
        except CrossfadeError as error:
            error.outcome = Outcome.UNKNOWN if tried.lost else error.outcome
            raise
        return done.result if again.is_stored else again

    async def _put_over(self, record: Record, current: Record | None, *, is_retry: bool = False) -> _Tried:
        """Put a record in place of what was read. Raises the failure where not even reading tells.

        The very same write may be there because an attempt of ours was not answered (of an earlier call, with
        `is_retry`); otherwise it is a repeat by the client, and not ours to report as done now.
        """
        condition = nothing_at(self._partition) if current is None else still(current, self._partition)
        lost: CrossfadeError | None = None
        try:
            await self._put(record, condition)
        except ConditionFailed as failed:
            found, is_retry = await self._found(failed, record.key), is_retry or failed.is_after_loss
        except CrossfadeError as error:
            found, lost, is_retry = await self._look_up(record, error), error, True
        else:
            return _Tried(is_stored=True)
        if is_retry and found is not None and found.is_same_write(record):
            return _Tried(is_stored=True)
        return _Tried(False, found, lost if _is_unchanged(current, found) else None)

    async def _put(self, record: Record, condition: Condition, *, is_metered: bool = False) -> float:
        """The write units that it took; 0 where nobody asked, for answering takes its time."""
        put = {"TableName": self._collection.table, "Item": self.codec.encode(record), **condition}
        if is_metered:
            put["ReturnConsumedCapacity"] = "TOTAL"
        answer = await self._transport.call("PutItem", put)
        return float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))

    async def _found(self, failed: ConditionFailed, key: Key) -> Record | None:
        """What a failed condition found; read where the answer does not tell."""
        return await self._reader.get(key) if failed.item is None else self.codec.decode(failed.item)

    async def _look_up(self, record: Record, error: CrossfadeError) -> Record | None:
        """What is stored after a put whose fate is unknown. Raises the error where it is known, or stays."""
        if error.outcome is not Outcome.UNKNOWN:
            raise error
        try:
            return await self._reader.get(record.key)
        except CrossfadeError:
            raise error from None

    async def _try_write(self, command: Modify, stamp: Stamp) -> WriteResult:
        try:
            return await self.write(command, stamp)
        except Contended:
            return NOT_MATCHED  # another candidate will do

    async def _matching_keys(self, plan: Plan) -> list[Key]:
        """Keys of the first documents that the whole filter selects; none only if there is none."""
        page = PageRequest(CANDIDATES, scan_budget=self._collection.settings.scan_budget)
        found = await self._finder.page(plan, page)
        if not found.records and found.next is not None:
            message = f"no document that qualifies is among the first {page.scan_budget}"
            raise Refused(message, Reason.NO_INDEX)
        return [record.key for record in found.records]


def _status(record: Record, existing: Record | None) -> ApplyStatus:
    """What a mirror write that was not applied met."""
    if existing is None:
        return ApplyStatus.NEWER  # there was something, and now it is purged
    if existing.is_same_write(record):
        return ApplyStatus.ALREADY_THERE
    return ApplyStatus.CONFLICT if existing.version == record.version else ApplyStatus.NEWER


def _is_unchanged(before: Record | None, after: Record | None) -> bool:
    if before is None or after is None:
        return before is after
    return before.is_same_write(after)


async def _pause(attempt: int) -> None:
    """Full jitter, so that those who met do not meet again."""
    await asyncio.sleep(random.uniform(0, min(0.1, 0.004 * 2**attempt)))
