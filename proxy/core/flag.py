"""The cutover flag as the control store keeps it: what is published, what is changing, and who has noticed.

A flag changes only by compare-and-set on `serial`, which rises with every change of the flag. Publishing is
what raises the epoch; an aborted change publishes the old stage at the next epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from proxy.core.errors import Contended, Reason, Refused
from proxy.core.stage import Published, Stage


@dataclass(frozen=True, slots=True)
class Change:
    """A running change of stage; any replica may resume or abort it. Times are milliseconds since 1970.

    `coordinator` is the replica that drives it until `coordinator_until`, after which another may take over.
    A change that begins a rehearsal goes back by itself `rehearse_ms` after its publication; 0: it stays.
    `is_overridden` where an operator had it begin past a closed gate.
    """

    id: str
    target: Stage
    actor: str
    reason: str
    started_at: int
    coordinator: str
    coordinator_until: int
    rehearse_ms: int = 0
    is_overridden: bool = False


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A cutover that goes back by itself, from its publication until it is reported; any replica sees to it.

    `id` is that of the change that began it. Times are milliseconds since 1970, those that have not come are
    0. `failed_returns` counts the ways back that were aborted and are tried again.
    """

    id: str
    actor: str
    reason: str
    started_at: int
    return_at: int
    hold_there_ms: int
    returned_at: int = 0
    hold_back_ms: int = 0
    failed_returns: int = 0

    @property
    def is_over(self) -> bool:
        """True when the old primary is published again; what is left is to report."""
        return self.returned_at > 0


@dataclass(frozen=True, slots=True)
class Flag:
    """One collection's flag. `published_at` is in milliseconds since 1970; `mirrored_since` is the epoch from
    which on the mirror has been kept up without a break, 0 when there is no mirror. `rehearsal` is the one
    under way, or over and not yet reported."""

    collection: str
    epoch: int
    stage: Stage
    published_at: int
    mirrored_since: int = 0
    serial: int = 0
    change: Change | None = None
    rehearsal: Rehearsal | None = None

    @property
    def is_rehearsed(self) -> bool:
        """True while a rehearsal is to go back."""
        return self.rehearsal is not None and not self.rehearsal.is_over

    @property
    def published(self) -> Published:
        return Published(self.epoch, self.stage)

    @property
    def holds_writes(self) -> bool:
        """True while writes wait: the primary is about to change."""
        return self.change is not None and self.stage.changes_primary_to(self.change.target)

    @property
    def holds_reads(self) -> bool:
        """True while reads wait too: a replica that hears late may not go on reading the old primary while
        others already read, or acknowledge, what only the new one has (docs/decisions/0003)."""
        return self.holds_writes

    def begin(self, change: Change) -> Flag:
        """The flag with a change under way. Raises Contended if one is, Refused for a distant target."""
        if self.change is not None:
            raise Contended(f"{self.collection} is already moving to {self.change.target.value}")
        if not self.stage.can_move_to(change.target):
            raise Refused(
                f"{self.collection} cannot move from {self.stage.value} to {change.target.value}: "
                "only neighbouring stages follow each other",
                Reason.STAGE_NOT_ALLOWED,
                field="target",
            )
        if self.is_rehearsed and change.target is Stage.DYNAMO_ONLY:
            raise Refused(f"{self.collection} is being rehearsed: it goes back", Reason.STAGE_NOT_ALLOWED)
        return replace(self, change=change)

    def publish(self, stage: Stage, now: int) -> Flag:
        """The flag after `stage` was published under the next epoch; ends the running change."""
        epoch = self.epoch + 1
        since = (self.mirrored_since or epoch) if stage.mirror else 0
        return replace(
            self,
            epoch=epoch,
            stage=stage,
            published_at=now,
            mirrored_since=since,
            change=None,
            rehearsal=self._rehearsal_after(stage, now),
        )

    def _rehearsal_after(self, stage: Stage, now: int) -> Rehearsal | None:
        """What becomes of a rehearsal when `stage` is published."""
        change, rehearsal = self.change, self.rehearsal
        if change is None or stage is self.stage:
            if rehearsal is None or rehearsal.is_over:
                return rehearsal
            return replace(rehearsal, failed_returns=rehearsal.failed_returns + 1)
        held = now - change.started_at
        if rehearsal and not rehearsal.is_over:
            return replace(rehearsal, returned_at=now, hold_back_ms=held)
        if change.rehearse_ms:
            end = now + change.rehearse_ms
            return Rehearsal(change.id, change.actor, change.reason, now, end, held)
        return rehearsal


@dataclass(frozen=True, slots=True)
class Replica:
    """One proxy process in the registry. `age` is the seconds since its last heartbeat by the control store's
    clock; it is dead once `age > lease`. `seen` maps collections to the newest flag serial that it acts on;
    `held` maps collections to the change whose hold it has acknowledged; `compared` has, for each rehearsal
    under way, the outcomes of its shadow reads since then by name."""

    id: str
    address: str
    lease: float
    seen: Mapping[str, int]
    held: Mapping[str, str]
    age: float = 0.0
    compared: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def is_alive(self) -> bool:
        return self.age <= self.lease


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what, when (milliseconds since 1970) and why; `details` are plain JSON values."""

    at: int
    actor: str
    action: str
    collection: str
    reason: str
    before: str
    after: str
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Job:
    """The state of a backfill or verify, and the evidence it leaves for the gate. Times in milliseconds.

    `kind` is "backfill", "verify", "sample", "feed" or "rehearsal"; `state` is "running", "paused",
    "finished" or "failed"; `position` is an opaque checkpoint; `counts` maps outcome names to documents. Of a
    backfill or verify, `total` is about how many documents it is to look at, `done` how many it has, `rate`
    how many a second it does of late (0: not known), and `workers` how many worked at it when it was last
    saved. `population` is about how many documents there are, which in a sample are more than `total`.
    """

    collection: str
    kind: str
    state: str
    epoch: int
    started_at: int
    updated_at: int
    counts: Mapping[str, int]
    position: str = ""
    message: str = ""
    total: int = 0
    done: int = 0
    rate: float = 0.0
    workers: int = 0
    population: int = 0


@dataclass(frozen=True, slots=True)
class JobRange:
    """One part of a job that many workers share: worked at by one of them at a time, under a lease.

    `run` tells one run of a job from the next; `number` counts from 0. `position` is an opaque checkpoint and
    `counts` are the documents by outcome that it stands behind. `holder` is who worked at it last, and
    `is_held` whether its lease has not run out. `serial` rises with every change.
    """

    collection: str
    kind: str
    run: str
    number: int
    position: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    is_done: bool = False
    holder: str = ""
    is_held: bool = False
    serial: int = 0
