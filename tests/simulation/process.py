"""A simulated process: it may be killed or stopped before any step that it takes, as by SIGKILL and SIGSTOP.

A step is what runs between two awaits. Everything that was begun in a process's context is part of it: tasks,
timers and callbacks. The event loop asks it before each step; what a stopped process would have done next is
kept until it goes on, which a killed one never does. Not even a `finally` runs there.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable


class Process:
    """`death` is done once it was killed: its connections break then."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_frozen = False
        self._is_over = False
        self._kept: list[asyncio.Handle] = []
        self._steps_left = 0
        self._tell: Callable[[], None] = self.freeze

    @property
    def is_dead(self) -> bool:
        return self.death.done()

    @property
    def is_stopped(self) -> bool:
        return not self._is_over and (self._is_frozen or self.is_dead)

    def kill(self) -> None:
        if not self.is_dead:
            self.death.set_result(None)

    def freeze(self) -> None:
        self._is_frozen = True

    def thaw(self) -> list[asyncio.Handle]:
        """Go on; the steps to take now, in their order: none, for a dead one."""
        self._is_frozen = False
        if self.is_stopped:
            return []
        kept, self._kept = self._kept, []
        return kept

    def dissolve(self) -> None:
        """From now on nothing is kept back: its world has come to its end."""
        self._is_over, self._steps_left = True, 0

    def freeze_before(self, step: int, tell: Callable[[], None]) -> None:
        """Freeze just before the n-th step from now (1 is the next), and tell so."""
        self._steps_left, self._tell = step, tell

    def spare(self) -> None:
        """Let it take that step after all."""
        self._steps_left = 0

    def may_take(self, step: asyncio.Handle) -> bool:
        """Whether it takes this step now; if not, the step is kept."""
        if self._steps_left:
            self._steps_left -= 1
            if not self._steps_left:
                self.freeze()
                self._tell()
        if self.is_stopped:
            self._kept.append(step)
            return False
        return True


running: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
"""The process whose code is running; None for the world around them."""
