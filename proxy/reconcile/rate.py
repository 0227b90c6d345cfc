"""A limit on how many documents a second are moved, shared by all who move them."""

from __future__ import annotations

import asyncio


class Rate:
    """`per_second` None is no limit. Pauses are paid back: the rate holds over a second, not over a call."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._free_at = 0.0

    async def take(self, amount: int) -> None:
        """Wait until `amount` more documents may be moved."""
        if not self._per_second:
            return
        now = asyncio.get_running_loop().time()
        start = max(now, self._free_at)
        self._free_at = start + amount / self._per_second
        await asyncio.sleep(start - now)
