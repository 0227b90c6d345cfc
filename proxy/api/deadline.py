"""A call's deadline bounds all work for it, and ends it early enough to tell the outcome."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Protocol

from proxy.core import deadline
from proxy.core.errors import DeadlineExceeded, Outcome

MARGIN = 0.02
"""Seconds, at most a fifth of what is left, that are kept for sending the answer."""


class TimedCall(Protocol):
    """What is needed of a gRPC context: seconds until the client's deadline, or None."""

    def time_remaining(self) -> float | None: ...


def budget(call: TimedCall, default: float) -> float:
    """Seconds that the work may take. `default` where the client set no deadline."""
    remaining = call.time_remaining()
    if remaining is None:
        return default
    return max(0.0, remaining - min(MARGIN, remaining / 5))


class Limit:
    """Cancels its block after `seconds` and raises DeadlineExceeded with the outcome that it then has.

    The stores are told how long a block that only reads (NOT_APPLIED) may take.
    """

    __slots__ = ("_mark", "_op", "_outcome", "_seconds", "_timeout")

    def __init__(self, seconds: float, outcome: Outcome, op: bytes = b"") -> None:
        self._seconds = seconds
        self._mark: deadline.Mark | None = None
        self._timeout = asyncio.timeout(seconds)
        self._outcome = outcome
        self._op = op

    async def __aenter__(self) -> None:
        if self._outcome is Outcome.NOT_APPLIED:
            self._mark = deadline.begin(self._seconds)
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._mark is not None:
            deadline.end(self._mark)
        try:
            await self._timeout.__aexit__(kind, error, at)
        except TimeoutError as late:
            text = "the deadline passed before the outcome was certain"
            raise DeadlineExceeded(text, outcome=self._outcome, op=self._op) from late
