"""A write that a primary of the past stored and nobody acknowledged, because the primary was changing.

What is promised: it is decided again only where it is certain that it did not come along, so that no write is
applied twice. A document remembers its last `RING` ops: where more writes than that may have followed, nobody
can tell, and the caller is told so (UNKNOWN).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from proxy.core.errors import Outcome, Reason, Unavailable
from proxy.core.ports import CollectionStore
from proxy.core.stage import StoreName
from proxy.core.version import RING, Record, Stamp
from proxy.core.write import WriteResult

Decide = Callable[[CollectionStore, Stamp], Awaitable[WriteResult]]


@dataclass(frozen=True, slots=True)
class Orphan:
    """The record as it was stored, and by which store."""

    record: Record
    store: StoreName


def once(orphan: Orphan | None, op: bytes, decide: Decide) -> Decide:
    """`decide`, but as a repeat where the orphan is known to be part of what the primary holds.

    A reservation that was decided anew would take another document, so this looks at the same one. Raises
    Unavailable (MIRROR_UNCONFIRMED, UNKNOWN) where nobody can tell.
    """
    if orphan is None:
        return decide
    stored = orphan.record

    async def decide_once(store: CollectionStore, stamp: Stamp) -> WriteResult:
        [held] = await store.get([stored.key])
        if held is not None and held.holds_op(op):
            return WriteResult(matched=True, after=held, repeated=True)
        if store.store is orphan.store:  # it is still the primary: others have written after it
            return WriteResult(matched=True, after=stored, repeated=True)
        if held is not None and held.version.revision >= stored.version.revision + RING:
            raise unconfirmed(op)
        return await decide(store, stamp)

    return decide_once


def unconfirmed(op: bytes) -> Unavailable:
    return Unavailable(
        "the primary changed during this write; it is not acknowledged and may still take effect",
        Reason.MIRROR_UNCONFIRMED,
        outcome=Outcome.UNKNOWN,
        op=op,
    )
