"""How one replica reaches the shared world: every call may be late, lost, answered after all, or cut short.

A link stands between a replica and a store. What was sent is out of the replica's hands: it arrives, late or
out of order, even if its sender is dead by then.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import Random
from typing import Any, TypeVar

from proxy.core.confirmed import Write
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
from proxy.stores.memory.store import MemoryFence, MemoryStore
from tests.simulation.chronicle import Chronicle

T = TypeVar("T")

BEFORE_WRITE = "simulation.before_write"
"""A replica has passed the door, and its write is not yet on its way to the primary."""
BEFORE_APPLY = "simulation.before_apply"
"""The same for what goes to a mirror, and for what the reconciler writes."""


class Link:
    """One replica's way to one store. Chances are per step, times are virtual seconds; `slowness` is the mean
    time that a message takes, `queueing` the longest that a call waits in the replica for a connection,
    `news_delay` the longest that a change stream is behind."""

    def __init__(self, rng: Random, loss: float = 0.0, late_share: float = 0.0) -> None:
        self._rng = rng
        self._outside = contextvars.copy_context()
        self.loss = loss
        self.is_cut = False
        self.slowness = self.queueing = self.news_delay = 0.0
        self._quiet_loss = loss
        self._late_share = late_share

    def heal(self) -> None:
        """Undo what a nemesis did to it."""
        self.is_cut, self.loss = False, self._quiet_loss
        self.slowness = self.queueing = self.news_delay = 0.0

    def calm(self) -> None:
        """From now on nothing goes wrong here."""
        self._quiet_loss = self._late_share = 0.0
        self.heal()

    async def travel(self) -> None:
        """What passes before and after every atomic moment of a call."""
        await asyncio.sleep(self._delay())
        if self.is_cut or (self.loss and self._rng.random() < self.loss):
            await asyncio.sleep(self._rng.uniform(0.0, 0.3))
            raise Unavailable("the connection broke", outcome=Outcome.UNKNOWN)

    async def queue(self) -> None:
        """Wait for a connection."""
        await asyncio.sleep(self.queueing * self._rng.random())

    async def call(self, do: Callable[[], Awaitable[T]]) -> T:
        """Wait for a connection, and send."""
        await self.queue()
        return await self.send(do)

    async def send(self, do: Callable[[], Awaitable[T]]) -> T:
        """Have something done at the other end. Whoever is killed or stopped meanwhile, or gives it up, does
        not call it back: it is done, and its answer waits."""

        async def deliver() -> T:
            await self.travel()
            answer = await do()
            await self.travel()
            return answer

        delivery = asyncio.create_task(deliver(), context=self._outside)
        delivery.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(delivery)

    def _delay(self) -> float:
        dice = self._rng.random()
        if self.slowness:
            return self.slowness * 2 * dice
        return 0.4 * self._rng.random() if dice < self._late_share else 0.008 * dice * dice

    async def hear(self) -> None:
        """What news from a change stream takes."""
        if self.news_delay:
            await asyncio.sleep(self.news_delay * self._rng.random())
        await self.travel()


class LinkedStore:
    """A shared store as one replica reaches it (see `core.ports.CollectionStore`)."""

    def __init__(self, shared: MemoryStore, link: Link, chronicle: Chronicle) -> None:
        self.store = shared.store
        self._shared = shared
        self._link = link
        self._chronicle = chronicle

    async def prepare(self) -> tuple[str, ...]:
        return ()

    async def get(self, keys: Sequence[Key]) -> list[Record | None]:
        return await self._link.call(lambda: self._shared.get(keys))

    async def versions(self, keys: Sequence[Key]) -> list[Write | None]:
        return await self._link.call(lambda: self._shared.versions(keys))

    async def find(self, plan: Plan, page: PageRequest) -> Page:
        return await self._link.call(lambda: self._shared.find(plan, page))

    async def count(self, plan: Plan, scan_budget: int) -> int:
        return await self._link.call(lambda: self._shared.count(plan, scan_budget))

    async def estimate(self) -> int:
        return await self._link.call(self._shared.estimate)

    async def write(self, command: Command, stamp: Stamp) -> WriteResult:
        return await self._decide(stamp, lambda: self._shared.write(command, stamp))

    async def write_first(self, plan: Plan, update: Update, stamp: Stamp) -> WriteResult:
        return await self._decide(stamp, lambda: self._shared.write_first(plan, update, stamp))

    async def _decide(self, stamp: Stamp, write: Callable[[], Awaitable[WriteResult]]) -> WriteResult:
        async def decide() -> WriteResult:
            result = await write()
            if result.matched and not result.repeated:
                self._chronicle.decided(stamp.epoch, self.store)
            return result

        await self._link.queue()
        if self.store is StoreName.DYNAMODB:
            # Its adapter reads before it writes; what changed in between makes it decide again, so that it is
            # as if it had decided at the moment of the write.
            await self._link.travel()
        await faultpoint(BEFORE_WRITE)
        return await self._link.send(decide)

    async def apply(self, record: Record, *, is_metered: bool = False) -> ApplyResult:
        await faultpoint(BEFORE_APPLY)
        return await self._link.call(lambda: self._shared.apply(record, is_metered=is_metered))

    async def restamp(self, record: Record, stamp: Stamp, floor: int) -> Record | None:
        async def renew() -> Record | None:
            renewed = await self._shared.restamp(record, stamp, floor)
            if renewed is not None:
                self._chronicle.decided(renewed.version.epoch, self.store)
            return renewed

        await faultpoint(BEFORE_APPLY)
        return await self._link.call(renew)

    async def purge(self, tombstone: Record) -> bool:
        await faultpoint(BEFORE_APPLY)
        return await self._link.call(lambda: self._shared.purge(tombstone))

    async def scan(self, segment: Segment, after: Key | None = None) -> AsyncIterator[Record]:
        async for record in self._shared.scan(segment, after):
            await self._link.travel()
            yield record


class LinkedFence:
    """MongoDB's fence as one replica reaches it (see `core.ports.Fence`)."""

    def __init__(self, shared: MemoryFence, link: Link) -> None:
        self._shared = shared
        self._link = link

    async def raise_to(self, epoch: int) -> None:
        await self._link.call(lambda: self._shared.raise_to(epoch))

    async def current(self) -> int:
        return await self._link.call(self._shared.current)

    async def lift(self) -> None:
        await self._link.call(self._shared.lift)


class LinkedControl:
    """The shared control store as one replica reaches it (see `core.ports.Control`)."""

    def __init__(self, shared: MemoryControl, link: Link) -> None:
        self._shared = shared
        self._link = link

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._shared, name)

        async def call(*args: Any) -> Any:
            return await self._link.call(lambda: method(*args))

        self.__dict__[name] = call
        return call

    async def watch(self) -> AsyncIterator[Flag]:
        """Flags may arrive late; while cut off, they do not arrive at all."""
        async for flag in self._shared.watch():
            try:
                await self._link.hear()
            except Unavailable:
                continue
            yield flag


class LinkedFeed:
    """A shared feed as one replica reaches it (see `core.ports.Feed`)."""

    def __init__(self, shared: MemoryFeed, link: Link) -> None:
        self._shared = shared
        self._link = link

    async def tip(self) -> str:
        return await self._link.call(self._shared.tip)

    async def mark(self) -> str:
        return await self._link.call(self._shared.mark)

    async def follow(self, position: str) -> AsyncIterator[FeedBatch]:
        """Batches come late, and after a lost connection all the same."""
        async for batch in self._shared.follow(position):
            while True:
                try:
                    await self._link.travel()
                    break
                except Unavailable:
                    continue
            yield batch
