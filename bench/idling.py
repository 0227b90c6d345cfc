"""What a proxy takes when nobody calls, told apart: it is no call's share.

It is looked at between the rounds of what it is taken off from. So it is of the same minutes, and a machine
that grows slower meanwhile is slower for both.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.accounting import cpu_seconds
from bench.load import Report

SETTLING = 0.5
"""Seconds in which the reconciler does what the last calls left to it: that is their share."""


@dataclass(slots=True)
class Idling:
    """What the processes take while nobody calls, looked at for `window` seconds at a time."""

    pids: tuple[int, ...]
    window: float
    seconds: float = 0.0
    _cpu: dict[int, float] = field(default_factory=lambda: defaultdict(float))

    async def watch(self) -> None:
        """One more look, when what the last calls left behind is done."""
        await asyncio.sleep(SETTLING)
        before, began = self._clocks(), time.perf_counter()
        await asyncio.sleep(self.window)
        self.seconds += time.perf_counter() - began
        for pid, clock in self._clocks().items():
            self._cpu[pid] += clock - before[pid]

    def share(self, *pids: int) -> float:
        """The share of one processor that these processes (none: all) took together, over all looks."""
        return sum(self._cpu[pid] for pid in pids or self.pids) / self.seconds

    def _clocks(self) -> dict[int, float]:
        return {pid: cpu_seconds(pid) for pid in self.pids}


def without_idling(reports: Sequence[Report], share: float) -> list[float]:
    """Microseconds of CPU for each call, less what would have been taken without any."""
    return [(one.cpu - share * (one.seconds + one.after)) / one.calls * 1e6 for one in reports]
