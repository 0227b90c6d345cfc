"""Processes of the benchmark: each loads, or serves, and does nothing else, so that CPU is billed to it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self

import uvloop

from bench.load import Contender, Job, Report, run

_SPAWN = multiprocessing.get_context("spawn")
_ENDING = 10.0


class Worker:
    """A process that makes the calls of one contender; `async with`. Jobs run one after another."""

    def __init__(self, make: Callable[..., Contender], *arguments: Any) -> None:
        self._pipe, far = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_work, args=(far, make, arguments), daemon=True)

    async def __aenter__(self) -> Self:
        self._process.start()
        await self._answer()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pipe.send(None)
        await asyncio.to_thread(self._process.join, _ENDING)
        self._process.kill()

    async def run(self, job: Job) -> Report:
        """Do a job. Raises RuntimeError with what went wrong in the process."""
        self._pipe.send(job)
        report: Report = await self._answer()
        return report

    async def _answer(self) -> Any:
        answer = await asyncio.to_thread(self._pipe.recv)
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer


def _work(pipe: Connection, make: Callable[..., Contender], arguments: tuple[Any, ...]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_jobs(pipe, make(*arguments)))


async def _serve_jobs(pipe: Connection, contender: Contender) -> None:
    """Wait in a thread, for connections have to be looked after between two jobs too."""
    await contender.open()
    pipe.send(True)
    while (job := await asyncio.to_thread(pipe.recv)) is not None:
        pipe.send(await _done(contender, job))
    await contender.close()


async def _done(contender: Contender, job: Job) -> Report | str:
    try:
        return await run(contender, job, os.getpid())
    except Exception as error:
        return f"{type(contender).__name__}: {error!r}"


class Served:
    """A server in a process of its own: `run(ready, *arguments)` sends its port through `ready`."""

    def __init__(self, serve: Callable[..., Any], *arguments: Any) -> None:
        self._pipe, far = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(serve, far, arguments), daemon=True)
        self.port = 0

    @property
    def pid(self) -> int:
        assert self._process.pid is not None, "started by `async with`"
        return self._process.pid

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._process.start()
        self.port = await asyncio.to_thread(self._pipe.recv)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await asyncio.to_thread(self._process.join, _ENDING)


def _serve(serve: Callable[..., Any], ready: Connection, arguments: tuple[Any, ...]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(ready, *arguments))
