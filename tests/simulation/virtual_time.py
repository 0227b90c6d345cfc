"""An event loop whose clock jumps to the next timer: minutes of waiting take milliseconds, repeatably.

What is ready runs in the order in which it became ready; timers run in the order of their time, and of their
making where the times are equal. There is no I/O, and nothing outside the loop can wake it. Processes that
were stopped do not run (see `process`).
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar, TypeVarTuple

from tests.simulation.process import running

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START = 1_800_000_000.0
"""Where virtual time begins: seconds since 1970."""


class Stuck(Exception):
    """The simulated world came to a halt: everybody waits for somebody else."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Deterministic, and quicker than a loop that asks the operating system for its timers."""

    _ready: deque[asyncio.Handle]  # of BaseEventLoop: what `call_soon` fills

    def __init__(self) -> None:
        super().__init__()
        self._virtual = START
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._made = itertools.count()

    def time(self) -> float:
        return self._virtual

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._virtual + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._made), timer))
        return timer

    def go_on_with(self, steps: Iterable[asyncio.Handle]) -> None:
        """Take up what a stopped process was about to do."""
        self._ready.extend(steps)

    def _run_once(self) -> None:
        """What BaseEventLoop calls for ever: the next moment at which anything happens."""
        ready = self._ready
        if not ready:
            self._advance()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                context: contextvars.Context = handle._context  # type: ignore[attr-defined]
                process = context.get(running)
                if process is None or process.may_take(handle):
                    handle._run()

    def _advance(self) -> None:
        """Go to the next timer that still counts, and have it ready."""
        while self._timers:
            when, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._virtual = max(self._virtual, when)
                self._ready.append(timer)
                return
        raise Stuck("nothing is ready and no timer is set")

    def _write_to_self(self) -> None:
        """Nobody sleeps who had to be woken."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when their time comes."""


def virtual_loop() -> VirtualLoop:
    """The loop that is running."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


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
