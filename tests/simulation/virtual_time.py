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
from typing import Any, TypeVar

from tests.simulation.process import Step, running

T = TypeVar("T")

START = 1_800_000_000.0
"""Where virtual time begins: seconds since 1970."""


class Stuck(Exception):
    """The simulated world came to a halt: everybody waits for somebody else."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Deterministic, and quicker than a loop that asks the operating system for its timers."""

    _stopping: bool  # of BaseEventLoop: set by `stop`

    def __init__(self) -> None:
        super().__init__()
        self._virtual = START
        self._steps: deque[Step] = deque()
        self._timers: list[tuple[float, int, Step]] = []
        self._made = itertools.count()

    def time(self) -> float:
        return self._virtual

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Step:
        step = Step(callback, args, context)
        self._steps.append(step)
        return step

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Step:
        return self.call_at(self._virtual + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Step:
        timer = Step(callback, args, context)
        timer.time = when
        heapq.heappush(self._timers, (when, next(self._made), timer))
        return timer

    def go_on_with(self, steps: Iterable[Step]) -> None:
        """Take up what a stopped process was about to do."""
        self._steps.extend(steps)

    def _run_once(self) -> None:
        """What BaseEventLoop calls for ever: the moments at which anything happens, until it is stopped."""
        steps = self._steps
        while not self._stopping:
            if not steps:
                self._advance()
            for _ in range(len(steps)):
                step = steps.popleft()
                if not step.is_cancelled:
                    process = step.surroundings.get(running)
                    if process is None or process.is_free or process.may_take(step):
                        self._take(step)

    def _take(self, step: Step) -> None:
        try:
            step.surroundings.run(step.callback, *step.given)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            told = {"message": f"Exception in {step!r}", "exception": error}
            self.call_exception_handler(told)

    def _advance(self) -> None:
        """Go to the next timer that still counts, and have it ready."""
        while self._timers:
            when, _, timer = heapq.heappop(self._timers)
            if not timer.is_cancelled:
                self._virtual = max(self._virtual, when)
                self._steps.append(timer)
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
