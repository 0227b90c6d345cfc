"""Live traffic: clients that change their own documents through the proxy, and know what must be there.

Every document has one writer, so that after the last acknowledged write of each there is one right state.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field

from bench.moving.documents import key_of
from crossfade import AsyncClient, CrossfadeError

GONE = -1
CLIENTS = 4


@dataclass(slots=True)
class Traffic:
    """`expected` has the value of the field `live` by the number of the document, GONE for a deleted one;
    what a failed call left in doubt is not in it."""

    client: AsyncClient
    collection: str
    documents: int
    rate: float
    expected: dict[int, int] = field(default_factory=dict)
    calls: int = 0
    failures: int = 0
    seconds: list[float] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        self.tasks = [asyncio.create_task(self._work(number)) for number in range(CLIENTS)]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def median_ms(self) -> float:
        return statistics.median(self.seconds) * 1000 if self.seconds else 0.0

    async def _work(self, number: int) -> None:
        dice = random.Random(number)
        mine = range(number, max(CLIENTS, self.documents // 50), CLIENTS)
        while True:
            await asyncio.sleep(dice.random() * 2 * CLIENTS / self.rate)
            await self._touch(dice.choice(mine), dice)

    async def _touch(self, number: int, dice: random.Random) -> None:
        begun, value = time.monotonic(), self.calls
        wanted = GONE if dice.random() < 0.1 else value
        self.expected.pop(number, None)  # while it is under way, or was cut off, either may be
        try:
            await self._write(number, wanted, is_read=dice.random() < 0.3)
        except CrossfadeError:
            self.failures += 1
            return
        finally:
            self.calls += 1
        self.expected[number] = wanted
        self.seconds.append(time.monotonic() - begun)

    async def _write(self, number: int, wanted: int, *, is_read: bool) -> None:
        documents = self.client[self.collection]
        if is_read:
            await documents.find_one(key_of(number))
        if wanted == GONE:
            await documents.delete_one(key_of(number))
        else:
            await documents.update_one(key_of(number), {"$set": {"live": wanted}}, upsert=True)
