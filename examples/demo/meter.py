"""Every call of the traffic with its time, so that stalls during a change of the primary can be told."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from crossfade import CrossfadeError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One call as its client saw it; times in seconds of this machine's monotonic clock."""

    collection: str
    began: float
    ended: float

    @property
    def took_ms(self) -> float:
        return (self.ended - self.began) * 1000


@dataclass(slots=True)
class Meter:
    """All calls since the beginning, and the failed ones by reason."""

    calls: list[Call] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    async def timed(self, collection: str, call: Awaitable[T]) -> T:
        began = time.monotonic()
        try:
            return await call
        except CrossfadeError as error:
            self.failures[error.reason.name] += 1
            raise
        finally:
            self.calls.append(Call(collection, began, time.monotonic()))

    async def read(self, collection: str, call: Awaitable[T]) -> T:
        """As `timed`, and counted as a read."""
        result = await self.timed(collection, call)
        self.reads[collection] += 1
        return result

    def during(self, collection: str, began: float, ended: float) -> list[float]:
        """Milliseconds of the calls that were under way in a stretch of time."""
        return [
            call.took_ms
            for call in self.calls
            if call.collection == collection and call.began < ended and call.ended > began
        ]


def quantile(values: Iterable[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed; 0 where there are none."""
    ordered: Sequence[float] = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
