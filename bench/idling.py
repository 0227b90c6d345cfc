"""What a proxy takes when nobody calls, told apart: it is no call's share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bench.accounting import cpu_seconds
from bench.load import Report

_WATCHED = 4.0  # seconds


async def idle_share(*pids: int) -> float:
    """The share of one processor that the processes take together when nobody calls."""
    before = cpu_seconds(*pids)
    await asyncio.sleep(_WATCHED)
    return (cpu_seconds(*pids) - before) / _WATCHED


def without_idling(reports: Sequence[Report], share: float) -> list[float]:
    """Microseconds of CPU for each call, less what would have been taken without any."""
    return [(one.cpu - share * one.seconds) / one.calls * 1e6 for one in reports]
