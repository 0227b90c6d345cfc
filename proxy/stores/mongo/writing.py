"""Writes as primary: one native atomic update where that is exact, else read, decide and compare-and-set.

The native way is an optimisation and nothing else: whatever it does not do, or MongoDB refuses, is decided by
`core.write.effect` on what is read then. A write whose outcome is unknown is looked for by its op, and done
again if it is not there: no op is ever applied twice. What is reported as done is so by a majority.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from pymongo import ReturnDocument

from proxy.core.errors import BadRequest, Contended, CrossfadeError, Outcome, Unavailable
from proxy.core.keys import Key
from proxy.core.query import Plan
from proxy.core.update import Update
from proxy.core.version import Record, Stamp
from proxy.core.write import (
    NOT_MATCHED,
    Command,
    Insert,
    Modify,
    Precondition,
    Replace,
    WriteResult,
    effect,
)
from proxy.stores.mongo.access import Access, Held, Writing, pause
from proxy.stores.mongo.codec import with_id_first
from proxy.stores.mongo.expressions import operators_of
from proxy.stores.mongo.native import Compiler
from proxy.stores.mongo.ranges import first_documents
from proxy.stores.mongo.slot import Slot

ATTEMPTS = 16
_MOST_CANDIDATES = 17


@dataclass(frozen=True, slots=True)
class Writer:
    """The writes of one collection as primary."""

    access: Access
    slot: Slot
    compiler: Compiler

    async def write(self, command: Command, stamp: Stamp) -> WriteResult:
        try:
            return await self._write_natively(command, stamp) or await self._decide(command, stamp)
        except CrossfadeError as error:
            if error.outcome is not Outcome.UNKNOWN:
                raise
            return await self._settle(error, command, stamp)

    async def write_first(self, plan: Plan, update: Update, stamp: Stamp) -> WriteResult:
        """The first try takes the very first document; who loses it picks among the next few at random.

        Reading finds candidates, the compare-and-set makes the pick exclusive and its pre-image exact.
        """
        for attempt in range(ATTEMPTS):
            found = await first_documents(self.access, plan, min(1 + 2 * attempt, _MOST_CANDIDATES))
            if not found:
                return await self._repeat_of(plan, stamp)
            held = random.choice(found)
            command = Modify(held.record.key, update, Precondition(plan.filter), wants_before=True)
            if result := await self._take(command, held, stamp):
                return result
            await pause(attempt)
        raise Contended("others kept taking the first documents", op=stamp.op)

    async def _write_natively(self, command: Command, stamp: Stamp) -> WriteResult | None:
        """The result, or None when this is not the way: it does not apply, selects nothing or is refused."""
        if isinstance(command, Replace) and self.access.limits is not None:
            self.access.limits.check(command.key, command.document)
        try:
            native = self.compiler.compile(command, stamp)
            if native is None:
                return None
            image = ReturnDocument.BEFORE if native.returns_before else ReturnDocument.AFTER
            async with Writing(self.access, stamp.epoch, stamp.op):
                raw = await self.access.newest.find_one_and_update(
                    native.query, native.change, return_document=image
                )
        except BadRequest:
            return None  # the engine says which path is at fault, in the words it has for both stores
        return None if raw is None else self.compiler.result(command, self.access.codec.decode(raw), stamp)

    async def _decide(self, command: Command, stamp: Stamp) -> WriteResult:
        """Inserts begin in the hope that there is nothing; all else reads first."""
        held = None if isinstance(command, Insert) else await self.access.read(command.key)
        for attempt in range(ATTEMPTS):
            if result := await self._attempt(command, held, stamp):
                return result
            await pause(attempt)
            held = await self.access.read(command.key)
        raise Contended("others kept writing the document", op=stamp.op)

    async def _attempt(self, command: Command, held: Held | None, stamp: Stamp) -> WriteResult | None:
        """The result, or None when the key no longer holds what was read."""
        names = [field.name for field in self.access.collection.key_fields]
        decided = effect(command, held.record if held else None, stamp, key_fields=names)
        if decided.result.repeated:
            return WriteResult(True, after=await self._committed(command.key, stamp), repeated=True)
        if decided.put is None:
            return decided.result
        put = self._checked(decided.put)
        if held and isinstance(command, Modify) and put.document and _is_exotic(held.record):
            after = await self._modify_in_place(command, held, stamp)
        else:
            after = put if await self.slot.swap(held, put) else None
        return replace(decided.result, after=after) if after else None

    def _checked(self, put: Record) -> Record:
        """The record as MongoDB will store it. Raises BadRequest where DynamoDB could not."""
        if put.document is None:
            return put
        document = with_id_first(put.document)
        if self.access.limits is not None:
            self.access.limits.check(put.key, document)
        return put if document is put.document else replace(put, document=document)

    async def _modify_in_place(self, command: Modify, held: Held, stamp: Stamp) -> Record | None:
        """Let MongoDB itself change a document that decoded fields would not lead back to."""
        change = operators_of(command.update, stamp)
        if change is None:
            raise BadRequest("this update cannot be applied to a document of deprecated or invalid BSON")
        async with Writing(self.access, stamp.epoch, stamp.op):
            raw = await self.access.newest.find_one_and_update(
                self.slot.still(held), change, return_document=ReturnDocument.AFTER
            )
        return None if raw is None else self.access.codec.decode(raw)

    async def _take(self, command: Modify, held: Held, stamp: Stamp) -> WriteResult | None:
        """One attempt of `write_first`; a lost reply is answered by what is there."""
        try:
            return await self._attempt(command, held, stamp)
        except CrossfadeError as error:
            if error.outcome is not Outcome.UNKNOWN:
                raise
            return WriteResult(True, held.record, await self._committed(command.key, stamp))

    async def _repeat_of(self, plan: Plan, stamp: Stamp) -> WriteResult:
        """Nothing qualifies: maybe because this very op has changed the one document of the plan."""
        values = plan.partition + plan.sort_prefix
        if plan.index != self.access.collection.key or len(values) < len(self.access.names):
            return NOT_MATCHED
        held = await self.access.read(Key(values))
        if held is None or not held.record.holds_op(stamp.op):
            return NOT_MATCHED
        return WriteResult(True, after=await self._committed(Key(values), stamp), repeated=True)

    async def _settle(self, error: CrossfadeError, command: Command, stamp: Stamp) -> WriteResult:
        """Find the op, or write it again: its own conditions keep it from being applied twice.

        Any other answer than success leaves the outcome unknown: the first attempt may still be on its way.
        """
        try:
            result = await self._decide(command, stamp)
        except CrossfadeError:
            raise error from None
        if not result.matched:
            raise error
        return result

    async def _committed(self, key: Key, stamp: Stamp) -> Record:
        """The record with this op once a majority has it. Raises Unavailable (UNKNOWN) if that takes long."""
        for attempt in range(ATTEMPTS):
            record = await self.access.read_committed(key)
            if record is not None and record.holds_op(stamp.op):
                return record
            await pause(attempt)
        message = "the write is there, but not confirmed by a majority"
        raise Unavailable(message, outcome=Outcome.UNKNOWN, op=stamp.op)


def _is_exotic(record: Record) -> bool:
    return record.document is not None and record.document.raw is not None
