"""Writers of one key in this process take turns, so that they do not spend each other's tries (and money)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from proxy.core.keys import Key


class Turns:
    """A queue for each key that somebody waits for; the others cost nothing.

    A courtesy only: nothing depends on it, since every put is conditional.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, key: Key) -> AsyncIterator[bool]:
        """Wait for the key's turn and keep it; gives whether there was somebody to wait for."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        has_waited = lock.locked()
        async with lock:
            yield has_waited
