"""Brings the mirror to what the primary holds, key by key: reads both, decides purely, acts conditionally.

Invariants: nothing is written over a newer version; the primary's content is never changed, only its version;
stopping between any two awaits leaves a state from which the same call converges. A key that is written all
the time is not waited for: once the mirror holds more than we have read, and the primary no less than that,
what is left is what was written since, which the feed tells of later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from proxy.core.errors import AlreadyExists, BadRequest, CrossfadeError, Fenced
from proxy.core.exchange import ApplyResult, ApplyStatus
from proxy.core.keys import Key
from proxy.core.ports import Clock, CollectionStore
from proxy.core.stage import StoreName
from proxy.core.version import RING, Record, Stamp, Version
from proxy.faultpoint import faultpoint
from proxy.reconcile.quarantine import Quarantine
from proxy.reconcile.rule import Action, Cause, decide, explain, floor_of, newest_epoch

READ_SIZE = 200
"""Keys that are read from a store at once."""
CONCURRENCY = 24
"""Keys of one call that are written at the same time."""
SECOND_LOOK = 1000
"""Milliseconds until an adopted key is looked at again. It is settled only when the change is over."""
ROUNDS = 8
"""Looks at a key whose records keep changing under us, before the caller is told so."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two stores of one collection in the roles of one published stage.

    `grace` is how many seconds MongoDB as primary keeps a tombstone that the mirror holds. `is_changing` says
    that the primary is about to change, so that its fence may already refuse our epoch.
    """

    primary: CollectionStore
    mirror: CollectionStore
    epoch: int
    grace: float = 0.0
    is_changing: bool = False


class Result(Enum):
    """How a key ended."""

    EQUAL = "equal"
    CONFIRMED = "confirmed"  # the mirror took this write from this replica: nothing was read
    APPLIED = "applied"
    STAMPED = "stamped"
    ADOPTED = "adopted"  # the primary's fence takes no version from us: only the mirror has it
    BURIED = "buried"
    PURGED = "purged"
    WAITING = "waiting"  # both are tombstones, and MongoDB's may not go yet
    OUTRUN = "outrun"  # written and mirrored again faster than we look: its next event sees to the rest
    QUARANTINED = "quarantined"  # the mirror cannot hold this document: somebody must change it
    CONTENDED = "contended"  # it changed under us every time: call again
    UNREACHED = "unreached"  # a store did not answer: call again
    OVERTAKEN = "overtaken"  # a newer epoch than ours is out: ask for it, and call again


_AGAIN = frozenset((Result.CONTENDED, Result.UNREACHED, Result.OVERTAKEN))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one key; `primary` and `mirror` are the records that were last read.

    `due_at`: when (milliseconds since 1970) to call again, else 0: because MongoDB's tombstone may go then,
    or because the primary lacks the version that the mirror has, and gets it if the change was aborted.
    `reason`: a sentence, for QUARANTINED and UNREACHED.
    """

    key: Key
    result: Result
    cause: Cause = Cause.NONE
    primary: Record | None = None
    mirror: Record | None = None
    reason: str = ""
    due_at: int = 0

    @property
    def is_final(self) -> bool:
        """True when nothing remains to be done for what was seen."""
        return self.result not in _AGAIN


@dataclass(frozen=True, slots=True)
class _Look:
    key: Key
    mirror: Record | None
    primary: Record | None
    is_fresh: bool

    def end(self, result: Result, reason: str = "", due_at: int = 0) -> Outcome:
        cause = explain(self.primary, self.mirror, is_fresh=self.is_fresh)
        return Outcome(self.key, result, cause, self.primary, self.mirror, reason, due_at)


async def reconcile(
    keys: Iterable[Key],
    pair: Pair,
    clock: Clock,
    *,
    is_fresh: bool = False,
    quarantine: Quarantine | None = None,
) -> list[Outcome]:
    """One outcome per distinct key, in the order given.

    `is_fresh`: see `rule.decide`. Raises the error of a store that cannot be read; a store that fails to take
    a write is an outcome (UNREACHED). Idempotent.
    """
    worker = _Worker(pair, clock, quarantine if quarantine is not None else Quarantine())
    waiting = list(dict.fromkeys(keys))
    outcomes = {key: Outcome(key, Result.CONTENDED) for key in waiting}
    for attempt in range(ROUNDS):
        if attempt:
            await asyncio.sleep(clock.random() * 0.002 * 2**attempt)
        for outcome in await worker.settle_all(waiting, is_fresh):
            outcomes[outcome.key] = outcome
        waiting = [key for key in waiting if outcomes[key].result is Result.CONTENDED]
        if not waiting:
            break
    return [_give_up(outcome) if outcome.reason else outcome for outcome in outcomes.values()]


def _give_up(outcome: Outcome) -> Outcome:
    """A mirror that refused every round, and said why, will go on refusing."""
    is_refused = outcome.result is Result.CONTENDED
    return replace(outcome, result=Result.QUARANTINED) if is_refused else outcome


class _Worker:
    """One call of `reconcile`."""

    def __init__(self, pair: Pair, clock: Clock, quarantine: Quarantine) -> None:
        self._pair = pair
        self._clock = clock
        self._quarantine = quarantine
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._newer: dict[Key, Record] = {}  # what the mirror held when it took nothing from us

    async def settle_all(self, keys: Sequence[Key], is_fresh: bool) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for start in range(0, len(keys), READ_SIZE):
            looks = await self._look(keys[start : start + READ_SIZE], is_fresh)
            outcomes += await asyncio.gather(*map(self._settle, looks))
        return outcomes

    async def _look(self, keys: Sequence[Key], is_fresh: bool) -> list[_Look]:
        """The mirror first: see the invariant of `rule`."""
        mirrored = await self._pair.mirror.get(keys)
        await faultpoint("reconcile.between_reads")
        held = await self._pair.primary.get(keys)
        return [
            _Look(key, mirror, primary, is_fresh and not self._is_copy(primary))
            for key, mirror, primary in zip(keys, mirrored, held, strict=True)
        ]

    def _is_copy(self, primary: Record | None) -> bool:
        """Whether the write was the backfill's, from when DynamoDB was the mirror: it put legacy documents
        there, and nobody else does. In MongoDB they come from writers that bypass the proxy."""
        is_dynamo = self._pair.primary.store is StoreName.DYNAMODB
        return is_dynamo and primary is not None and primary.is_legacy

    async def _settle(self, look: _Look) -> Outcome:
        try:
            if self._is_outrun(look):
                return look.end(Result.OUTRUN)
            return await self._act(decide(look.primary, look.mirror, is_fresh=look.is_fresh), look)
        except BadRequest as refusal:
            self._quarantine.add(look.primary)
            return look.end(Result.QUARANTINED, f"{refusal.field}: {refusal.message}".removeprefix(": "))
        except AlreadyExists as clash:  # with another document, which may be about to change
            return look.end(Result.CONTENDED, clash.message)
        except Fenced:
            return look.end(Result.OVERTAKEN)
        except CrossfadeError as error:
            return look.end(Result.UNREACHED, error.message)

    async def _act(self, action: Action, look: _Look) -> Outcome:
        match action:
            case Action.NOTHING:
                return look.end(Result.EQUAL)
            case Action.PURGE:
                return await self._purge(look)
        async with self._slots:
            match action:
                case Action.APPLY:
                    return await self._apply(look)
                case Action.RESTAMP:
                    return await self._restamp(look)
                case _:
                    return await self._bury(look)

    async def _apply(self, look: _Look) -> Outcome:
        assert look.primary is not None, "only what the primary holds is applied"
        if self._is_overtaken(look):
            return look.end(Result.OVERTAKEN)
        if look.primary.version.epoch < self._pair.epoch:
            try:
                return await self._mirror(look, look.primary, Result.APPLIED)
            except Fenced:  # the mirror takes only newer epochs: the record is adopted into ours
                return await self._restamp(look)
        return await self._mirror(look, look.primary, Result.APPLIED)

    async def _restamp(self, look: _Look) -> Outcome:
        assert look.primary is not None, "only what the primary holds is restamped"
        if self._is_overtaken(look):
            return look.end(Result.OVERTAKEN)
        if self._quarantine.holds(look.primary):
            return look.end(Result.QUARANTINED, "the mirror does not give back what it was given")
        await faultpoint("reconcile.before_restamp")
        stamp = self._stamp()
        floor = max(floor_of(look.mirror), look.primary.version.revision, stamp.seed)
        try:
            stamped = await self._pair.primary.restamp(look.primary, stamp, floor)
        except Fenced:
            if not self._pair.is_changing:
                raise
            return await self._adopt(look, look.primary, stamp, floor)
        return await self._pass_on(look, stamped, Result.STAMPED)

    async def _adopt(self, look: _Look, seen: Record, stamp: Stamp, floor: int) -> Outcome:
        """The fence is up, so what the primary holds under our epoch changes no more, unless it goes."""
        [held] = await self._pair.primary.get([look.key])
        if held is None or not held.is_same_write(seen):
            return look.end(Result.CONTENDED)
        return await self._pass_on(look, held.restamped(stamp, floor + 1), Result.ADOPTED)

    async def _pass_on(self, look: _Look, stamped: Record | None, result: Result) -> Outcome:
        """Mirror what has got a version from us; None where the primary has moved meanwhile."""
        if stamped is None:
            return look.end(Result.CONTENDED)
        outcome = await self._mirror(look, stamped, result)
        is_given = outcome.is_final and outcome.cause is Cause.BYPASS  # else the mirror took nothing from us
        return await self._prove(outcome, stamped) if is_given else outcome

    async def _bury(self, look: _Look) -> Outcome:
        if self._is_overtaken(look):
            return look.end(Result.OVERTAKEN)
        stamp = self._stamp()
        return await self._mirror(look, _tombstone(look, stamp), Result.BURIED)

    async def _purge(self, look: _Look) -> Outcome:
        tombstone = look.primary
        assert tombstone is not None, "only what the primary holds is purged"
        if self._pair.primary.store is not StoreName.MONGODB:
            return look.end(Result.EQUAL)
        if self._purge_time(tombstone) > self._clock.now():
            return look.end(Result.WAITING, due_at=self._purge_time(tombstone))
        await faultpoint("reconcile.before_purge")
        await self._pair.primary.purge(tombstone)  # not there any more: somebody else purged it, or wrote
        return look.end(Result.PURGED)

    async def _mirror(self, look: _Look, record: Record, result: Result) -> Outcome:
        await faultpoint("reconcile.before_apply")
        applied = await self._pair.mirror.apply(record)
        if applied.status is ApplyStatus.NEWER and applied.existing is not None:
            self._newer[look.key] = applied.existing
        if _has_come_by_itself(applied, record):
            result = Result.EQUAL if result is Result.APPLIED else result
        elif applied.status is not ApplyStatus.APPLIED:
            return look.end(Result.CONTENDED)  # the mirror moved: the next look judges what it holds now
        due_at = self._clock.now() + SECOND_LOOK if result is Result.ADOPTED else self._purge_time(record)
        return look.end(result, due_at=due_at)

    def _purge_time(self, record: Record) -> int:
        """When MongoDB as primary may let go of a tombstone that the mirror holds; 0 for anything else."""
        if not record.is_tombstone or self._pair.primary.store is not StoreName.MONGODB:
            return 0
        return (record.deleted_at or 0) + int(self._pair.grace * 1000)

    async def _prove(self, outcome: Outcome, stamped: Record) -> Outcome:
        """Read back what was mirrored for a difference in content: a mirror that cannot reproduce it would
        have the primary restamped for ever."""
        [held] = await self._pair.mirror.get([stamped.key])
        if held is None or not held.is_same_write(stamped) or held.document == stamped.document:
            return outcome
        self._quarantine.add(stamped)
        reason = "the mirror does not give back what it was given"
        return replace(outcome, result=Result.QUARANTINED, primary=stamped, mirror=held, reason=reason)

    def _is_outrun(self, look: _Look) -> bool:
        """Whether the mirror went past what we read before, and that is no mirror ahead of its primary."""
        newer, primary = self._newer.pop(look.key, None), look.primary
        if newer is None or primary is None or self._is_overtaken(look):
            return False
        return primary.version > newer.version or primary.is_same_write(newer)

    def _is_overtaken(self, look: _Look) -> bool:
        """No version of ours may stand above one of a newer epoch: its primary may be the other store."""
        return newest_epoch(look.primary, look.mirror) > self._pair.epoch

    def _stamp(self) -> Stamp:
        return Stamp(self._pair.epoch, self._clock.new_op(), self._clock.now())


def _has_come_by_itself(applied: ApplyResult, record: Record) -> bool:
    """Whether the inline mirror write, which was on its way, has brought the very record."""
    existing = applied.existing
    is_there = applied.status is ApplyStatus.ALREADY_THERE
    return is_there and existing is not None and existing.document == record.document


def _tombstone(look: _Look, stamp: Stamp) -> Record:
    """Above what the mirror holds, and above every mirror write of the key that may still be on its way."""
    revision = max(floor_of(look.mirror) + 1, stamp.seed)
    ops = look.mirror.ops if look.mirror else ()
    version = Version(stamp.epoch, revision)
    return Record(look.key, version, stamp.op, (*ops, stamp.op)[-RING:], None, deleted_at=stamp.now)
