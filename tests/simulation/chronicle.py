"""Watches what may never happen, at the moment when it would: epochs, fences, and acknowledged writes.

It sees past every link: what the tables hold, which flag is published, and what clients were told.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from proxy.core.flag import Flag
from proxy.core.keys import Key
from proxy.core.stage import Stage, StoreName
from proxy.core.version import LEGACY, Record, Version
from tests.simulation.promises import Complaint, Promise

Records = Mapping[Key, Record]


class Chronicle:
    """Of one world. `elsewhere_written` are keys that are written past the proxy too: of those, an
    acknowledged write may be gone."""

    def __init__(self, elsewhere_written: Set[Key] = frozenset()) -> None:
        self.complaints: list[Complaint] = []
        self._elsewhere_written = elsewhere_written
        self._stages: dict[int, Stage] = {}
        self._acknowledged: dict[Key, Record] = {}
        self._buried: dict[Key, Version] = {}  # the newest tombstone that there ever was

    def complain(self, promise: Promise, sentence: str) -> None:
        self.complaints.append(Complaint(promise, sentence))

    def published(self, flag: Flag, fence: int, primary: Records) -> None:
        """A flag as it is stored from now on, with MongoDB's fence and what the primary it names holds."""
        known = self._stages.setdefault(flag.epoch, flag.stage)
        if known is not flag.stage:
            self._mistake(f"epoch {flag.epoch} is {known.value} and {flag.stage.value}")
        if flag.epoch < max(self._stages):
            self._mistake(f"epoch {flag.epoch} came after {max(self._stages)}")
        before = self._stages.get(flag.epoch - 1)
        if before and before.changes_primary_to(flag.stage) and fence < flag.epoch:
            self.complain(Promise.FENCE, f"epoch {flag.epoch} over a fence of {fence}")
        for record in self._acknowledged.values():
            self._look_for(record, primary)

    def decided(self, epoch: int, store: StoreName) -> None:
        """A store gave a document a new version of this epoch."""
        stage = self._stages.get(epoch)
        if stage is None or stage.primary is not store:
            named = "not published" if stage is None else stage.value
            self._mistake(f"{store.value} decided under epoch {epoch}, which is {named}")

    def stored(self, store: str, known: Record | None, record: Record | None) -> None:
        """A proxy's write is about to replace what is known."""
        if known and record and record.version.epoch < known.version.epoch:
            where = f"{store} {record.key.values[-1]}"
            self.complain(Promise.DOCUMENT, f"{where} fell from {known.version} to {record.version}")
        if record and known is None and store == StoreName.MONGODB.value:
            self._born_again(record)
        if record and record.is_tombstone:
            self._buried[record.key] = max(record.version, self._buried.get(record.key, LEGACY))

    def _born_again(self, record: Record) -> None:
        """Where MongoDB has let go of a tombstone, a replica that has not heard of the newest epoch, but has
        the same primary, inserts below it: that is what is there after the delete, and newer than it."""
        buried, known = self._buried.get(record.key, LEGACY), self._acknowledged.get(record.key)
        if known is not None and record.version < known.version <= buried:
            del self._acknowledged[record.key]

    def acknowledged(self, record: Record, primary: Records) -> None:
        """A client was told that this was stored, while the published primary holds `primary`."""
        if record.key in self._elsewhere_written:
            return
        known = self._acknowledged.get(record.key)
        if known is None or known.version < record.version:
            self._acknowledged[record.key] = record
        self._look_for(record, primary)

    def _look_for(self, record: Record, primary: Records) -> None:
        """The write is there, or what was built on it; nothing at all may be left after a delete."""
        held = primary.get(record.key)
        last = self._buried.get(record.key, LEGACY) if held is None else held.version
        if last < record.version:
            shown = held.version if held else "nothing"
            name = record.key.values[-1]
            self.complain(Promise.ACKNOWLEDGED, f"{name} {record.version} was acknowledged; there is {shown}")

    def _mistake(self, sentence: str) -> None:
        self.complain(Promise.EPOCH, sentence)
