"""Load of one kind: so many clients, each calling again when its call has ended, or after a pause.

A contender makes its steps beforehand; what is timed is the calls alone. With a pause the clients come at
random, on average that long after their last answer: how loaded the other side is, is then set and not found.
At a pace they do not wait for answers to grow slower: whoever is called, is called as often.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from bench.accounting import cpu_seconds
from bench.documents import TENANTS, Operation, chooser

Mix: TypeAlias = dict[Operation, float]
"""Operations and their shares of all calls."""

READS: Mix = {Operation.READ: 1.0}
UPDATES: Mix = {Operation.UPDATE: 1.0}
YCSB_A: Mix = {Operation.READ: 0.5, Operation.UPDATE: 0.5}
YCSB_B: Mix = {Operation.READ: 0.95, Operation.UPDATE: 0.05}
YCSB_F: Mix = {Operation.READ: 0.5, Operation.REWRITE: 0.5}

_fresh = itertools.count(os.getpid() * 10_000_000)
"""Numbers of documents that no other process of the benchmark inserts."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to do: `calls` in all by `clients`, each pausing `pause` seconds on average between its calls; or
    beginning one every `every` seconds on average, however long they take (but no two at once).

    `billed` are the processes whose CPU counts; none means the one that makes the calls itself. They are
    billed for `after` seconds more, in which they do what the calls left to be done later. With `keys` the
    documents are so many from number `first` on, in turn, instead of zipfian or fresh ones.
    """

    collection: str
    mix: Mix
    calls: int
    clients: int = 8
    pause: float = 0.0
    every: float = 0.0
    billed: tuple[int, ...] = ()
    after: float = 0.0
    size_kb: float = 0.5
    keys: int = 0
    first: int = 0
    seed: int = 1


@dataclass(slots=True)
class Report:
    """What became of a job. Latencies in seconds, in no order; `seconds` is how long the calls took, `cpu`
    are seconds of the billed processes, in that time and `after` it."""

    calls: int
    seconds: float
    cpu: float
    failures: int
    latencies: list[float] = field(default_factory=list)
    complaint: str = ""
    after: float = 0.0

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU for each call."""
        return self.cpu / self.calls * 1e6

    @property
    def rate(self) -> float:
        return self.calls / self.seconds


def fewest_calls(*found: Sequence[Report]) -> int:
    """Of any round of any of those that are compared: what a figure about them rests on."""
    return min(report.calls for rounds in found for report in rounds)


Step: TypeAlias = Callable[[], Awaitable[object]]
BlockingStep: TypeAlias = Callable[[], object]


class Contender(Protocol):
    """One way to get at documents. Steps of a blocking one are run by threads, one a client."""

    is_blocking: bool

    async def open(self) -> None: ...

    def step(self, job: Job, operation: Operation, number: int) -> Step | BlockingStep:
        """One call, ready to be made."""
        ...

    async def close(self) -> None: ...


def steps_of(contender: Contender, job: Job) -> list[Step | BlockingStep]:
    """The calls of a job, chosen by its mix."""
    chance = random.Random(job.seed)
    operations, weights = list(job.mix), list(job.mix.values())
    chosen = chance.choices(operations, weights, k=job.calls)
    popular = chooser(job.seed)
    turns = itertools.count()

    def number(operation: Operation) -> int:
        if job.keys:
            return job.first + next(turns) % job.keys
        if operation is Operation.LIST:
            return next(turns) % TENANTS
        return next(_fresh) if operation is Operation.INSERT else popular()

    return [contender.step(job, operation, number(operation)) for operation in chosen]


async def run(contender: Contender, job: Job, own_pid: int) -> Report:
    """Do a job and report."""
    steps = steps_of(contender, job)
    billed = job.billed or (own_pid,)
    report = Report(job.calls, 0.0, 0.0, 0)
    before, began = cpu_seconds(*billed), time.perf_counter()
    if contender.is_blocking:
        await asyncio.to_thread(_by_threads, steps, job, report)
    else:
        await _by_tasks(steps, job, report)
    report.seconds = time.perf_counter() - began
    if job.after:
        await asyncio.sleep(job.after)
        report.after = time.perf_counter() - began - report.seconds
    report.cpu = cpu_seconds(*billed) - before
    return report


@dataclass(slots=True)
class _Pauses:
    """How long one client waits before each of its calls; made when its job begins."""

    job: Job
    chance: random.Random
    due: float = field(default_factory=time.perf_counter)

    def draw(self) -> float:
        """Seconds to wait now."""
        if not self.job.every:
            return self.job.pause and self.chance.random() * 2 * self.job.pause
        self.due += self.chance.random() * 2 * self.job.every
        return max(0.0, self.due - time.perf_counter())


async def _by_tasks(steps: Sequence[Step | BlockingStep], job: Job, report: Report) -> None:
    waiting = iter(steps)

    async def client(pauses: _Pauses) -> None:
        for step in waiting:
            if wait := pauses.draw():
                await asyncio.sleep(wait)
            began = time.perf_counter()
            try:
                await step()  # type: ignore[misc] # an asynchronous one
            except Exception as error:
                _note(report, error)
            report.latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(client(_Pauses(job, random.Random(number))) for number in range(job.clients)))


def _by_threads(steps: Sequence[BlockingStep], job: Job, report: Report) -> None:
    waiting = iter(steps)

    def client(pauses: _Pauses) -> None:
        for step in waiting:
            if wait := pauses.draw():
                time.sleep(wait)
            began = time.perf_counter()
            try:
                step()
            except Exception as error:
                _note(report, error)
            report.latencies.append(time.perf_counter() - began)

    with ThreadPoolExecutor(job.clients) as pool:
        list(pool.map(client, [_Pauses(job, random.Random(number)) for number in range(job.clients)]))


def _note(report: Report, error: Exception) -> None:
    report.failures += 1
    report.complaint = report.complaint or repr(error)[:500]
