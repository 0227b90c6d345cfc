"""What the operating system says of processes, and the few statistics that the benchmark speaks in."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

_SCHEDULED = 2  # the clock of what the scheduler has given
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(*pids: int) -> float:
    """Seconds of processor time, user and system, that the processes have taken so far, all their threads, to
    the nanosecond: what clock_getcpuclockid(3) names is asked, /proc/PID/stat counts in hundredths."""
    return sum(time.clock_gettime(~pid << 3 | _SCHEDULED) for pid in pids)


def resident_mb(pid: int) -> float:
    """Megabytes of memory that a process holds right now."""
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * _PAGE / 1e6


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing: the median, and how far they lay apart."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)


def spread(values: Sequence[float]) -> Spread:
    return Spread(tuple(values))


def ratio_of(above: Sequence[float], below: Sequence[float]) -> Spread:
    """The ratio of two things that were measured in turns: round by round, so that what slows a round slows
    both."""
    return Spread(tuple(a / b for a, b in zip(above, below, strict=True)))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
