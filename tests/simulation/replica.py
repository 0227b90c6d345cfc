"""One life of one proxy process: the real application behind links, with the calls it is serving."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

from proxy.core.collection import Collection
from proxy.core.errors import CrossfadeError
from proxy.core.ports import DivergenceLog
from proxy.core.silence import SilentSignals
from proxy.core.stage import StoreName
from proxy.flow.pipeline import Pipeline
from proxy.stores.memory.store import MemoryFence, MemoryStore
from proxy.wiring import App, Parts
from tests.simulation.links import Link, LinkedControl, LinkedFeed, LinkedStore, Process
from tests.simulation.shared import SharedControl, SharedFeed, SharedTable, SimulatedClock

T = TypeVar("T")

LEASE = 0.6
SKEW = 0.2
"""Seconds by which a replica's clock may be off."""

current: contextvars.ContextVar[SimulatedReplica | None] = contextvars.ContextVar("replica", default=None)
"""The replica whose code is running."""


class SimulatedReplica:
    """`start` it once; it serves from then until it crashes."""

    def __init__(
        self,
        name: str,
        rng: Random,
        collection: Collection,
        tables: dict[StoreName, SharedTable],
        control: SharedControl,
        divergences: DivergenceLog,
    ) -> None:
        self.name = name
        self.process = Process()
        loss = rng.choice([0.0, 0.01, 0.04])
        self.links = {
            way: Link(self.process, Random(rng.random()), loss)
            for way in ("mongo", "dynamo", "control", "front")
        }
        self.links["front"].calm()
        self.is_serving = False
        self._calls: set[asyncio.Task[Any]] = set()
        self._context = contextvars.copy_context()
        self._context.run(current.set, self)
        clock = SimulatedClock(Random(rng.random()), rng.uniform(-SKEW, SKEW))
        ways = {StoreName.MONGODB: self.links["mongo"], StoreName.DYNAMODB: self.links["dynamo"]}
        self.app = App(
            Parts(
                collections=(collection,),
                stores={
                    collection.name: {
                        store: LinkedStore(MemoryStore(collection, store, tables[store]), link)
                        for store, link in ways.items()
                    }
                },
                fences={collection.name: MemoryFence(tables[StoreName.MONGODB], self.links["mongo"].pause)},
                feeds={
                    collection.name: {
                        store: LinkedFeed(SharedFeed(tables[store], clock), link)
                        for store, link in ways.items()
                    }
                },
                control=LinkedControl(control, self.links["control"]),
                divergences=divergences,
                clock=clock,
                signals=SilentSignals(),
                replica_id=name,
                address=name,
                lease=LEASE,
            )
        )

    async def start(self) -> None:
        """Start the application, as often as it takes while the control store is out of reach."""
        while not self.is_serving:
            try:
                await self.run(self.app.start())
            except CrossfadeError:
                await asyncio.sleep(0.1)
            else:
                self.is_serving = not self.process.is_dead

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that belongs to this replica: it ends with it, and moments know whose they are."""
        task = asyncio.create_task(work, context=self._context.copy())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever waits may be gone
        return task

    def serve(self, request: Callable[[Pipeline], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """A request from outside: on its way here, served, and the reply on its way back."""
        front = self.links["front"]

        async def journey() -> T:
            await front.pause()
            answer = await request(self.app.pipeline)
            await front.pause()
            return answer

        return self.run(journey())

    @property
    def is_idle(self) -> bool:
        return not self._calls

    def crash(self) -> None:
        """Its clients see broken connections; nobody sees anything else of it, ever."""
        self.is_serving = False
        self.process.kill()
        for task in list(self._calls):
            task.cancel()

    def broken_tasks(self) -> list[str]:
        """What ended of the application's own tasks that never should."""
        tasks = (*self.app._tasks, *self.app.membership._tasks)
        failed = [task for task in tasks if task.done() and not task.cancelled() and task.exception()]
        return [f"{self.name}: {task.get_name()} ended in {task.exception()!r}" for task in failed]
