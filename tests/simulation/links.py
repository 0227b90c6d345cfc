"""How one replica reaches the shared world: every call may be late, lost, answered after all, or cut short.

A link stands between a replica and a store. When the replica crashes, its links never answer again: whatever
it was doing stops between two awaits, as a killed process does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

from proxy.core.errors import Outcome, Unavailable
from proxy.core.flag import Flag
from proxy.core.ports import FeedBatch
from proxy.stores.memory.control import MemoryControl
from proxy.stores.memory.feed import MemoryFeed


class Link:
    """One replica's way to one store. All chances are per step; all times virtual seconds."""

    def __init__(self, rng: Random, loss: float = 0.0) -> None:
        self._rng = rng
        self.loss = loss
        self.is_dead = False
        self.is_cut = False
        self.is_calm = False
        self._frozen: asyncio.Event | None = None

    async def pause(self) -> None:
        """What passes before and after every atomic moment."""
        await self._stop_here()
        await asyncio.sleep(self._delay())
        await self._stop_here()
        if self.is_cut or (not self.is_calm and self._rng.random() < self.loss):
            await asyncio.sleep(self._rng.uniform(0.0, 0.3))
            raise Unavailable("the connection broke", outcome=Outcome.UNKNOWN)

    def freeze(self) -> None:
        """Stop where it stands, as SIGSTOP does."""
        self._frozen = self._frozen or asyncio.Event()

    def thaw(self) -> None:
        if self._frozen:
            self._frozen.set()
            self._frozen = None

    def _delay(self) -> float:
        slow = not self.is_calm and self._rng.random() < 0.03
        return self._rng.uniform(0.05, 0.6) if slow else self._rng.expovariate(1 / 0.003)

    async def _stop_here(self) -> None:
        if self.is_dead:
            await asyncio.Event().wait()
        while self._frozen:
            await self._frozen.wait()


class LinkedControl:
    """The shared control store as one replica reaches it (see `core.ports.Control`)."""

    def __init__(self, shared: MemoryControl, link: Link) -> None:
        self._shared = shared
        self._link = link

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._shared, name)

        async def call(*args: Any) -> Any:
            await self._link.pause()
            answer = await method(*args)
            await self._link.pause()
            return answer

        return call

    async def watch(self) -> AsyncIterator[Flag]:
        """Flags may arrive late; while cut off, they do not arrive at all."""
        async for flag in self._shared.watch():
            try:
                await self._link.pause()
            except Unavailable:
                continue
            yield flag


class LinkedFeed:
    """A shared feed as one replica reaches it (see `core.ports.Feed`)."""

    def __init__(self, shared: MemoryFeed, link: Link) -> None:
        self._shared = shared
        self._link = link

    async def tip(self) -> str:
        await self._link.pause()
        return await self._shared.tip()

    async def mark(self) -> str:
        await self._link.pause()
        return await self._shared.mark()

    async def follow(self, position: str) -> AsyncIterator[FeedBatch]:
        """Batches come late, and after a lost connection all the same."""
        async for batch in self._shared.follow(position):
            while True:
                try:
                    await self._link.pause()
                    break
                except Unavailable:
                    continue
            yield batch
