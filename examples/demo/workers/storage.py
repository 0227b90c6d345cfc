"""Workers on webtask storage: many write to the same documents, each over the version that it has read."""

from __future__ import annotations

from crossfade import Outcome
from examples.demo.data import HOT_STORAGE, hot_storage
from examples.demo.ledger import Journal
from examples.demo.workers.desk import Desk
from examples.webtask_storage import StorageConflict, WebtaskStorage
from examples.webtasks import TaskName


class StorageWriter:
    """Reads a shared document, adds its token, and writes it back unless somebody was faster."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = WebtaskStorage(desk.client)

    async def step(self) -> None:
        name = hot_storage(self._desk.chance.randrange(2 * HOT_STORAGE))
        journal = self._journal(name)
        entries, version = await self._read(name, journal)
        token = next(self._desk.tokens)
        write = self._store.write(name, {"entries": [*entries, token]}, version)
        try:
            outcome, _ = await self._desk.write("webtask_storage", write)
        except StorageConflict:
            return
        if outcome is Outcome.UNKNOWN:
            journal.unknown += 1
        elif outcome is Outcome.APPLIED:
            journal.acknowledged.append(token)
            self._desk.ledger.remember("webtask_storage")

    async def _read(self, name: TaskName, journal: Journal) -> tuple[list[str], int]:
        before = set(journal.acknowledged)
        data, version = await self._desk.read("webtask_storage", self._store.read(name))
        entries: list[str] = data["entries"] if data else []
        if missing := before.difference(entries):
            self._desk.complain(f"{name} was read without {sorted(missing)}")
        return entries, version

    def _journal(self, name: TaskName) -> Journal:
        key = ("webtask_storage", *name.key.values())
        entry = self._desk.ledger.entries.setdefault(key, Journal(("data", "entries")))
        assert isinstance(entry, Journal)
        return entry
