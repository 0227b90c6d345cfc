"""One life of one proxy process: the real application behind links, with the calls it is serving."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Mapping
from random import Random
from typing import Any, TypeVar

from proxy.core.silence import SilentSignals
from proxy.core.stage import StoreName
from proxy.stores.memory.store import MemoryFence, MemoryStore
from proxy.wiring import App, Parts
from tests.simulation.links import Link, LinkedControl, LinkedFeed, LinkedFence, LinkedStore
from tests.simulation.process import Process, running
from tests.simulation.recipes import Recipe
from tests.simulation.shared import Shared, SharedFeed, SimulatedClock
from tests.simulation.virtual_time import virtual_loop

T = TypeVar("T")

LEASE = 0.6
STARTING = 10.0
"""Seconds after which a replica that has not started is given up."""
SKEW = 0.2
"""Seconds by which a replica's clock may be off."""

Ways = Mapping[str, Link]


class SimulatedReplica:
    """`start` it once; it serves from then until it crashes."""

    def __init__(self, name: str, rng: Random, shared: Shared, recipe: Recipe) -> None:
        self.name = name
        self.process = Process(name)
        loss = rng.choice(recipe.loss)
        self.links: Ways = {
            way: Link(Random(rng.random()), loss, recipe.late_share) for way in ("mongo", "dynamo", "control")
        }
        self.front = Link(Random(rng.random()))
        self.is_serving = False
        self._calls: set[asyncio.Task[Any]] = set()
        self._context = contextvars.copy_context()
        self._context.run(running.set, self.process)
        clock = SimulatedClock(Random(rng.random()), rng.uniform(-SKEW, SKEW))
        self.app = App(_parts(name, clock, shared, self.links))

    async def start(self) -> bool:
        """Start the application; False when it could not, and is gone: the control store was out of reach."""
        starting = self.run(self.app.start())
        await self.wait_for(starting, STARTING)
        if self.process.is_dead or not starting.done() or starting.exception():
            self.crash()
        else:
            self.is_serving = True
        return self.is_serving

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of this process."""
        task = asyncio.create_task(work, context=self._context.copy())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever waits may be gone
        return task

    async def wait_for(self, task: asyncio.Task[T], seconds: float) -> None:
        """Wait for a task of this process as long as one may, and as the process lives."""
        await asyncio.wait((task, self.process.death), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    @property
    def follows_the_feed(self) -> bool:
        return any(one.status().is_leading for one in self.app.reconcilers.values())

    @property
    def is_idle(self) -> bool:
        return not self._calls

    def crash(self) -> None:
        """Its clients see broken connections; nobody sees anything else of it, ever."""
        self.is_serving = False
        self.process.kill()

    def thaw(self) -> None:
        virtual_loop().go_on_with(self.process.thaw())

    def let_end(self) -> None:
        """The world is over: what was stopped may be cancelled."""
        self.process.dissolve()
        self.thaw()

    def broken_tasks(self) -> list[str]:
        """What ended of the application's own tasks that never should."""
        tasks = (*self.app._tasks, *self.app.membership._tasks)
        failed = [task for task in tasks if task.done() and not task.cancelled() and task.exception()]
        return [f"{self.name}: {task.get_name()} ended in {task.exception()!r}" for task in failed]


def _parts(name: str, clock: SimulatedClock, shared: Shared, links: Ways) -> Parts:
    """The application's surroundings as it reaches them through its links."""
    collection, tables = shared.collection, shared.tables
    ways = {StoreName.MONGODB: links["mongo"], StoreName.DYNAMODB: links["dynamo"]}
    stores = {
        store: LinkedStore(MemoryStore(collection, store, tables[store]), link, shared.chronicle)
        for store, link in ways.items()
    }
    feeds = {store: LinkedFeed(SharedFeed(tables[store], clock), link) for store, link in ways.items()}
    return Parts(
        collections=(collection,),
        stores={collection.name: stores},
        fences={collection.name: LinkedFence(MemoryFence(tables[StoreName.MONGODB]), links["mongo"])},
        feeds={collection.name: feeds},
        control=LinkedControl(shared.control, links["control"]),
        divergences=shared.divergences,
        clock=clock,
        signals=SilentSignals(),
        replica_id=name,
        address=name,
        lease=LEASE,
    )
