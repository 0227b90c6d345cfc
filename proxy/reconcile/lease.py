"""One holder at a time, for progress and not for safety: whoever loses it unnoticed does no harm."""

from __future__ import annotations

import asyncio
import contextlib

from proxy.core.errors import CrossfadeError
from proxy.core.ports import Control


class Lease:
    """A lease of `seconds` in the control store, renewed when a third of it has passed."""

    def __init__(self, control: Control, name: str, holder: str, seconds: float) -> None:
        self._control = control
        self._name = name
        self._holder = holder
        self._seconds = seconds
        self._until = 0.0
        self.is_held = False

    async def hold(self) -> bool:
        """Take or renew it where that is due; says whether it is held. Raises nothing: while the control
        store is silent, the lease is held for as long as it was granted."""
        asked_at = _seconds()
        if self.is_held and asked_at < self._until - self._seconds * 2 / 3:
            return True
        try:
            self.is_held = await self._control.acquire_lease(self._name, self._holder, self._seconds)
        except CrossfadeError:
            self.is_held = self.is_held and _seconds() < self._until
            return self.is_held
        self._until = asked_at + self._seconds
        return self.is_held

    async def release(self) -> None:
        """Give it up, so that nobody has to wait; within a second, or not at all."""
        if not self.is_held:
            return
        self.is_held = False
        with contextlib.suppress(CrossfadeError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._control.release_lease(self._name, self._holder)


def _seconds() -> float:
    return asyncio.get_running_loop().time()
