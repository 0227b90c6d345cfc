"""The clients of a soak: those of `tests.faults`, lists and stored data too, on documents that do not grow.

Registers and journals are taken out of use once they were called often enough, and followed by others: what a
call costs must not depend on how long the soak has lasted.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

from crossfade import Outcome, ReturnDocument
from examples.demo.ledger import Journal, Tally
from examples.webtasks import TaskName
from tests.faults.site import JOBS, TASKS, Site
from tests.faults.traffic import JOURNALS, REGISTERS, Traffic

STORAGE = "webtask_storage"
COLLECTIONS = (TASKS, STORAGE, JOBS)
"""One for each kind of work of the example: webtasks, their storage, scheduled jobs."""

CALLS_OF_REGISTER, TOKENS_OF_JOURNAL = 300, 150
STORED, LISTED = 6, 20


class Clients(Traffic):
    """All clients of one soak; `done` counts the calls that were answered, by what they do."""

    def __init__(self, site: Site, *, pace: float, seed: int = 7) -> None:
        super().__init__(site, pace=pace, seed=seed)
        self.done: Counter[str] = Counter()
        self._storage = self._client[STORAGE]
        self._versions: dict[str, int] = {}
        self._calls: Counter[int] = Counter()
        self._journals = [f"journal-{number}" for number in range(JOURNALS)]

    async def prepare(self) -> None:
        await super().prepare()
        for number in range(LISTED):
            key = {**self.key(f"task-{number:03}"), "webtask_container": "listed"}
            await self._tasks.insert_one({**key, "code": "x" * 200})

    def trades(self) -> list[Any]:
        return [*super().trades(), *[self._store] * 2, *[self._list] * 2]

    def registers(self) -> list[str]:
        """All that ever were in use."""
        last = {number: self._calls[number] // CALLS_OF_REGISTER for number in range(REGISTERS)}
        return [f"register-{number}-{turn}" for number in last for turn in range(last[number] + 1)]

    def pick_register(self) -> str:
        number = self._chance.randrange(REGISTERS)
        self._calls[number] += 1
        return f"register-{number}-{self._calls[number] // CALLS_OF_REGISTER}"

    async def pick_journal(self) -> str:
        number = self._chance.randrange(JOURNALS)
        journal = self.books.ledger.entries[self._name(self._journals[number])]
        assert isinstance(journal, Journal)
        if len(journal.acknowledged) >= TOKENS_OF_JOURNAL:
            await self._begin_journal(number)
        return self._journals[number]

    async def _begin_journal(self, number: int) -> None:
        """Go on in a new one, if it is certain that it exists."""
        name = f"journal-{number}-{next(self._numbers)}"
        insert = self._tasks.insert_one({**self.key(name), "tokens": []})
        outcome, _ = await self._timed(insert, is_write=True)
        if outcome is Outcome.APPLIED:
            self.books.ledger.entries[self._name(name)] = Journal(("tokens",), exists=True)
            self._journals[number] = name

    async def _store(self) -> None:
        """Find and update over the version that was read, as webtasks keep their data."""
        name = f"stored-{self._chance.randrange(STORED)}"
        key = TaskName(self.deployment, "hot", name).key
        tally = self.books.ledger.tally((STORAGE, *key.values()), "version", 0)
        known = self._versions.get(name, -1)
        change = {"$set": {"data": uuid.uuid4().hex * 10}, "$inc": {"version": 1}}
        if known < 0:
            call: Any = self._storage.find_one_and_update(
                key, change, upsert=True, return_document=ReturnDocument.AFTER
            )
        else:
            over = {**key, "version": known}
            call = self._storage.find_one_and_update(over, change, return_document=ReturnDocument.AFTER)
        outcome, stored = await self._timed(call, is_write=True)
        self._note_stored(name, tally, outcome, stored)

    def _note_stored(self, name: str, tally: Tally, outcome: Outcome, stored: Any) -> None:
        """Another client may have been quicker, which is no write; what is not known is read from then on."""
        self._versions[name] = stored["version"] if stored else -1
        if outcome is Outcome.APPLIED and stored:
            tally.acknowledged += 1
            self.done["finds and updates"] += 1
        elif outcome is Outcome.UNKNOWN:
            tally.unknown += 1

    async def _list(self) -> None:
        """A page of a container, or the first jobs of the queue, as they are due."""
        if self._chance.random() < 0.7:
            where = {"deployment_key": self.deployment, "webtask_container": "listed"}
            call = self._tasks.find_page(where, page_size=LISTED)
        else:
            due = {"deployment_key": self.deployment, "next_available_at": {"$gte": 0}}
            call = self._client[JOBS].find_page(due, sort=[("next_available_at", 1)], page_size=LISTED)
        outcome, _ = await self._timed(call, is_write=False)
        self.done["lists"] += outcome is Outcome.APPLIED
