"""What is going on, on standard error: a bar on a terminal, else a line when there is news."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from crossfade.cli.terminal import bars_on, console_on

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_PAUSE = 2.0
"""Seconds between two lines that nobody can redraw."""


class Progress:
    """Shows the latest of what it is told; on a terminal it is gone at the end."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._shown = ""
        self._shown_at = float("-inf")
        console = console_on(sys.stderr)
        self._bars: Bars | None = bars_on(console) if console else None
        self._task: TaskID | None = None

    def tell(self, line: str) -> None:
        """Say how things stand, in a sentence."""
        if line == self._shown:
            return
        if self._is_live:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() < self._shown_at + _PAUSE:
            return
        else:
            print(line, file=sys.stderr, flush=True)
        self._shown, self._shown_at = line, time.monotonic()

    def advance(self, what: str, done: int, total: int, rate: float, told: str) -> None:
        """How far `what` is, of `total` where that is known (not 0), at `rate` a second; `told` says more."""
        if self._bars is None:
            self.tell(f"{what}: {share(done, total)}{left(done, total, rate)}; {told}")
            return
        if self._task is None:
            self._bars.start()
            self._task = self._bars.add_task(what, total=None, left="", told="")
        self._bars.update(
            self._task,
            completed=done,
            total=total or None,
            left=left(done, total, rate).removeprefix(", "),
            told=told,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bars is not None and self._task is not None:
            self._bars.stop()
        elif self._is_live and self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def share(done: int, total: int) -> str:
    """How far, in words; never 100 % before the end."""
    if not total:
        return f"{done} documents"
    return f"{min(99, 100 * done // total) if done < total else 100} % of about {total} documents"


def left(done: int, total: int, rate: float) -> str:
    """How long still, to be put behind; empty where nobody can know."""
    if rate <= 0 or done >= total:
        return ""
    seconds = (total - done) / rate
    return f", about {seconds:.0f} s left" if seconds < 120 else f", about {seconds / 60:.0f} min left"
