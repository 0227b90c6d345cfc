"""The protocol with one of its promises taken out: the simulation must notice every one of these.

Each mutant changes the real code's behaviour in one place for as long as its `with` block lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from proxy.core.flag import Flag
from proxy.core.keys import Key
from proxy.core.ports import ApplyResult, ApplyStatus
from proxy.core.stage import Stage
from proxy.core.version import Record
from proxy.cutover import coordinator
from proxy.cutover.machine import Observation, Step
from proxy.reconcile.reconciler import Reconciler
from proxy.stores.memory.store import MemoryFence, MemoryStore, MemoryTable
from proxy.wiring import App

Mutant = Callable[[], AbstractContextManager[Any]]


def no_fence() -> AbstractContextManager[Any]:
    """Nothing but the replicas' good will keeps writes of older epochs out of MongoDB."""

    async def raise_to(self: MemoryFence, epoch: int) -> None:
        await self._pause()

    return patch.object(MemoryFence, "raise_to", raise_to)


def acknowledge_before_mongodb() -> AbstractContextManager[Any]:
    """In DYNAMO_PRIMARY a write counts when DynamoDB has it."""
    return patch.object(Stage, "needs_mirror_to_acknowledge", property(lambda stage: False))


def no_tombstone() -> AbstractContextManager[Any]:
    """A delete removes the document, and so what it was."""
    put = MemoryTable.put

    def put_or_remove(self: MemoryTable, key: Key, record: Record | None) -> None:
        put(self, key, None if record is not None and record.is_tombstone else record)

    return patch.object(MemoryTable, "put", put_or_remove)


def no_version_condition() -> AbstractContextManager[Any]:
    """The mirror takes whatever comes last."""

    async def apply(self: MemoryStore, record: Record) -> ApplyResult:
        await self._pause()
        self._refuse_below_fence(record.version.epoch)
        self.table.put(record.key, record)
        await self._pause()
        return ApplyResult(ApplyStatus.APPLIED, record)

    return patch.object(MemoryStore, "apply", apply)


@contextmanager
def no_hold() -> Iterator[None]:
    """The flag is flipped while everybody writes: no hold, no fence, no drain."""

    def publish_at_once(flag: Flag, seen: Observation) -> Step:
        return Step.PUBLISH

    with (
        patch.object(coordinator, "next_step", publish_at_once),
        patch.object(Flag, "holds_writes", property(lambda flag: False)),
    ):
        yield


def no_drain() -> AbstractContextManager[Any]:
    """The new primary takes over without what the mirror has not got yet."""

    async def drained(self: App, flag: Flag) -> bool:
        return True

    return patch.object(App, "_drain", drained)


def no_reconciler() -> AbstractContextManager[Any]:
    """What the inline mirror write missed is never made good."""

    async def sleep_for_ever(self: Reconciler) -> None:
        return

    return patch.multiple(Reconciler, run=sleep_for_ever, drain=_drained)


async def _drained(self: Reconciler, timeout: float) -> bool:
    return True


def reads_are_never_held() -> AbstractContextManager[Any]:
    """Replicas go on reading DynamoDB while others are told of MongoDB (docs/decisions/0003)."""
    return patch.object(Flag, "holds_reads", property(lambda flag: False))


MUTANTS: dict[str, Mutant] = {
    "no fence": no_fence,
    "acknowledge before MongoDB in DYNAMO_PRIMARY": acknowledge_before_mongodb,
    "no tombstone": no_tombstone,
    "no version condition": no_version_condition,
    "flag flip without hold": no_hold,
    "no drain": no_drain,
    "no reconciler": no_reconciler,
    "reads are never held": reads_are_never_held,
}
