"""How one replica reaches the shared world: every call may be late, lost, answered after all, or cut short.

A link stands between a replica and a store. When the replica's process stops, its links stop with it: what
it was doing stops between two awaits, for good when it was killed, for a while when it was frozen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import Random
from typing import Any, TypeVar

from proxy.core.errors import Outcome, Unavailable
from proxy.core.exchange import ApplyResult, FeedBatch, Page, Segment
from proxy.core.flag import Flag
from proxy.core.keys import Key
from proxy.core.query import PageRequest, Plan
from proxy.core.stage import StoreName
from proxy.core.update import Update
from proxy.core.version import Record, Stamp
from proxy.core.write import Command, WriteResult
from proxy.faultpoint import faultpoint
from proxy.stores.memory.control import MemoryControl
from proxy.stores.memory.feed import MemoryFeed
from proxy.stores.memory.store import MemoryStore

T = TypeVar("T")


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
        """What passes before and after every atomic moment of a call that leaves no trace when cut short."""
        await self.send()
        if self._process.is_stopped:
            await self._process.go_on()

    async def send(self) -> None:
        """A message on its way: once it is sent, nothing that happens to the sender holds it up."""
        if self._process.is_stopped:
            await self._process.go_on()
        await asyncio.sleep(self._delay())
        if self.is_cut or (self.loss and self._rng.random() < self.loss):
            await asyncio.sleep(self._rng.uniform(0.0, 0.3))
            raise Unavailable("the connection broke", outcome=Outcome.UNKNOWN)

    async def post(self, call: Callable[[], Awaitable[T]]) -> T:
        """Have a write done at the other end. Whoever is cut short while it is on its way, or gives it up,
        does not call it back."""

        async def deliver() -> T:
            await self.send()
            return await call()

        await faultpoint("simulation.before_put")
        if self._process.is_stopped:
            await self._process.go_on()
        delivery = asyncio.create_task(deliver())
        delivery.add_done_callback(lambda done: done.cancelled() or done.exception())
        answer = await asyncio.shield(delivery)
        await self.pause()
        return answer

    def _delay(self) -> float:
        dice = self._rng.random()
        if self.slowness:
            return self.slowness * 2 * dice
        return 0.4 * self._rng.random() if self._quiet_loss and dice < 0.02 else 0.008 * dice * dice


class LinkedStore:
    """A shared store as one replica reaches it (see `core.ports.CollectionStore`)."""

    def __init__(self, shared: MemoryStore, link: Link) -> None:
        self.store = shared.store
        self._shared = shared
        self._link = link

    async def prepare(self) -> tuple[str, ...]:
        return ()

    async def get(self, keys: Sequence[Key]) -> list[Record | None]:
        return await self._ask(lambda: self._shared.get(keys))

    async def find(self, plan: Plan, page: PageRequest) -> Page:
        return await self._ask(lambda: self._shared.find(plan, page))

    async def count(self, plan: Plan, scan_budget: int) -> int:
        return await self._ask(lambda: self._shared.count(plan, scan_budget))

    async def write(self, command: Command, stamp: Stamp) -> WriteResult:
        await self._look_first()
        return await self._link.post(lambda: self._shared.write(command, stamp))

    async def write_first(self, plan: Plan, update: Update, stamp: Stamp) -> WriteResult:
        await self._look_first()
        return await self._link.post(lambda: self._shared.write_first(plan, update, stamp))

    async def _look_first(self) -> None:
        """DynamoDB's adapter reads before it writes; what changed in between makes it decide again, so that
        it is as if it had decided at the moment of the write."""
        if self.store is StoreName.DYNAMODB:
            await self._link.pause()

    async def apply(self, record: Record) -> ApplyResult:
        return await self._link.post(lambda: self._shared.apply(record))

    async def restamp(self, record: Record, stamp: Stamp, floor: int) -> Record | None:
        return await self._link.post(lambda: self._shared.restamp(record, stamp, floor))

    async def purge(self, tombstone: Record) -> bool:
        return await self._link.post(lambda: self._shared.purge(tombstone))

    async def scan(self, segment: Segment, after: Key | None = None) -> AsyncIterator[Record]:
        async for record in self._shared.scan(segment, after):
            await self._link.pause()
            yield record

    async def estimate(self) -> int:
        return await self._ask(self._shared.estimate)

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._link.pause()
        answer = await call()
        await self._link.pause()
        return answer


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
