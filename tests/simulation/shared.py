"""What all replicas of a simulated world share: two tables, their feeds, the flags; each checks itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from proxy.core.collection import Collection
from proxy.core.document import Document
from proxy.core.flag import Flag
from proxy.core.keys import Key
from proxy.core.ports import Clock, DivergenceLog
from proxy.core.stage import StoreName
from proxy.core.version import LEGACY, Record
from proxy.stores.memory.control import MemoryControl
from proxy.stores.memory.feed import MemoryFeed
from proxy.stores.memory.store import MemoryTable
from tests.simulation.chronicle import Chronicle


def virtual_now() -> int:
    """Milliseconds since 1970, by the clock that is never off."""
    return int(asyncio.get_running_loop().time() * 1000)


def show(record: Record | None) -> str:
    """A record in a few words."""
    if record is None:
        return "nothing"
    version = f"{record.version.epoch}.{record.version.revision} {record.op.hex()[:4]}"
    if record.document is None:
        return f"tombstone {version}"
    shown = ("n", "items", "owner")
    return f"{ {name: value for name, value in record.document.fields.items() if name in shown} } {version}"


class SimulatedClock:
    """Virtual wall time, seeded dice; every replica's clock is off by a constant number of seconds."""

    def __init__(self, rng: Random, skew: float) -> None:
        self._rng = rng
        self._skew = skew

    def now(self) -> int:
        return int((asyncio.get_running_loop().time() + self._skew) * 1000)

    def random(self) -> float:
        return self._rng.random()

    def new_op(self) -> bytes:
        return self._rng.randbytes(16)


class SharedTable(MemoryTable):
    """Has its writes chronicled; takes writes that bypass the proxy, as MongoDB does."""

    def __init__(self, name: str, chronicle: Chronicle, trace: Callable[[str], None]) -> None:
        super().__init__()
        self.oldest = 0
        self._name = name
        self._chronicle = chronicle
        self._trace = trace

    def put(self, key: Key, record: Record | None) -> None:
        self._chronicle.stored(self._name, self.records.get(key), record)
        self._store(key, record)

    def bypass(self, key: Key, document: Document | None, keeps_version: bool) -> bool:
        """What a service without the proxy does: insert or replace (no version), `$set` (the version stays
        as it was), or delete. False when the fence or a tombstone is in the way."""
        known = self.records.get(key)
        if document is None:
            self._store(key, None)
            return True
        if known is not None and known.is_tombstone:
            return False  # a duplicate key
        if known is None or not keeps_version:
            written = Record(key, LEGACY, b"", (), document)
        else:
            written = replace(known, document=document)
        if written.version.epoch < self.fence:
            return False
        self._store(key, written)
        return True

    def _store(self, key: Key, record: Record | None) -> None:
        self._trace(f"{self._name} {key.values[-1]} := {show(record)}")
        super().put(key, record)

    def forget_events(self) -> None:
        """Drop the feed's past, as an oplog that rolls over does."""
        self.oldest = len(self.events)


class SharedFeed(MemoryFeed):
    """A feed that loses what its table forgot, in whichever replica it is followed."""

    def __init__(self, table: SharedTable, clock: Clock) -> None:
        super().__init__(table, clock)
        self._shared = table

    @property
    def oldest(self) -> int:
        return self._shared.oldest

    @oldest.setter
    def oldest(self, event: int) -> None:
        """Only the table knows."""


Tables = Mapping[StoreName, SharedTable]


class SharedControl(MemoryControl):
    """Has its flags chronicled; tells when the last change began or ended."""

    def __init__(self, tables: Tables, chronicle: Chronicle, trace: Callable[[str], None]) -> None:
        super().__init__(virtual_now)
        self._trace = trace
        self._tables = tables
        self._chronicle = chronicle
        self.changed_at = 0.0

    def peek(self, collection: str) -> Flag:
        return self._flags[collection]

    async def create(self, flag: Flag) -> Flag:
        created = await super().create(flag)
        self._note(created)
        return created

    async def swap(self, old: Flag, new: Flag) -> Flag | None:
        stored = await super().swap(old, new)
        if stored is not None:
            self.changed_at = asyncio.get_running_loop().time()
            self._note(stored)
            change = f", changing to {stored.change.target.value}" if stored.change else ""
            self._trace(f"FLAG {stored.epoch} {stored.stage.value}{change}")
        return stored

    def _note(self, flag: Flag) -> None:
        primary = self._tables[flag.stage.primary].records
        self._chronicle.published(flag, self._tables[StoreName.MONGODB].fence, primary)


@dataclass(frozen=True, slots=True)
class Shared:
    """All of it."""

    collection: Collection
    tables: Tables
    control: SharedControl
    divergences: DivergenceLog
    chronicle: Chronicle
