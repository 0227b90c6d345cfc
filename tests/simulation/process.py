"""A simulated process: it may be killed or stopped before any step that it takes, as by SIGKILL and SIGSTOP.

A step is what runs between two awaits. Everything that was begun in a process's context is part of it: tasks,
timers and callbacks. The event loop asks it before each step; what a stopped process would have done next is
kept until it goes on, which a killed one never does. Not even a `finally` runs there.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any


class Step(asyncio.Handle):
    """What asyncio calls a handle, as cheap as it can be: worlds take a million of them."""

    __slots__ = ("callback", "given", "is_cancelled", "surroundings", "time")

    def __init__(
        self, callback: Callable[..., object], given: tuple[Any, ...], context: contextvars.Context | None
    ) -> None:
        self.callback = callback
        self.given = given
        self.surroundings = context if context is not None else contextvars.copy_context()
        self.is_cancelled = False
        self.time = 0.0

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        """Of a timer: its time."""
        return self.time

    def __repr__(self) -> str:
        return f"<step {self.callback!r}>"


class Process:
    """`death` is done once it was killed: its connections break then. `is_free`: nothing can stand in the way
    of its next step."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_frozen = False
        self._is_over = False
        self._kept: list[Step] = []
        self._steps_left = 0
        self._tell: Callable[[], None] = self.freeze
        self.is_free = True

    @property
    def is_dead(self) -> bool:
        return self.death.done()

    @property
    def is_stopped(self) -> bool:
        return not self._is_over and (self._is_frozen or self.is_dead)

    def kill(self) -> None:
        if not self.is_dead:
            self.death.set_result(None)
            self._note()

    def freeze(self) -> None:
        self._is_frozen = True
        self._note()

    def thaw(self) -> list[Step]:
        """Go on; the steps to take now, in their order: none, for a dead one."""
        self._is_frozen = False
        self._note()
        if self.is_stopped:
            return []
        kept, self._kept = self._kept, []
        return kept

    def dissolve(self) -> None:
        """From now on nothing is kept back: its world has come to its end."""
        self._is_over, self._steps_left = True, 0
        self._note()

    def freeze_before(self, step: int, tell: Callable[[], None]) -> None:
        """Freeze just before the n-th step from now (1 is the next), and tell so."""
        self._steps_left, self._tell = step, tell
        self._note()

    def spare(self) -> None:
        """Let it take that step after all."""
        self._steps_left = 0
        self._note()

    def _note(self) -> None:
        self.is_free = not self._steps_left and not self.is_stopped

    def may_take(self, step: Step) -> bool:
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
