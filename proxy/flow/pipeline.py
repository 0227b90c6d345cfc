"""The journey of a request, on one page.

    write   door -> primary decides -> mirror takes the effect -> reply
    read    door -> primary answers -> door agrees -> reply, and the shadow compares afterwards

What holds whatever happens: a write enters the primary under the epoch that the door gave it; the mirror
gets the record that the primary stored, never the operation; a reply is sent only when the stage's condition
for an acknowledgement is met; a write that a store refused as too old is decided again under the new epoch
with the same op, so that it is applied once; and nothing that was only read, be it that a condition is false,
is told unless the door says that it was read from the primary.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from proxy.core.collection import Collection
from proxy.core.errors import (
    AlreadyExists,
    BadRequest,
    Contended,
    CrossfadeError,
    Fenced,
    NotFound,
    Outcome,
    Reason,
    Refused,
    Unavailable,
)
from proxy.core.exchange import Page
from proxy.core.keys import Key
from proxy.core.ports import Clock, CollectionStore, Door, Signals
from proxy.core.query import PageRequest, Plan
from proxy.core.stage import Published, StoreName
from proxy.core.update import Update
from proxy.core.version import Record, Stamp
from proxy.core.write import Command, WriteResult
from proxy.faultpoint import faultpoint
from proxy.flow.cleanup import Cleanup
from proxy.flow.look import PointRead, QueryRead
from proxy.flow.mirror import Mirror, MirrorOutcome
from proxy.flow.orphan import Decide, Orphan, met_before, once, unconfirmed
from proxy.flow.shadow import Shadow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything that one collection's requests pass."""

    collection: Collection
    stores: Mapping[StoreName, CollectionStore]
    door: Door
    mirror: Mirror
    shadow: Shadow
    cleanup: Cleanup

    def primary(self, published: Published) -> CollectionStore:
        return self.stores[published.stage.primary]


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did, what became of its mirror write, and the 16 bytes that name it."""

    result: WriteResult
    mirror: MirrorOutcome
    op: bytes


class Pipeline:
    """Serves every request of every collection on this replica; raises only `core.errors`."""

    def __init__(self, lanes: Mapping[str, Lane], clock: Clock, signals: Signals) -> None:
        self._lanes = lanes
        self._clock = clock
        self._signals = signals

    def collection(self, name: str) -> Collection:
        """The declaration of a collection. Raises NotFound (UNKNOWN_COLLECTION)."""
        return self._lane(name).collection

    async def get(self, name: str, keys: Sequence[Key]) -> list[Record | None]:
        """The live records of the keys, in their order; None where there is none."""
        lane = self._lane(name)
        published, records = await self._read(lane, "primary.get", lambda store: store.get(keys))
        lane.shadow.offer(published, PointRead(keys, records))
        return [None if record is None or record.is_tombstone else record for record in records]

    async def query(self, name: str, plan: Plan, page: PageRequest) -> Page:
        """One page of live records in plan order."""
        lane = self._lane(name)

        async def find(store: CollectionStore) -> Page | CrossfadeError:
            try:
                return await store.find(plan, page)
            except (BadRequest, Refused) as refusal:
                return refusal

        published, answer = await self._read(lane, "primary.query", find)
        lane.shadow.offer(published, QueryRead(plan, page, answer))
        if isinstance(answer, CrossfadeError):
            raise answer
        return answer

    async def count(self, name: str, plan: Plan) -> int:
        """How many live documents a plan selects; Refused beyond the collection's scan budget."""
        lane = self._lane(name)
        budget = lane.collection.settings.scan_budget
        _, counted = await self._read(lane, "primary.count", lambda store: store.count(plan, budget))
        return counted

    async def _read(
        self, lane: Lane, span: str, read: Callable[[CollectionStore], Awaitable[T]]
    ) -> tuple[Published, T]:
        """Read until the door agrees that it was the primary which answered."""
        while True:
            published = await lane.door.enter_read()
            with self._signals.span(
                span, collection=lane.collection.name, store=published.stage.primary.value
            ):
                answer = await read(lane.primary(published))
            if lane.door.confirms(published):
                return published, answer

    async def write(self, name: str, command: Command, request_id: bytes = b"") -> Written:
        """Apply one write; a repeated request id returns what the first one did."""
        lane, orphan = self._lane(name), None
        if request_id and lane.door.is_holding:
            orphan = await met_before(lane.primary(lane.door.published), command.key, request_id)
        return await self._write(lane, request_id, lambda store, stamp: store.write(command, stamp), orphan)

    async def take_first(self, name: str, plan: Plan, update: Update, request_id: bytes = b"") -> Written:
        """Update the first document of a plan's order, exclusively among all callers."""
        lane = self._lane(name)
        return await self._write(
            lane, request_id, lambda store, stamp: store.write_first(plan, update, stamp)
        )

    async def _write(
        self, lane: Lane, request_id: bytes, decide: Decide, orphan: Orphan | None = None
    ) -> Written:
        """An `orphan` is this very write, found where it may yet surface or be forgotten."""
        op = request_id or self._clock.new_op()
        while True:
            published = await lane.door.enter_write()
            try:
                written, fenced = await self._attempt(lane, published, op, once(orphan, op, decide))
            except CrossfadeError as error:
                raise _identified(error, op, orphan) from error
            finally:
                lane.door.leave_write()
            if written and not fenced:
                return self._confirmed(written, orphan)
            if written and written.result.after:
                orphan = Orphan(written.result.after, published.stage.primary)
            try:
                await lane.door.learn_beyond(published.epoch)
            except CrossfadeError as error:
                raise _identified(error, op, orphan) from error

    async def _attempt(
        self, lane: Lane, published: Published, op: bytes, decide: Decide
    ) -> tuple[Written | None, bool]:
        """Decide once under one epoch: what was written (None: the primary is fenced, or may have changed
        before it refused), and whether the mirror refused it as too old, or was not there to do so."""
        stamp = Stamp(published.epoch, op, self._clock.now())
        try:
            with self._signals.span(
                "primary.write", collection=lane.collection.name, store=published.stage.primary.value
            ):
                result = await decide(lane.primary(published), stamp)
        except Fenced:
            return None, True
        except (AlreadyExists, Contended):
            if not lane.door.confirms(published):
                return None, True
            raise
        if not result.matched and not lane.door.confirms(published):
            return None, True
        await faultpoint("pipeline.between_stores")
        try:
            outcome = await lane.mirror.follow(published, result.after)
        except Unavailable as error:
            if not isinstance(error, Fenced) and lane.door.published.epoch == published.epoch:
                raise
            return Written(result, MirrorOutcome.DEFERRED, op), True
        lane.cleanup.after(published, result.after, outcome)
        await faultpoint("pipeline.before_reply")
        return Written(result, outcome, op), False

    @staticmethod
    def _confirmed(written: Written, orphan: Orphan | None) -> Written:
        if orphan and not written.result.matched:
            raise unconfirmed(written.op)
        return written

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            raise NotFound(
                f"there is no collection named {name!r}", Reason.UNKNOWN_COLLECTION, field="collection"
            )
        return lane


def _identified(error: CrossfadeError, op: bytes, orphan: Orphan | None) -> CrossfadeError:
    error.op = op
    if orphan:
        error.outcome = Outcome.UNKNOWN
    return error
