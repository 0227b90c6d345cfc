"""What this process has itself seen the mirror take, so that nobody need ask the mirror for it again.

Invariant: what is confirmed, a mirror held at a moment after the primary had it. An entry says nothing of
what becomes of the document afterwards: whoever looks at the document itself forgets it.
"""

from __future__ import annotations

from collections.abc import Mapping

from proxy.core.keys import Key
from proxy.core.stage import StoreName
from proxy.core.version import Record, Version

MOST = 1_000
"""Documents that are remembered; the oldest are forgotten first, and only cost a look."""

Write = tuple[Version, bytes]
"""A proxied write: the version that it made, and its op."""


def write_of(record: Record | None) -> Write | None:
    """The write that left a record; None where no proxied write did."""
    return None if record is None or record.is_legacy else (record.version, record.op)


def note_event(writes: dict[Key, Write | None], key: Key, write: Write | None) -> None:
    """One event more of a key: the last write counts, but once an event was no proxy's change (None), the key
    is to be looked at."""
    writes[key] = write if writes.get(key, write) is not None else None


def told_writes(writes: Mapping[Key, Write | None]) -> dict[Key, Write]:
    """The last writes of the keys of which every event noted was a proxy's change."""
    return {key: write for key, write in writes.items() if write is not None}


class Confirmed:
    """The last confirmed mirror write of the documents of one collection that were written of late."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._writes: dict[Key, tuple[StoreName, Write]] = {}

    def note(self, mirror: StoreName, record: Record) -> None:
        """The mirror has taken this very record."""
        writes = self._writes
        writes.pop(record.key, None)  # the newest stand last
        writes[record.key] = (mirror, (record.version, record.op))
        if len(writes) > self._most:
            del writes[next(iter(writes))]

    def holds(self, mirror: StoreName, key: Key, write: Write) -> bool:
        """Whether this write is the last that the mirror took of the document, as far as is known here."""
        return self._writes.get(key) == (mirror, write)

    def forget(self, key: Key) -> None:
        """Somebody looks at the document: whatever he finds or does counts from now on."""
        self._writes.pop(key, None)
