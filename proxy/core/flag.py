"""The cutover flag as the control store keeps it: what is published, what is changing, and who has noticed.

A flag changes only by compare-and-set on `serial`, which rises with every change of the flag. Publishing is
what raises the epoch; an aborted change publishes the old stage at the next epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from proxy.core.errors import Contended, Reason, Refused
from proxy.core.stage import Published, Stage


@dataclass(frozen=True, slots=True)
class Change:
    """A running change of stage; any replica may resume or abort it. Times are milliseconds since 1970.

    `coordinator` is the replica that drives it until `coordinator_until`, after which another may take over.
    """

    id: str
    target: Stage
    actor: str
    reason: str
    started_at: int
    coordinator: str
    coordinator_until: int


@dataclass(frozen=True, slots=True)
class Flag:
    """One collection's flag. `published_at` is in milliseconds since 1970; `mirrored_since` is the epoch from
    which on the mirror has been kept up without a break, 0 when there is no mirror."""

    collection: str
    epoch: int
    stage: Stage
    published_at: int
    mirrored_since: int = 0
    serial: int = 0
    change: Change | None = None

    @property
    def published(self) -> Published:
        return Published(self.epoch, self.stage)

    @property
    def holds_writes(self) -> bool:
        """True while writes wait: the primary is about to change."""
        return self.change is not None and self.stage.changes_primary_to(self.change.target)

    @property
    def holds_reads(self) -> bool:
        """True while reads wait too: MONGO_PRIMARY acknowledges without DynamoDB, so nobody may go on
        reading DynamoDB while others may already have been told of the new primary."""
        return self.holds_writes and self.stage is Stage.DYNAMO_PRIMARY

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
        return replace(self, change=change)

    def publish(self, stage: Stage, now: int) -> Flag:
        """The flag after `stage` was published under the next epoch; ends the running change."""
        epoch = self.epoch + 1
        since = (self.mirrored_since or epoch) if stage.mirror else 0
        return replace(self, epoch=epoch, stage=stage, published_at=now, mirrored_since=since, change=None)


@dataclass(frozen=True, slots=True)
class Replica:
    """One proxy process in the registry. `age` is the seconds since its last heartbeat by the control store's
    clock; it is dead once `age > lease`. `seen` maps collections to the newest flag serial that it acts on;
    `held` maps collections to the change whose hold it has acknowledged."""

    id: str
    address: str
    lease: float
    seen: Mapping[str, int]
    held: Mapping[str, str]
    age: float = 0.0

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

    `kind` is "backfill" or "verify"; `state` is "running", "finished" or "failed"; `position` is an opaque
    checkpoint; `counts` maps outcome names to documents.
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
