"""Whether memory, open files and latency stayed flat. Pure: samples in, sentences out; none means flat.

A trend is Theil and Sen's: the median of the slopes between all pairs of samples, which no spike moves. What
a process needs to warm up is left out. Latency is compared between the first and the last third of the soak,
only outside of faults, and only of calls of one kind in one stage; it has grown if it has by itself and
beside the yardstick, whose calls pass no proxy: a machine that is busy with other things slows both.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.accounting import percentile
from tests.faults.traffic import Sample as Timed
from tests.soak.sampling import Sample, lives

BUDGET = 150.0
"""Megabytes that a process may use at any moment."""
MEMORY, FILES = 8.0, 16.0
"""Megabytes, and open files, that a trend may add over all of the time that is judged."""
WARM_UP, FORGIVEN = 90.0, 3.0
"""Seconds that a process takes to fill its caches, its heap and its pools, and how many times more a trend
may add besides if it had hardly any of them: a short soak is no proof, and notices what leaks fast."""
MEDIAN, LATE = 1.5, 2.5
"""Times the median and the 99th percentile of the first third that those of the last may be."""
SPARE = {0.5: 3.0, 0.99: 20.0}
"""Milliseconds of growth that are never held against anybody, by the share of calls."""
QUEUES = ("shadow", "recheck", "report", "purge")
ENOUGH_SAMPLES, ENOUGH_CALLS = 8, {0.5: 30, 0.99: 100}
"""With fewer nothing can be said: samples of a process, and calls of a third by the share in question."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time (monotonic seconds) in which something was wrong on purpose, and what."""

    name: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which all collections were in one stage."""

    stage: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Course:
    """When the soak began and ended, and what happened in it."""

    began: float
    ended: float
    windows: tuple[Window, ...] = ()
    periods: tuple[Period, ...] = ()

    @property
    def warm_up(self) -> float:
        """Seconds of each process that are not judged."""
        return min(WARM_UP, (self.ended - self.began) * 0.3)

    @property
    def leniency(self) -> float:
        """How many times more than usual a trend may add."""
        return 1 + FORGIVEN * (1 - self.warm_up / WARM_UP)


@dataclass(frozen=True, slots=True)
class Growth:
    """One process: what it used at first (after its warm-up) and at most, and what the trend added."""

    replica: str
    pid: int
    seconds: float
    first: float
    most: float
    trend: float | None
    files: int
    files_trend: float | None
    queues: Mapping[str, int]
    leniency: float = 1.0

    def faults(self) -> Iterator[str]:
        who = f"{self.replica} (pid {self.pid})"
        if self.most > BUDGET:
            yield f"memory: {who} used {self.most:.0f} MB, more than {BUDGET:.0f}"
        if self.trend is not None and self.trend > MEMORY * self.leniency:
            much = f"{self.trend:.1f} MB in {self.seconds:.0f} s, more than {MEMORY * self.leniency:.0f}"
            yield f"memory: {who} grew by {much}"
        if self.files_trend is not None and self.files_trend > FILES * self.leniency:
            yield f"files: {who} opened {self.files_trend:.0f} more, more than {FILES * self.leniency:.0f}"


@dataclass(frozen=True, slots=True)
class Pace:
    """Calls of one kind in one stage: a percentile in the first third and in the last, in milliseconds, and
    how many times slower the yardstick's became meanwhile."""

    what: str
    share: float
    calls: int
    first: float
    last: float
    machine: float

    @property
    def ratio(self) -> float:
        return self.last / self.first

    def faults(self) -> Iterator[str]:
        limit = MEDIAN if self.share == 0.5 else LATE
        grown = self.last - self.first > SPARE[self.share]
        if grown and self.ratio > limit and self.ratio / max(1.0, self.machine) > limit:
            yield (
                f"latency: {self.what}: {percent(self.share)} {self.last:.1f} ms in the last third, "
                f"{self.first:.1f} ms in the first, more than {limit:g} times"
            )


def percent(share: float) -> str:
    return "median" if share == 0.5 else f"p{share * 100:.0f}"


def growths(samples: Sequence[Sample], course: Course) -> list[Growth]:
    """What became of each process."""
    return [_growth(replica, pid, life, course) for (replica, pid), life in lives(samples).items()]


def _growth(replica: str, pid: int, life: Sequence[Sample], course: Course) -> Growth:
    judged = [one for one in life if one.at - life[0].at >= course.warm_up]
    seconds = judged[-1].at - judged[0].at if judged else 0.0
    is_enough = len(judged) >= ENOUGH_SAMPLES and seconds >= course.warm_up / 2
    return Growth(
        replica,
        pid,
        seconds,
        (judged or life)[0].memory,
        max(one.memory for one in life),
        slope([(one.at, one.memory) for one in judged]) * seconds if is_enough else None,
        max(one.files for one in life),
        slope([(one.at, float(one.files)) for one in judged]) * seconds if is_enough else None,
        {name: max(one.queues.get(name, 0) for one in life) for name in QUEUES},
        course.leniency,
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs; of two points at least."""
    return statistics.median((y - v) / (x - u) for (u, v), (x, y) in combinations(points, 2) if x != u)


def paces(calls: Sequence[Timed], yardstick: Sequence[Timed], course: Course) -> list[Pace]:
    """How latency changed, for each kind of call in each stage that has enough of them in both thirds."""
    found = []
    for stage in dict.fromkeys(one.stage for one in course.periods):
        for is_write in (False, True):
            mine = [one for one in calls if one.is_write is is_write and _is_quiet_in(one, stage, course)]
            first, last = _thirds(mine, course)
            machine = _thirds([one for one in yardstick if one.is_write is is_write], course)
            what = f"{'writes' if is_write else 'reads'} in {stage}"
            for share in SPARE:
                if min(len(first), len(last)) >= ENOUGH_CALLS[share]:
                    at = percentile(first, share), percentile(last, share)
                    found.append(Pace(what, share, len(first) + len(last), *at, _ratio(*machine, share)))
    return found


def _thirds(calls: Sequence[Timed], course: Course) -> tuple[list[float], list[float]]:
    """How long calls of the first third and of the last took, in milliseconds."""
    third = (course.ended - course.began) / 3
    first = [one.took * 1000 for one in calls if one.began < course.began + third]
    return first, [one.took * 1000 for one in calls if one.began >= course.ended - third]


def _ratio(first: Sequence[float], last: Sequence[float], share: float) -> float:
    """How many times slower the calls became that pass no proxy; 1 where there were none."""
    return percentile(last, share) / percentile(first, share) if first and last else 1.0


def _is_quiet_in(call: Timed, stage: str, course: Course) -> bool:
    """Whether a call began and ended while nothing was wrong, in that stage."""
    ended = call.began + call.took
    is_in = any(
        one.stage == stage and one.began <= call.began and ended <= one.ended for one in course.periods
    )
    return is_in and not any(one.began < ended and call.began < one.ended for one in course.windows)
