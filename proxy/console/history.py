"""How the match rate of each collection went over the last half hour, as this replica's comparisons found it.

Invariants: a collection that compares nothing costs nothing; none holds more than `KEPT` samples.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from proxy.console.desk import Outcomes
from proxy.core.comparison import Kind
from proxy.core.ports import Clock

EVERY = 5.0
"""Seconds between two samples."""

KEPT = 360

_RACED = frozenset(kind.value for kind in (Kind.LAG, Kind.SKEW, Kind.QUERY_WINDOW, Kind.BYPASS))
"""Outcomes that time alone explains: they say nothing for or against a match."""

_JUDGED = frozenset(kind.value for kind in Kind if kind is not Kind.UNAVAILABLE) - _RACED


@dataclass(frozen=True, slots=True)
class Sample:
    """The comparisons of one interval that ended `at` (milliseconds since 1970), and how many matched."""

    at: int
    judged: int
    matched: int


def count_comparisons(outcomes: Mapping[str, int]) -> tuple[int, int]:
    """How many comparisons came to a judgement, and how many of them matched."""
    judged = sum(count for name, count in outcomes.items() if name in _JUDGED)
    return judged, outcomes.get(Kind.MATCH.value, 0)


class History:
    """Takes samples while it runs."""

    def __init__(self, outcomes: Outcomes, clock: Clock) -> None:
        self._outcomes = outcomes
        self._clock = clock
        self._last: dict[str, tuple[int, int]] = {}
        self._samples: dict[str, deque[Sample]] = {}

    def of(self, collection: str) -> tuple[Sample, ...]:
        """The samples of a collection, oldest first; only intervals in which something was compared."""
        return tuple(self._samples.get(collection, ()))

    def sample(self) -> None:
        """Note what was compared since the last sample."""
        now = self._clock.now()
        for name, outcomes in self._outcomes().items():
            judged, matched = count_comparisons(outcomes)
            before = self._last.get(name, (0, 0))
            if judged > before[0]:
                samples = self._samples.setdefault(name, deque(maxlen=KEPT))
                samples.append(Sample(now, judged - before[0], matched - before[1]))
                self._last[name] = (judged, matched)

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            self.sample()
            await asyncio.sleep(EVERY)
