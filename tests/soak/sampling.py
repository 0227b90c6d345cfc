"""Samples of the proxies at work: memory, open files, queues, and the latency that clients saw meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp

from bench.accounting import percentile, resident_mb
from tests.faults.site import Replica, Site
from tests.faults.traffic import Books
from tests.faults.traffic import Sample as Timed

METRICS = {"CROSSFADE_PROMETHEUS_LISTEN": "127.0.0.1:0"}
"""What every proxy of a soak is told, so that its queues can be read."""

_QUEUE = re.compile(r'^crossfade_queue_length\{.*crossfade_queue="(\w+)".*\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment (monotonic seconds): megabytes, open files, what waits by queue; and what
    clients of all processes saw since the sample before, in milliseconds (0 where they called nobody)."""

    at: float
    replica: str
    pid: int
    memory: float
    files: int
    queues: Mapping[str, int]
    p50: float = 0.0
    p99: float = 0.0


@dataclass(slots=True)
class Sampler:
    """Samples every process of a site again and again within `async with`, unless it is away."""

    site: Site
    books: Books
    every: float
    samples: list[Sample] = field(default_factory=list)
    _pages: dict[int, str] = field(default_factory=dict)
    _told: int = 0
    _task: asyncio.Task[None] | None = None
    _session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(2.0))
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        assert self._session is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._session.close()

    async def look(self) -> None:
        """Take one sample of each."""
        p50, p99 = self._latencies()
        found = await asyncio.gather(*(self._look(one, p50, p99) for one in self.site.replicas))
        self.samples += [one for one in found if one is not None]

    async def _work(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self.every)

    async def _look(self, replica: Replica, p50: float, p99: float) -> Sample | None:
        pid = replica.child.pid
        try:
            queues = await self._queues(replica)
            files = _open_files(pid)
            memory = resident_mb(pid)
        except (OSError, TimeoutError, aiohttp.ClientError):
            return None  # it was killed, or is just being
        return Sample(time.monotonic(), replica.name, pid, memory, files, queues, p50, p99)

    async def _queues(self, replica: Replica) -> Mapping[str, int]:
        assert self._session is not None
        pid = replica.child.pid
        if pid not in self._pages:
            self._pages[pid] = _page_of(replica.child.output())
        async with self._session.get(self._pages[pid]) as answer:
            text = await answer.text()
        lengths: Counter[str] = Counter()
        for queue, length in _QUEUE.findall(text):
            lengths[queue] += int(float(length))
        return lengths

    def _latencies(self) -> tuple[float, float]:
        fresh = [one.took * 1000 for one in self.books.samples[self._told :]]
        self._told += len(fresh)
        return (percentile(fresh, 0.5), percentile(fresh, 0.99)) if fresh else (0.0, 0.0)


def _open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _page_of(log: str) -> str:
    """Where the process that wrote last serves its metrics."""
    lines = [json.loads(line) for line in log.splitlines() if '"metrics": ' in line]
    url: str = lines[-1]["metrics"]
    return url


@dataclass(slots=True)
class Yardstick:
    """Calls that pass no proxy, beside those that do: what makes these slower too is the machine."""

    documents: Any
    samples: list[Timed] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _work(self) -> None:
        while True:
            await self._time(self.documents.find_one({"_id": 1}), is_write=False)
            await self._time(
                self.documents.update_one({"_id": 1}, {"$inc": {"n": 1}}, upsert=True), is_write=True
            )
            await asyncio.sleep(0.1)

    async def _time(self, call: Any, *, is_write: bool) -> None:
        began = time.monotonic()
        await call
        self.samples.append(Timed(began, time.monotonic() - began, is_write))


def lives(samples: Sequence[Sample]) -> dict[tuple[str, int], list[Sample]]:
    """The samples of each process, by replica and process id: what was killed and started anew is another."""
    found: dict[tuple[str, int], list[Sample]] = {}
    for one in samples:
        found.setdefault((one.replica, one.pid), []).append(one)
    return found
