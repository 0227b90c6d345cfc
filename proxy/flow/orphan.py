"""A write that a primary of the past stored and nobody acknowledged: the primary was changing, or the replica
died that had it in hand, and its client repeats it while the primary changes.

What is promised: it is decided again only where it is certain that it did not come along, so that no write is
applied twice. A document remembers its last `RING` ops: where more writes than that may have followed, nobody
can tell, and the caller is told so (UNKNOWN).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from proxy.core.errors import CrossfadeError, Outcome, Reason, Unavailable
from proxy.core.keys import Key
from proxy.core.ports import CollectionStore
from proxy.core.stage import StoreName
from proxy.core.version import RING, Record, Stamp
from proxy.core.write import WriteResult

Decide = Callable[[CollectionStore, Stamp], Awaitable[WriteResult]]


@dataclass(frozen=True, slots=True)
class Orphan:
    """The record as it was stored, or found, and by which store.

    With `is_drained` it is certain that the next primary gets it: MongoDB had committed it before its fence
    rose, and whatever stands there by then is brought over.
    """

    record: Record
    store: StoreName
    is_drained: bool = False


async def met_before(store: CollectionStore, key: Key, op: bytes) -> Orphan | None:
    """The write that `op` names, if it is one of the last of the document; asked while writes are held.

    By the time they are not, more of those that wait may be decided than a document remembers.
    """
    try:
        [held] = await store.get([key])
    except CrossfadeError:  # whoever decides the write asks again
        return None
    if held is None or not held.holds_op(op):
        return None
    return Orphan(held, store.store, is_drained=store.store is StoreName.MONGODB)


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
        if orphan.is_drained and held is not None:
            return WriteResult(matched=True, after=held, repeated=True)
        if store.store is orphan.store:  # it is still the primary: others have written after it
            return WriteResult(matched=True, after=stored, repeated=True)
        if held is not None and held.version.revision >= stored.version.revision + _remembered(stored, op):
            raise unconfirmed(op)
        return await decide(store, stamp)

    return decide_once


def _remembered(stored: Record, op: bytes) -> int:
    """By how many more writes the document forgets the op; 0 where it has forgotten it already."""
    if op not in stored.ops:
        return 0
    younger = len(stored.ops) - 1 - stored.ops.index(op)
    return RING - younger


def unconfirmed(op: bytes) -> Unavailable:
    return Unavailable(
        "the primary changed during this write; it is not acknowledged and may still take effect",
        Reason.MIRROR_UNCONFIRMED,
        outcome=Outcome.UNKNOWN,
        op=op,
    )
