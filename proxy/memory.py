"""How much memory this process uses, told to whoever decides what it takes on."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from proxy.core.crowd import Crowd

EVERY = 1.0
"""Seconds between two looks."""

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Bytes that are resident; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except OSError:
        return 0


async def watch_memory(limit: int, crowd: Crowd) -> None:
    """Tell the crowd how much of `limit` megabytes is used, until cancelled."""
    while True:
        crowd.note_memory(resident() / (limit * 1024 * 1024))
        await asyncio.sleep(EVERY)
