"""What passes through the ports: results, pages, batches and questions, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from proxy.core.confirmed import Write
from proxy.core.keys import Key
from proxy.core.query import Position
from proxy.core.version import Record


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
    """The status, and what the mirror holds (the given record when APPLIED; may be None if unknown).

    `units` is the write capacity that it took; 0 where nobody asked, or the store does not tell.
    """

    status: ApplyStatus
    existing: Record | None = None
    units: float = 0.0


@dataclass(frozen=True, slots=True)
class Segment:
    """One of `total` disjoint parts of a collection that together are all of it."""

    index: int = 0
    total: int = 1


@dataclass(frozen=True, slots=True)
class DivergenceQuery:
    """Which divergences to list, newest `last_seen` first; empty strings mean any.

    `is_unclosed` leaves out those that are closed, `since` those that were not seen since (milliseconds).
    """

    collection: str = ""
    kind: str = ""
    state: str = ""
    limit: int = 100
    before: tuple[int, str] | None = None  # (last_seen, id) of the row before the page
    is_unclosed: bool = False
    since: int = 0


@dataclass(frozen=True, slots=True)
class FeedBatch:
    """Consecutive events of a store's change feed, reduced to what the reconciler needs.

    `keys` are the documents touched, each once; `position` resumes right after the batch; `markers` are the
    marks passed within it (see `Feed.mark`); `committed_at` is when its newest event was committed, in
    milliseconds since 1970 by the store's clock (0 for an empty batch, which only moves the position). A feed
    that is at its end gives an empty batch about every second, so that silence means trouble. `blind` counts
    events that name no document: a hard delete whose pre-image is gone, or a document without a valid key.
    `buried` are the keys whose last event left a tombstone: a proxy deleted them, and it may be gone by now.
    `written` has the last write of those keys whose every event in the batch was a proxy's change of a
    document that was there, each above the one before; a feed that cannot tell leaves it empty.
    """

    keys: tuple[Key, ...]
    position: str
    markers: frozenset[str]
    committed_at: int
    blind: int = 0
    buried: frozenset[Key] = frozenset()
    written: Mapping[Key, Write] = field(default_factory=dict)


class FeedLost(Exception):
    """The position is older than what the feed still holds: some events can no longer be had."""
