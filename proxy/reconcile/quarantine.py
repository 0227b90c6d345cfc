"""Remembers the documents that the mirror cannot hold, so that the primary is not restamped for them again.

Bounded: the oldest entries are forgotten, which costs one more attempt each.
"""

from __future__ import annotations

from collections import OrderedDict

from proxy.core.keys import Key
from proxy.core.version import Record, Version

CAPACITY = 10_000

_Print = tuple[Version, bytes, int]


class Quarantine:
    """Keys with the very record that was refused: another version or another content is another attempt."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._prints: OrderedDict[Key, _Print] = OrderedDict()

    def __len__(self) -> int:
        return len(self._prints)

    def __contains__(self, key: object) -> bool:
        return key in self._prints

    def add(self, record: Record | None) -> None:
        """Remember a refused record; None is not remembered."""
        if record is None:
            return
        self._prints[record.key] = _print(record)
        self._prints.move_to_end(record.key)
        if len(self._prints) > self._capacity:
            self._prints.popitem(last=False)

    def holds(self, record: Record) -> bool:
        """True when this very record was refused."""
        return self._prints.get(record.key) == _print(record)

    def discard(self, key: Key) -> bool:
        """Forget a key that is well again; True when it was here."""
        return self._prints.pop(key, None) is not None


def _print(record: Record) -> _Print:
    return record.version, record.op, hash(record.document)
