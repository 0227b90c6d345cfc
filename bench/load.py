"""Load of one kind: so many clients, each calling again when its call has ended, or after a pause.

A contender makes its steps beforehand; what is timed is the calls alone. With a pause the clients come at
random, on average that long after their last answer: how loaded the other side is, is then set and not found.
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
    """What to do: `calls` in all by `clients`, each pausing `pause` seconds on average between its calls.

    `billed` are the processes whose CPU counts; none means the one that makes the calls itself. With `keys`
    the documents are so many from number `first` on, in turn, instead of zipfian or fresh ones.
    """

    collection: str
    mix: Mix
    calls: int
    clients: int = 8
    pause: float = 0.0
    billed: tuple[int, ...] = ()
    size_kb: float = 0.5
    keys: int = 0
    first: int = 0
    seed: int = 1


@dataclass(slots=True)
class Report:
    """What became of a job. Latencies in seconds, in no order; `cpu` are seconds of the billed processes."""

    calls: int
    seconds: float
    cpu: float
    failures: int
    latencies: list[float] = field(default_factory=list)
    complaint: str = ""

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU for each call."""
        return self.cpu / self.calls * 1e6

    @property
    def rate(self) -> float:
        return self.calls / self.seconds


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
    report.cpu = cpu_seconds(*billed) - before
    return report


async def _by_tasks(steps: Sequence[Step | BlockingStep], job: Job, report: Report) -> None:
    waiting = iter(steps)

    async def client(chance: random.Random) -> None:
        for step in waiting:
            if job.pause:
                await asyncio.sleep(chance.random() * 2 * job.pause)
            began = time.perf_counter()
            try:
                await step()  # type: ignore[misc] # an asynchronous one
            except Exception as error:
                _note(report, error)
            report.latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(client(random.Random(number)) for number in range(job.clients)))


def _by_threads(steps: Sequence[BlockingStep], job: Job, report: Report) -> None:
    waiting = iter(steps)

    def client(chance: random.Random) -> None:
        for step in waiting:
            if job.pause:
                time.sleep(chance.random() * 2 * job.pause)
            began = time.perf_counter()
            try:
                step()
            except Exception as error:
                _note(report, error)
            report.latencies.append(time.perf_counter() - began)

    with ThreadPoolExecutor(job.clients) as pool:
        list(pool.map(client, [random.Random(number) for number in range(job.clients)]))


def _note(report: Report, error: Exception) -> None:
    report.failures += 1
    report.complaint = report.complaint or repr(error)[:500]
