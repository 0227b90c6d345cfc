"""How one replica reaches the shared world: every call may be late, lost, answered after all, or cut short.

A link stands between a replica and a store. When the replica's process stops, its links stop with it: whatever
it was doing stops between two awaits, for good when it was killed, for a while when it was frozen.
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


class Process:
    """What SIGKILL and SIGSTOP act on."""

    def __init__(self) -> None:
        self.is_stopped = False
        self.is_dead = False
        self._thawed = asyncio.Event()

    def kill(self) -> None:
        self.is_dead = self.is_stopped = True

    def freeze(self) -> None:
        if not self.is_stopped:
            self.is_stopped = True
            self._thawed = asyncio.Event()

    def thaw(self) -> None:
        if not self.is_dead:
            self.is_stopped = False
            self._thawed.set()

    async def go_on(self) -> None:
        """Return when the process runs: never, for a dead one."""
        while self.is_stopped:
            await (asyncio.Event() if self.is_dead else self._thawed).wait()


class Link:
    """One replica's way to one store. Chances are per step, times are virtual seconds."""

    def __init__(self, process: Process, rng: Random, loss: float = 0.0) -> None:
        self._process = process
        self._rng = rng
        self.loss = loss
        self.is_cut = False
        self.slowness = 0.0
        self._quiet_loss = loss

    def heal(self) -> None:
        """Undo what a nemesis did to it."""
        self.is_cut, self.slowness, self.loss = False, 0.0, self._quiet_loss

    def calm(self) -> None:
        """From now on nothing goes wrong here."""
        self._quiet_loss = 0.0
        self.heal()

    async def pause(self) -> None:
        """What passes before and after every atomic moment."""
        process = self._process
        if process.is_stopped:
            await process.go_on()
        await asyncio.sleep(self._delay())
        if process.is_stopped:
            await process.go_on()
        if self.is_cut or (self.loss and self._rng.random() < self.loss):
            await asyncio.sleep(self._rng.uniform(0.0, 0.3))
            raise Unavailable("the connection broke", outcome=Outcome.UNKNOWN)

    def _delay(self) -> float:
        dice = self._rng.random()
        if self.slowness:
            return self.slowness * 2 * dice
        return 0.4 * self._rng.random() if self._quiet_loss and dice < 0.02 else 0.008 * dice * dice


class LinkedControl:
    """The shared control store as one replica reaches it (see `core.ports.Control`)."""

    def __init__(self, shared: MemoryControl, link: Link) -> None:
        self._shared = shared
        self._link = link

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._shared, name)
        pause = self._link.pause

        async def call(*args: Any) -> Any:
            await pause()
            answer = await method(*args)
            await pause()
            return answer

        self.__dict__[name] = call
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
