"""The inline mirror write: the mirror takes the record that the primary stored, or the write is deferred.

Invariants: in MONGO_PRIMARY nothing that the mirror does can fail a write or hold it up beyond
`mirror_timeout`; in DYNAMO_PRIMARY a write returns from here only when MongoDB holds it, so that the way back
loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum

from proxy.core.collection import Settings
from proxy.core.confirmed import Confirmed
from proxy.core.errors import CrossfadeError, Fenced, Outcome, Reason, Unavailable
from proxy.core.exchange import ApplyResult, ApplyStatus
from proxy.core.ports import Clock, CollectionStore, Signals
from proxy.core.stage import Published, StoreName
from proxy.core.version import Record, Stamp
from proxy.faultpoint import faultpoint
from proxy.flow.breaker import Breaker, BreakerState


class MirrorOutcome(Enum):
    """What became of the mirror write by the time of the reply."""

    NONE = "none"  # the stage has no mirror, or nothing was written
    APPLIED = "applied"
    DEFERRED = "deferred"  # the reconciler will bring it


class Mirror:
    """The mirror writes of one collection on one replica."""

    def __init__(
        self,
        collection: str,
        stores: Mapping[StoreName, CollectionStore],
        settings: Settings,
        breaker: Breaker,
        signals: Signals,
        clock: Clock,
        confirmed: Confirmed,
    ) -> None:
        self._collection = collection
        self._stores = stores
        self._settings = settings
        self._signals = signals
        self._clock = clock
        self._confirmed = confirmed
        self.breaker = breaker
        self.applied = 0
        self.deferred = 0
        self._probe: asyncio.Task[str] | None = None
        self.last_error = ""
        self.last_error_at = 0  # milliseconds since 1970

    async def follow(self, published: Published, record: Record | None) -> MirrorOutcome:
        """Bring the mirror up to `record`, as far as the stage demands it for an acknowledgement.

        Raises Fenced or Unavailable (MIRROR_UNCONFIRMED, UNKNOWN) only where the stage needs the mirror.
        """
        name = published.stage.mirror
        if name is None or record is None:
            return MirrorOutcome.NONE
        await faultpoint("mirror.before_write")
        with self._signals.span("mirror.write", collection=self._collection, store=name.value):
            if published.stage.needs_mirror_to_acknowledge:
                await self._confirm(self._stores[name], record, published)
                outcome = MirrorOutcome.APPLIED
            else:
                outcome = await self._attempt(self._stores[name], record)
        self.applied += outcome is MirrorOutcome.APPLIED
        self._signals.count("crossfade.mirror.writes", collection=self._collection, outcome=outcome.value)
        return outcome

    async def stop(self) -> None:
        """End a probe that is under way."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)

    async def _attempt(self, mirror: CollectionStore, record: Record) -> MirrorOutcome:
        """Try within the mirror's deadline, while the breaker lets us; whatever goes wrong is deferred.

        A probe of an open breaker runs beside the reply, so that an outage costs no client anything.
        """
        if not self.breaker.allows():
            return self._defer("breaker_open")
        if self.breaker.state is BreakerState.HALF_OPEN:
            self._probe = asyncio.create_task(self._try(mirror, record), name="mirror.probe")
            return self._defer("breaker_open")  # nobody waits for a mirror that may still be gone
        why = await self._try(mirror, record)
        return self._defer(why) if why else MirrorOutcome.APPLIED

    async def _try(self, mirror: CollectionStore, record: Record) -> str:
        """Write once within the deadline, and tell the breaker; why the mirror lacks it, or nothing."""
        try:
            async with asyncio.timeout(self._settings.mirror_timeout):
                applied = await self._apply(mirror, record)
        except (CrossfadeError, TimeoutError) as error:
            self._note(str(error) or f"no answer within {self._settings.mirror_timeout:g} s")
            self.breaker.failed()
            return str(getattr(error, "reason", Reason.DEADLINE).value.lower())
        except asyncio.CancelledError:
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        return "" if _holds(applied, record, record.version.epoch) else "overtaken"

    async def _confirm(self, mirror: CollectionStore, record: Record, published: Published) -> None:
        """Raises Fenced too where the mirror holds a write of an epoch after the one that we know."""
        epoch = published.epoch
        try:
            applied = await self._apply(mirror, record)
        except Fenced:
            if record.version.epoch >= epoch:
                raise
            return await self._confirm(mirror, await self._renew(record, published), published)
        except CrossfadeError as error:
            self._note(error.message)
            raise self._unconfirmed(f"the mirror could not be written: {error.message}") from error
        if _holds(applied, record, epoch):
            return None
        if applied.existing is not None and applied.existing.version.epoch > epoch:
            raise Fenced("the mirror holds a write of a newer epoch", op=record.op)
        raise self._unconfirmed("the mirror holds a write that this one is not known to be part of")

    async def _renew(self, record: Record, published: Published) -> Record:
        """A repeat's record from before the change, which the mirror lacks and its fence refuses, under our
        epoch. The reconciler does the same, once it has met it; nobody need wait for that."""
        stamp = Stamp(published.epoch, self._clock.new_op(), self._clock.now())
        primary, floor = self._stores[published.stage.primary], max(record.version.revision, stamp.seed)
        try:
            renewed = await primary.restamp(record, stamp, floor)
        except CrossfadeError as error:
            raise self._unconfirmed(f"the primary could not stamp it anew: {error.message}") from error
        if renewed is None:
            raise self._unconfirmed("the primary has gone on meanwhile")
        return renewed

    async def _apply(self, mirror: CollectionStore, record: Record) -> ApplyResult:
        applied = await mirror.apply(record)
        if applied.status is ApplyStatus.APPLIED:
            self._confirmed.note(mirror.store, record)
        return applied

    def _unconfirmed(self, why: str) -> Unavailable:
        self._signals.count("crossfade.mirror.writes", collection=self._collection, outcome="unconfirmed")
        return Unavailable(
            f"stored by the primary but not confirmed: {why}; repeat it with the same request id",
            Reason.MIRROR_UNCONFIRMED,
            outcome=Outcome.UNKNOWN,
        )

    def _note(self, failure: str) -> None:
        self.last_error, self.last_error_at = failure, self._clock.now()

    def _defer(self, why: str) -> MirrorOutcome:
        self.deferred += 1
        self._signals.count("crossfade.mirror.deferred", collection=self._collection, reason=why)
        return MirrorOutcome.DEFERRED


def _holds(applied: ApplyResult, record: Record, epoch: int) -> bool:
    """True when the mirror holds this write, by itself or as part of a newer version.

    `record` is what the primary of `epoch` held: written in that epoch, or before it and found to be a
    repeat. A newer version of the record's own epoch, or of `epoch`, was built on it, since one store decided
    both.
    """
    if applied.status in (ApplyStatus.APPLIED, ApplyStatus.ALREADY_THERE):
        return True
    existing = applied.existing
    if applied.status is not ApplyStatus.NEWER or existing is None:
        return False
    return existing.version.epoch in (record.version.epoch, epoch) or existing.holds_op(record.op)
