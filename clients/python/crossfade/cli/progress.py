"""A line about what is going on, on standard error: redrawn on a terminal, else said when it is new."""

from __future__ import annotations

import sys
import time
from typing import Self

_PAUSE = 2.0
"""Seconds between two lines that nobody can redraw."""


class Progress:
    """Shows the latest of what it is told; on a terminal the line is gone at the end."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._shown = ""
        self._shown_at = float("-inf")

    def tell(self, line: str) -> None:
        if line == self._shown:
            return
        if self._is_live:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() < self._shown_at + _PAUSE:
            return
        else:
            print(line, file=sys.stderr, flush=True)
        self._shown, self._shown_at = line, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._is_live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
