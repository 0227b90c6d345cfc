"""What the inside asks of the outside: the Protocols that adapters satisfy without inheriting anything.

Every method may raise the errors of `core.errors` and nothing else. Cancelling a call (a deadline) leaves a write's
outcome unknown; all writes are conditional, so any of them may be repeated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from proxy.core.document import Document
from proxy.core.keys import Key
from proxy.core.query import PageRequest, Plan, Position
from proxy.core.stage import StoreName
from proxy.core.update import Update
from proxy.core.version import Record, Stamp
from proxy.core.write import Command, WriteResult


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in plan order (live documents only), and where to go on (None: no more rows)."""

    records: tuple[Record, ...]
    next: Position | None


class ApplyStatus(Enum):
    """What a mirror write found."""

    APPLIED = "applied"
    ALREADY_THERE = "already_there"  # same version, same op
    NEWER = "newer"  # the mirror holds a newer version
    CONFLICT = "conflict"  # the same version from another op: the reconciler re-stamps


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """The status, and what the mirror holds (the given record when APPLIED; may be None if unknown)."""

    status: ApplyStatus
    existing: Record | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One of `total` disjoint parts of a collection that together are all of it."""

    index: int = 0
    total: int = 1


class CollectionStore(Protocol):
    """One collection in one store."""

    store: StoreName

    async def prepare(self) -> tuple[str, ...]:
        """Create what is missing (table, indexes, TTL), idempotently; says what it did, a line each."""
        ...

    async def get(self, keys: Sequence[Key]) -> list[Record | None]:
        """The records, tombstones included, one per key in the order given; the newest acknowledged state."""
        ...

    async def find(self, plan: Plan, page: PageRequest) -> Page:
        """One page of the live documents that a plan selects."""
        ...

    async def count(self, plan: Plan, scan_budget: int) -> int:
        """How many live documents a plan selects. Refused beyond the budget."""
        ...

    async def write(self, command: Command, stamp: Stamp) -> WriteResult:
        """Decide and apply one write as primary, atomically, repeating an op at most reports it.

        Raises Fenced when the document or the store has seen a newer epoch than the stamp's.
        """
        ...

    async def write_first(self, plan: Plan, update: Update, stamp: Stamp) -> WriteResult:
        """Atomically update the first document of the plan's order: exclusive among all callers.

        A store may pick among the first few to avoid herding. `before` is always given. matched=False
        when no document qualifies.
        """
        ...

    async def apply(self, record: Record) -> ApplyResult:
        """Take a whole record as mirror, only over an older version or none: any order, any number of times.

        Raises Fenced when the store refuses the record's epoch.
        """
        ...

    async def restamp(self, record: Record, stamp: Stamp, floor: int) -> Record | None:
        """Give an unchanged document (or tombstone) a new version with a revision above `floor`, by compare-and-set.

        `record` is what was read; None when it is no longer what the store holds.
        """
        ...

    async def purge(self, tombstone: Record) -> bool:
        """Remove this very tombstone for good; False when it is no longer there."""
        ...

    def scan(self, segment: Segment, after: Key | None = None) -> AsyncIterator[Record]:
        """Every record of a segment, tombstones included, in an order that `after` resumes."""
        ...

    async def estimate(self) -> int:
        """About how many documents there are; cheap, maybe stale."""
        ...


class Limits(Protocol):
    """Whether DynamoDB can hold a document, asked before the primary is written."""

    def check(self, key: Key, document: Document) -> None:
        """Raises BadRequest naming the field: size, depth, key length or the type of an index field."""
        ...

    def admits(self, update: Update) -> bool:
        """True when no result of the update on a document of at most half the size limit can break a limit."""
        ...
