"""A call's deadline bounds all work for it, and ends it early enough to tell the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

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


@asynccontextmanager
async def limited(seconds: float, outcome: Outcome, op: bytes = b"") -> AsyncIterator[None]:
    """Cancels the block after `seconds` and raises DeadlineExceeded with the outcome that it then has."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        text = "the deadline passed before the outcome was certain"
        raise DeadlineExceeded(text, outcome=outcome, op=op) from error
