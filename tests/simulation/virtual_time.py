"""An event loop whose clock jumps to the next timer: minutes of waiting take milliseconds, repeatably."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START = 1_800_000_000.0
"""Where virtual time begins: seconds since 1970."""


class _NoSelector(selectors.SelectSelector):
    """Never waits for anything: the loop's clock moves instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("nothing is ready and no timer is set: everybody waits for somebody else")
        self._loop.advance(max(timeout, 0.0))
        return []


class Stuck(Exception):
    """The simulated world came to a halt."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Deterministic: tasks run in the order they became ready, timers in the order of their time."""

    def __init__(self) -> None:
        self._virtual = START
        super().__init__(_NoSelector(self))
        self._clock_resolution = 1e-5  # what a float of this size can tell apart, and more

    def time(self) -> float:
        return self._virtual

    def advance(self, seconds: float) -> None:
        self._virtual += seconds


def run(main: Coroutine[Any, Any, T], horizon: float) -> T:
    """Run to the end in virtual time; TimeoutError if the world needs more than `horizon` virtual seconds."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(asyncio.wait_for(main, horizon))
    finally:
        _end_all_tasks(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _end_all_tasks(loop: VirtualLoop) -> None:
    """Cancel until nobody is left: some catch the first one."""
    for _ in range(5):
        left = asyncio.all_tasks(loop)
        if not left:
            return
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.wait(left, timeout=5.0))
