"""A worker's desk: the connection, the ledger, the meter and a source of chance of its own."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from crossfade import AsyncClient, CrossfadeError, Outcome
from examples.demo.ledger import Ledger
from examples.demo.meter import Meter

T = TypeVar("T")


@dataclass(slots=True)
class Desk:
    """What every worker works with; `tokens` mark its writes and are never used twice."""

    client: AsyncClient
    ledger: Ledger
    meter: Meter
    name: str
    chance: random.Random = field(init=False)
    tokens: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.name)
        self.tokens = (f"{self.name}-{number}" for number in count(1))

    async def read(self, collection: str, call: Awaitable[T]) -> T:
        return await self.meter.read(collection, call)

    async def write(self, collection: str, call: Awaitable[T]) -> tuple[Outcome, T | None]:
        """The outcome of a write, and its result where it has one. Counts doubts, not promises."""
        try:
            return Outcome.APPLIED, await self.meter.timed(collection, call)
        except CrossfadeError as error:
            if error.outcome is Outcome.NOT_APPLIED:
                return Outcome.NOT_APPLIED, None
            self.ledger.doubt(collection)
            return Outcome.UNKNOWN, None

    def complain(self, sentence: str) -> None:
        """An answer did not show what had been acknowledged before."""
        self.ledger.stale_reads.append(f"{self.name}: {sentence}")
