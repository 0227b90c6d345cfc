"""Services that were not moved to the proxy yet: they write to MongoDB directly, and know of no versions.

What MongoDB acknowledged to them up to the fence must be in both stores; afterwards it refuses them. Only
hard deletes, and updates of what was written since, pass a fence: they end with `keep_apart`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from typing import Any, Self

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure
from pymongo.write_concern import WriteConcern

from examples.demo.ledger import Journal, Ledger, State
from tests.faults.site import TASKS, Site
from tests.faults.verdict import Evidence
from tests.fixtures.waiting import until

_REFUSED = 121
_PACE = 0.03
_PATIENCE = 240.0


class Bypass:
    """One such service, at work within `async with`; puts into the ledger what it was promised."""

    def __init__(
        self, site: Site, ledger: Ledger, deployment: str, seed: int = 3, pace: float = _PACE
    ) -> None:
        collection = site.collection(TASKS)
        self.done: Counter[str] = Counter()
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(site.stack.stores.mongodb.address)
        self._documents = self._client[collection.mongo_database].get_collection(
            collection.mongo_collection, write_concern=WriteConcern("majority")
        )
        self._ledger = ledger
        self._deployment = deployment
        self._pace = pace
        self._chance = random.Random(seed)
        self._numbers = itertools.count(1)
        self._own: list[str] = []
        self._is_apart = False
        self._epoch = 0  # the newest that its documents had before it was kept apart
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the write in hand end. Raises what went wrong but refusals."""
        assert self._task is not None
        async with self._turn:
            self._task.cancel()
        await self._client.close()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def written(self, count: int) -> None:
        """Wait until so many more writes were acknowledged."""
        goal = self._acknowledged + count
        await until(lambda: self._acknowledged >= goal or self._has_ended, timeout=_PATIENCE)

    async def refused(self, count: int) -> None:
        """Wait until so many writes were refused by the fence."""
        await until(lambda: self.done["refused"] >= count or self._has_ended, timeout=_PATIENCE)

    async def keep_apart(self) -> None:
        """From now on only insert, and update what it inserted itself."""
        async with self._turn:
            self._is_apart = True

    def tell(self, evidence: Evidence) -> None:
        told = ", ".join(f"{count} {what}" for what, count in sorted(self.done.items()))
        evidence.notes.append(f"past the proxy: {told}")

    @property
    def _acknowledged(self) -> int:
        return self.done.total() - self.done["refused"] - self.done["left alone"]

    @property
    def _has_ended(self) -> bool:
        return self._task is None or self._task.done()

    async def _work(self) -> None:
        while True:
            async with self._turn:
                await self._act()
            await asyncio.sleep(self._chance.random() * 2 * self._pace)

    async def _act(self) -> None:
        roll = self._chance.random()
        try:
            if roll < 0.4 or not self._own:
                await self._insert()
            elif roll < 0.7 or self._is_apart:
                await self._update()
            elif roll < 0.85:
                await self._push()
            else:
                await self._delete()
        except OperationFailure as error:
            if error.code != _REFUSED:
                raise
            self.done["refused"] += 1

    async def _insert(self) -> None:
        name, token = f"past-{next(self._numbers)}", f"t{next(self._numbers)}"
        await self._documents.insert_one({**self._key(name, "past"), "mark": token})
        self._ledger.entries[self._name(name, "past")] = State("mark", token)
        self._own.append(name)
        self.done["inserted"] += 1

    async def _update(self) -> None:
        """Once apart, of no document that has been stamped since a flip: those the fence lets in, and what is
        written to a mirror is promised to nobody."""
        name, token = self._chance.choice(self._own), f"t{next(self._numbers)}"
        known = {"_cf.e": {"$not": {"$gt": self._epoch}}} if self._is_apart else {}
        found = await self._documents.find_one_and_update(
            self._key(name, "past") | known, {"$set": {"mark": token}}, projection=["_cf.e"]
        )
        if found is None and self._is_apart:
            self.done["left alone"] += 1
            return
        assert found is not None, f"{name} is not there any more"
        self._epoch = max(self._epoch, found.get("_cf", {}).get("e", 0))
        self._ledger.entries[self._name(name, "past")] = State("mark", token)
        self.done["updated"] += 1

    async def _push(self) -> None:
        """Into a document that clients of the proxy write too."""
        name, token = "journal-0", f"p{next(self._numbers)}"
        journal = self._ledger.entries[self._name(name, "hot")]
        assert isinstance(journal, Journal)
        await self._documents.update_one(self._key(name, "hot"), {"$push": {"tokens": token}})
        journal.acknowledged.append(token)
        self.done["pushed"] += 1

    async def _delete(self) -> None:
        name = self._own.pop(self._chance.randrange(len(self._own)))
        await self._documents.delete_one(self._key(name, "past"))
        self._ledger.entries[self._name(name, "past")] = State("mark", None)
        self.done["deleted"] += 1

    def _key(self, name: str, container: str) -> dict[str, str]:
        return {"deployment_key": self._deployment, "webtask_container": container, "webtask_name": name}

    def _name(self, name: str, container: str) -> tuple[str, ...]:
        return (TASKS, *self._key(name, container).values())
