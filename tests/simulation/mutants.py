"""The protocol with one of its promises taken out: the simulation must notice every one of these.

Each mutant changes the real code's behaviour in one place for as long as its `with` block lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from proxy.core import write
from proxy.core.exchange import ApplyResult, ApplyStatus, FeedBatch
from proxy.core.flag import Change, Flag
from proxy.core.keys import Key
from proxy.core.stage import Published, Stage
from proxy.core.version import Record, Stamp, Version
from proxy.core.write import Command, Effect
from proxy.cutover import coordinator, machine
from proxy.cutover.machine import Observation, Step
from proxy.cutover.replica import CollectionDoor, Membership
from proxy.flow import mirror
from proxy.reconcile import key as settling
from proxy.reconcile import rule
from proxy.reconcile.follower import Follower
from proxy.reconcile.reconciler import Reconciler
from proxy.reconcile.rule import Action
from proxy.stores.memory import store as memory
from proxy.stores.memory.store import MemoryStore, MemoryTable
from proxy.wiring import App
from tests.simulation.kinds import Focus


def no_fence() -> AbstractContextManager[Any]:
    """Nothing but the replicas' good will keeps writes of older epochs out of MongoDB."""
    return patch.object(MemoryStore, "_refuse_below_fence", lambda self, epoch: None)


def acknowledge_before_mongodb() -> AbstractContextManager[Any]:
    """In DYNAMO_PRIMARY a write counts when DynamoDB has it."""
    return patch.object(Stage, "needs_mirror_to_acknowledge", property(lambda stage: False))


def any_newer_version_will_do() -> AbstractContextManager[Any]:
    """A mirror write that finds a newer version is taken for done, whoever wrote that."""
    return patch.object(mirror, "_holds", lambda applied, record, epoch: True)


def no_tombstone() -> AbstractContextManager[Any]:
    """A delete removes the document, and so what it was."""
    put = MemoryTable.put

    def put_or_remove(self: MemoryTable, key: Key, record: Record | None) -> None:
        put(self, key, None if record is not None and record.is_tombstone else record)

    return patch.object(MemoryTable, "put", put_or_remove)


def no_version_condition() -> AbstractContextManager[Any]:
    """The mirror takes whatever comes last."""

    async def apply(self: MemoryStore, record: Record, *, is_metered: bool = False) -> ApplyResult:
        await self._pause()
        self._refuse_below_fence(record.version.epoch)
        self.table.put(record.key, record)
        await self._pause()
        return ApplyResult(ApplyStatus.APPLIED, record)

    return patch.object(MemoryStore, "apply", apply)


def no_epoch_condition() -> AbstractContextManager[Any]:
    """A primary lets a writer of an older epoch change what was written in a newer one."""
    effect = write.effect

    def effect_of_anybody(
        command: Command, current: Record | None, stamp: Stamp, *, key_fields: tuple[str, ...]
    ) -> Effect:
        if current is not None and current.version.epoch > stamp.epoch:
            current = replace(current, version=Version(stamp.epoch, current.version.revision))
        return effect(command, current, stamp, key_fields=key_fields)

    return patch.object(memory, "effect", effect_of_anybody)


def no_request_ids() -> AbstractContextManager[Any]:
    """A document remembers its last write only: a repeat that others came before is applied again."""
    return patch.object(Record, "holds_op", lambda self, op: self.op == op)


@contextmanager
def no_hold() -> Iterator[None]:
    """The flag is flipped while everybody reads and writes; fence and drain remain."""
    with hold_is_not_awaited(), patch.object(Flag, "holds_writes", property(lambda flag: False)):
        yield


@contextmanager
def no_ceremony() -> Iterator[None]:
    """The flag is flipped at once: no hold, no fence, no drain."""

    def publish_at_once(flag: Flag, seen: Observation) -> Step:
        return Step.PUBLISH

    async def fenced(*_: object) -> bool:
        return True

    with (
        patch.object(coordinator, "next_step", publish_at_once),
        patch.object(coordinator.Coordinator, "_is_fenced", fenced),
        patch.object(Flag, "holds_writes", property(lambda flag: False)),
    ):
        yield


def no_drain() -> AbstractContextManager[Any]:
    """The new primary takes over without what the mirror has not got yet."""

    async def drained(self: App, flag: Flag) -> bool:
        return True

    return patch.object(App, "_drain", drained)


def drain_before_the_fence() -> AbstractContextManager[Any]:
    """Into DYNAMO_PRIMARY too: what a late replica writes to MongoDB in between is acknowledged."""
    return patch.object(machine, "_drains_first", lambda flag: True)


def hold_is_not_awaited() -> AbstractContextManager[Any]:
    """The coordinator goes on before every replica holds, or has lost its lease."""

    async def held(self: coordinator.Coordinator, flag: Flag, change: Change) -> bool:
        return True

    return patch.object(coordinator.Coordinator, "_is_held", held)


def reads_are_never_held() -> AbstractContextManager[Any]:
    """Late replicas go on reading the old primary (docs/decisions/0003)."""
    return patch.object(Flag, "holds_reads", property(lambda flag: False))


def reads_need_no_lease() -> AbstractContextManager[Any]:
    """A replica that cannot hear of changes goes on reading what it takes for the primary."""
    return patch.object(Membership, "require_lease", lambda self: None)


def reads_are_not_confirmed() -> AbstractContextManager[Any]:
    """What was read is answered whatever happened while it was read."""

    def confirms(self: CollectionDoor, published: Published) -> bool:
        return True

    return patch.object(CollectionDoor, "confirms", confirms)


def heartbeats_tell_nothing() -> AbstractContextManager[Any]:
    """A replica that comes back, or starts, serves under the flag that it knew before."""

    async def beat(self: Membership) -> None:
        self._wake.clear()
        begun = asyncio.get_running_loop().time()
        await self.control.beat(self._describe())
        self._valid_until = begun + self.lease

    return patch.object(Membership, "_beat", beat)


def no_reconciler() -> AbstractContextManager[Any]:
    """What the inline mirror write missed is never made good."""

    async def end(self: Reconciler) -> None:
        return

    async def drained(self: Reconciler, timeout: float) -> bool:
        return True

    return patch.multiple(Reconciler, run=end, drain=drained)


def position_before_apply() -> AbstractContextManager[Any]:
    """The feed's position moves on when events are read, not when they are settled."""
    take = Follower._take

    async def take_and_pass_on(self: Follower) -> list[FeedBatch]:
        batches = await take(self)
        self.applied = self.purged = batches[-1].position
        self.handled += 1  # so that it is worth a checkpoint
        await asyncio.sleep(0.6)  # so long as a checkpoint takes
        return batches

    return patch.object(Follower, "_take", take_and_pass_on)


def adoption_without_version() -> AbstractContextManager[Any]:
    """What others wrote past the proxy is mirrored as it is, without a version of its own."""
    decide = rule.decide

    def apply_as_it_is(primary: Record | None, mirror: Record | None, *, is_fresh: bool = False) -> Action:
        action = decide(primary, mirror, is_fresh=is_fresh)
        is_bare = primary is not None and primary.is_legacy
        return Action.APPLY if action is Action.RESTAMP and is_bare else action

    return patch.object(settling, "decide", apply_as_it_is)


def mirror_may_stay_ahead() -> AbstractContextManager[Any]:
    """A mirror that is newer than the primary is left as it is."""
    decide = rule.decide

    def leave_ahead(primary: Record | None, mirror: Record | None, *, is_fresh: bool = False) -> Action:
        is_ahead = primary is not None and mirror is not None and mirror.version > primary.version
        return Action.NOTHING if is_ahead else decide(primary, mirror, is_fresh=is_fresh)

    return patch.object(settling, "decide", leave_ahead)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`change` takes the promise out; `focus` is the kind of world in which that matters most."""

    change: Callable[[], AbstractContextManager[Any]]
    focus: Focus


MUTANTS: dict[str, Mutant] = {
    "no fence": Mutant(no_fence, Focus.HANDS_FULL),
    "acknowledge before MongoDB in DYNAMO_PRIMARY": Mutant(acknowledge_before_mongodb, Focus.HANDS_FULL),
    "any newer version in the mirror will do": Mutant(any_newer_version_will_do, Focus.LEAVING),
    "no tombstone": Mutant(no_tombstone, Focus.LATE_MIRROR),
    "no version condition": Mutant(no_version_condition, Focus.LATE_MIRROR),
    "no epoch condition": Mutant(no_epoch_condition, Focus.LEAVING),
    "request ids are forgotten": Mutant(no_request_ids, Focus.SWARM),
    "flag flip without hold": Mutant(no_hold, Focus.LATE_NEWS),
    "flag flip without hold, fence or drain": Mutant(no_ceremony, Focus.HANDS_FULL),
    "no drain": Mutant(no_drain, Focus.OUTAGE),
    "drain before the fence": Mutant(drain_before_the_fence, Focus.SLEEPER),
    "the hold is not awaited": Mutant(hold_is_not_awaited, Focus.LATE_NEWS),
    "reads are never held": Mutant(reads_are_never_held, Focus.LATE_NEWS),
    "reads need no lease": Mutant(reads_need_no_lease, Focus.LATE_NEWS),
    "reads are not confirmed": Mutant(reads_are_not_confirmed, Focus.SLEEPER),
    "heartbeats tell nothing": Mutant(heartbeats_tell_nothing, Focus.NEWCOMER),
    "no reconciler": Mutant(no_reconciler, Focus.OUTAGE),
    "position saved before it is applied": Mutant(position_before_apply, Focus.OUTAGE),
    "adoption without a version": Mutant(adoption_without_version, Focus.BYPASS),
    "the mirror may stay ahead": Mutant(mirror_may_stay_ahead, Focus.BYPASS),
}
