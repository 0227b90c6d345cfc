"""What the inside asks of the outside: the Protocols that adapters satisfy without inheriting anything.

Every method may raise the errors of `core.errors` and nothing else. Cancelling a call (a deadline) leaves a
write's outcome unknown; all writes are conditional, so any of them may be repeated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from proxy.core.confirmed import Write
from proxy.core.divergence import Divergence
from proxy.core.document import Document
from proxy.core.exchange import ApplyResult, DivergenceQuery, FeedBatch, Page, Segment
from proxy.core.flag import AuditEntry, Flag, Job, JobRange, Replica
from proxy.core.keys import Key
from proxy.core.life import Event, State
from proxy.core.query import PageRequest, Plan
from proxy.core.reading import Read
from proxy.core.stage import Published, StoreName
from proxy.core.update import Update
from proxy.core.version import Record, Stamp
from proxy.core.write import Command, WriteResult


class CollectionStore(Protocol):
    """One collection in one store."""

    store: StoreName

    async def prepare(self) -> tuple[str, ...]:
        """Create what is missing (table, indexes, TTL), idempotently; says what it did, a line each."""
        ...

    async def get(self, keys: Sequence[Key]) -> list[Record | None]:
        """The records, tombstones included, one per key in the order given; the newest acknowledged state."""
        ...

    async def versions(self, keys: Sequence[Key]) -> list[Write | None]:
        """What was written last under the keys, in their order: version and op, tombstones included; None
        where there is nothing, or what nobody gave a version. Reads what `get` reads, and decodes less."""
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

    async def apply(self, record: Record, *, is_metered: bool = False) -> ApplyResult:
        """Take a whole record as mirror, only over an older version or none: any order, any number of times.

        With `is_metered` it asks what that took, where the store can tell; those who do not want to know are
        answered sooner. Raises Fenced when the store refuses the record's epoch, and holds neither the record
        nor a newer one.
        """
        ...

    async def restamp(self, record: Record, stamp: Stamp, floor: int) -> Record | None:
        """Give an unchanged record a new version, its revision above `floor`, by compare-and-set.

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
        """True when no result of the update on a document of at most half the limit can break a limit."""
        ...


class Control(Protocol):
    """Where flags, replicas, jobs and the audit trail are kept; every write is durable (majority)."""

    async def prepare(self) -> None:
        """Create what is missing, idempotently."""
        ...

    async def create(self, flag: Flag) -> Flag:
        """Store the flag if its collection has none; the flag that is there now."""
        ...

    async def flags(self) -> list[Flag]:
        """All flags, linearizably read."""
        ...

    async def flag(self, collection: str) -> Flag:
        """One flag, linearizably read. Raises NotFound (UNKNOWN_COLLECTION)."""
        ...

    async def swap(self, old: Flag, new: Flag) -> Flag | None:
        """Replace `old` by `new` under the next serial, if its serial is still the stored one; else None.

        On an unknown outcome it reads back and tells what is true.
        """
        ...

    def watch(self) -> AsyncIterator[Flag]:
        """Every flag as it changes, within milliseconds; goes on after lost connections; never ends."""
        ...

    async def beat(self, replica: Replica) -> None:
        """Register the replica or renew its heartbeat (`age` is ignored)."""
        ...

    async def acknowledge(self, replica: Replica) -> None:
        """Tell what a registered replica has seen and holds, quickly, and without renewing its heartbeat.

        It may be forgotten when the store loses its own primary: the next `beat` tells it again.
        """
        ...

    async def retire(self, replica_id: str) -> None:
        """Take a replica that shuts down from the registry."""
        ...

    async def replicas(self) -> list[Replica]:
        """Every registered replica with the age of its heartbeat by the store's own clock."""
        ...

    async def now(self) -> int:
        """The control store's clock, milliseconds since 1970."""
        ...

    async def record_audit(self, entry: AuditEntry) -> None: ...

    async def audit(self, collection: str, limit: int, until: int | None = None) -> list[AuditEntry]:
        """The newest entries first, those of `until` (milliseconds) and before; all collections for an
        empty name. Entries of the same moment keep their order."""
        ...

    async def save_job(self, job: Job) -> None: ...

    async def job(self, collection: str, kind: str) -> Job | None: ...

    async def swap_job(self, old: Job, new: Job) -> bool:
        """Replace `old` by `new` if the stored job still has its state, position and `updated_at`."""
        ...

    async def running_jobs(self) -> list[Job]:
        """Every job whose state is "running"."""
        ...

    async def lay_out(self, collection: str, kind: str, run: str, total: int) -> None:
        """Make the ranges 0 to `total - 1` of a run, and forget those of runs before; idempotent."""
        ...

    async def claim_range(
        self, collection: str, kind: str, run: str, holder: str, seconds: float
    ) -> JobRange | None:
        """A range that is not done and that nobody holds, from now on held by `holder` under a lease by the
        store's own clock; None where there is none."""
        ...

    async def save_range(self, saved: JobRange, seconds: float) -> JobRange | None:
        """Keep a held range as it stands and renew its lease (0 seconds: give it up); as it is stored.

        None, and nothing is kept, where the stored serial is another: somebody else has taken it over.
        """
        ...

    async def ranges(self, collection: str, kind: str, run: str) -> list[JobRange]:
        """All ranges of a run, by number; none where the run is forgotten."""
        ...

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease by the store's own clock; False while somebody else holds it."""
        ...

    async def release_lease(self, name: str, holder: str) -> None:
        """Give a lease up early; harmless when it is not held."""
        ...


class Finals(Protocol):
    """Where the flags of collections in DYNAMO_ONLY are kept, beyond MongoDB's life."""

    async def record(self, flag: Flag) -> None:
        """Keep a DYNAMO_ONLY flag; idempotent."""
        ...

    async def flags(self) -> list[Flag]:
        """Every flag kept."""
        ...


class Fence(Protocol):
    """What makes MongoDB itself refuse writes of older epochs to one collection."""

    async def raise_to(self, epoch: int) -> None:
        """From its return on no write of an older epoch can enter. Never lowers; repeating is harmless."""
        ...

    async def current(self) -> int:
        """The epoch that the fence demands; 0 when there is none."""
        ...

    async def lift(self) -> None:
        """Take the fence away and restore the user's own validator."""
        ...


class DivergenceLog(Protocol):
    """Where every replica's divergences are kept in one place."""

    async def prepare(self) -> None:
        """Create what is missing, idempotently."""
        ...

    async def record(self, divergence: Divergence) -> None:
        """Add it, or count it again where its id is known (the first look is kept): it is open again."""
        ...

    async def list(self, query: DivergenceQuery) -> list[Divergence]: ...

    async def get(self, ids: Sequence[str]) -> dict[str, Divergence]:
        """Those of these ids that there are."""
        ...

    async def counts(self, collection: str, state: str = "") -> dict[str, int]:
        """How many there are by kind, in one state; those that are not closed if none is named."""
        ...

    async def move(self, divergence_id: str, event: Event, who: str, evidence: str) -> State | None:
        """Let a life go on (`core.life.follow`) by compare-and-set, and remember the step if it changed.

        The new state; None where there is no such divergence, or the event has no place in its state.
        """
        ...

    async def close(self, divergence_id: str, evidence: str) -> bool:
        """Mark one as closed, with the reason; False when there is no such unclosed divergence."""
        ...


class Signals(Protocol):
    """Where counts, durations and spans go; never raises, never waits."""

    @property
    def is_heard(self) -> bool:
        """Whether anybody gets them; what costs something is not even gathered otherwise."""
        ...

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        """Count so many; 0 makes a counter, or a duration, known before there is anything to count."""
        ...

    def time(self, name: str, seconds: float, **attributes: str) -> None: ...

    def span(self, name: str, **attributes: str) -> AbstractContextManager[None]:
        """A span around a step of a request, child of whatever span is current."""
        ...

    def trace_id(self) -> str:
        """The current trace's id in hex, or an empty string."""
        ...

    def here(self) -> object:
        """Where in its trace the caller is, to `resume` there once the call is answered."""
        ...

    def resume(self, where: object) -> AbstractContextManager[None]:
        """Spans inside go on from there."""
        ...

    def watch(self, read: Read) -> None:
        """Ask for readings whenever somebody wants the gauges; from another thread."""
        ...


class Feed(Protocol):
    """One store's own change feed of one collection: the durable log of everything written to it."""

    async def tip(self) -> str:
        """The position from which everything that is written after this call is seen."""
        ...

    def follow(self, position: str) -> AsyncIterator[FeedBatch]:
        """Batches after a position, for ever, in commit order per key; survives lost connections.

        Raises FeedLost at once, or later, when the position is no longer held.
        """
        ...

    async def mark(self) -> str:
        """Mark this moment: the batch whose `markers` hold the returned name, or one before it, has every
        event that was committed before this call."""
        ...


class Door(Protocol):
    """What one replica knows of a collection's flag, and the door that writes pass while none is changing."""

    @property
    def published(self) -> Published:
        """The newest published stage this replica knows of."""
        ...

    @property
    def mirrored_since(self) -> int:
        """The epoch from which on the mirror has been kept up without a break; 0 when there is no mirror."""
        ...

    @property
    def is_holding(self) -> bool:
        """Whether writes wait for a change of the primary, as far as this replica knows."""
        ...

    async def enter_write(self) -> Published:
        """Wait while writes are held, count the caller as in flight, and say what is published.

        Raises Unavailable (HELD, NOT_APPLIED) after five seconds. Every return is followed by `leave_write`.
        """
        ...

    def leave_write(self) -> None: ...

    async def enter_read(self) -> Published:
        """Wait while reads are held. Raises Unavailable when this replica's view may be out of date."""
        ...

    def confirms(self, published: Published) -> bool:
        """Whether what was read under `published` up to now was read from the primary; if not, read again.

        Raises Unavailable when this replica's view may be out of date.
        """
        ...

    async def learn_beyond(self, epoch: int) -> None:
        """Wait until a newer epoch than this is known. Raises Unavailable (FENCED) when it does not come."""
        ...


class Clock(Protocol):
    """Wall time and randomness, so that a simulation can replace both."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        ...

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def new_op(self) -> bytes:
        """Sixteen fresh random bytes."""
        ...
