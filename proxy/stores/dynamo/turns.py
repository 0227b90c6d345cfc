"""Writers of one key in this process take turns, so that they do not spend each other's tries (and money)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from proxy.core.keys import Key


@dataclass(slots=True)
class _Queue:
    """Whoever waits for a key's turn or has it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class Turns:
    """A queue for each key that somebody has in hand; the others cost nothing.

    A courtesy only: nothing depends on it, since every put is conditional.
    """

    def __init__(self) -> None:
        self._queues: dict[Key, _Queue] = {}

    def is_taken(self, key: Key) -> bool:
        """Whether there is a queue for the key: who comes now and does not join it would spoil its tries."""
        return key in self._queues

    @asynccontextmanager
    async def turn(self, key: Key) -> AsyncIterator[bool]:
        """Wait for the key's turn and keep it; gives whether there was somebody to wait for."""
        queue = self._queues.setdefault(key, _Queue())
        has_waited = queue.length > 0
        queue.length += 1
        try:
            async with queue.lock:
                yield has_waited
        finally:
            queue.length -= 1
            if not queue.length:
                del self._queues[key]
