"""The traffic: workers of every sort on a few connections to both proxies, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from crossfade import AsyncClient, CrossfadeError
from examples.demo.data import ExampleData
from examples.demo.ledger import Ledger
from examples.demo.meter import Meter
from examples.demo.workers import Worker
from examples.demo.workers.cron import CronWorker
from examples.demo.workers.desk import Desk
from examples.demo.workers.modules import ModuleBuilder
from examples.demo.workers.readers import Reader
from examples.demo.workers.storage import StorageWriter
from examples.demo.workers.webtasks import CodePusher, WebtaskOwner

CONNECTIONS = 3
PAUSE = 0.06
"""Seconds that a worker thinks between two steps, so that a small machine is busy but not choking."""

HOT_WEBTASKS = 200


@dataclass(slots=True)
class Traffic:
    """What the traffic has done so far."""

    ledger: Ledger = field(default_factory=Ledger)
    meter: Meter = field(default_factory=Meter)


@asynccontextmanager
async def run_traffic(addresses: Sequence[str], data: ExampleData, traffic: Traffic) -> AsyncIterator[None]:
    """Traffic while the block runs; at its end every worker finishes its step."""
    traffic.ledger.entries.update(data.entries())
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(AsyncClient(list(addresses))) for _ in range(CONNECTIONS)]
        tasks = [
            asyncio.create_task(_work(each, traffic, stopping)) for each in _workers(clients, data, traffic)
        ]
        try:
            yield
            stopping.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _work(worker: Worker, traffic: Traffic, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            await worker.step()
        except CrossfadeError:
            pass  # the meter has counted it; the next step is a new try
        except Exception as error:  # the application met something that cannot be
            traffic.ledger.stale_reads.append(f"{type(worker).__name__}: {error!r}")
        await asyncio.sleep(PAUSE)


def _workers(clients: Sequence[AsyncClient], data: ExampleData, traffic: Traffic) -> list[Worker]:
    number = 0

    def desk(kind: str) -> Desk:
        nonlocal number
        number += 1
        client = clients[number % len(clients)]
        return Desk(client, traffic.ledger, traffic.meter, f"{kind}-{number}")

    hot = data.names("webtasks")[:HOT_WEBTASKS]
    workers: list[Worker] = [WebtaskOwner(desk("owner")) for _ in range(3)]
    workers += [CodePusher(desk("pusher"), hot) for _ in range(2)]
    workers += [StorageWriter(desk("writer")) for _ in range(3)]
    workers += [CronWorker(desk("daemon")) for _ in range(3)]
    workers += [ModuleBuilder(desk("builder")) for _ in range(2)]
    workers += [Reader(desk("reader"), data) for _ in range(3)]
    return workers
