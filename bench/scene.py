"""Everything that is measured, standing ready at once: stores, proxies, an echo, a worker a contender.

What is compared is measured in turns, round by round, in changing order, so that a machine that grows slower
or faster meanwhile favours nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from pymongo import MongoClient

from bench.contenders import Boto, Direct, Drivers, HandWritten, Nothing, Wire
from bench.crew import Served, Worker
from bench.documents import DOCUMENTS, QUEUED, SIZES_KB, Operation, document_of
from bench.echo import serve
from bench.items import item_of
from bench.load import Job, Report
from bench.messages import METHODS, SERVICE, request_of
from bench.site import DIRECT, LARGE, REVERSED, SHADOWED, STAGES, Proxy, Site, bring, open_site
from bench.wire import connect
from crossfade import AsyncMigrationClient, Stage

ECHOED = (Operation.READ, Operation.LIST, Operation.INSERT, Operation.UPDATE, Operation.RESERVE)
LARGE_DOCUMENTS = 8
"""Of each size, numbered from the size's place times 100 on."""

FIRST = 1_000_000
"""The number of a document that every table gets before any gets more: at each put DynamoDB Local goes
through all stream records up to the table's first, and would be slower for those that came late."""

Contest: TypeAlias = Mapping[str, tuple[Worker, Job]]
Reports: TypeAlias = Mapping[str, list[Report]]
Between: TypeAlias = Callable[[], Awaitable[None]]


async def _no_delay() -> None: ...


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done: `rounds` of each comparison that a budget rests on, `others` of those that only fill
    tables, and the share of a full run's calls."""

    rounds: int
    others: int
    scale: float

    def calls(self, full: int) -> int:
        return int(full * self.scale)


QUICK = Effort(rounds=3, others=1, scale=0.2)
FULL = Effort(rounds=5, others=4, scale=1.0)


@dataclass(frozen=True, slots=True)
class Scene:
    """`one` calls the first proxy, `two` both in turn; the other workers are the alternatives."""

    site: Site
    effort: Effort
    proxies: tuple[Proxy, Proxy]
    echo: Served
    one: Worker
    two: Worker
    echoing: Worker
    direct: Worker
    boto: Worker
    hand_written: Worker
    drivers: Worker
    nothing: Worker

    @property
    def both(self) -> tuple[int, ...]:
        """The proxies' processes: whichever of them reconciles what was written, the work is billed."""
        return tuple(proxy.pid for proxy in self.proxies)

    async def compete(self, contest: Contest, rounds: int = 0, between: Between = _no_delay) -> Reports:
        """Everybody's reports, a round's at the same place; `between` is awaited before each round and after
        the last. Raises RuntimeError if any call failed, or if more than one in a hundred left the mirror to
        the reconciler: these would be no dual writes.
        """
        before = await self._deferred()
        reports = await compete(contest, rounds or self.effort.rounds, between)
        deferred = await self._deferred() - before
        if deferred * 100 > sum(report.calls for found in reports.values() for report in found):
            raise RuntimeError(f"{deferred} mirror writes were deferred: the machine is too busy to measure")
        return reports

    async def _deferred(self) -> int:
        """Mirror writes that the proxies have not made inline so far."""
        count = 0
        for proxy in self.proxies:
            async with AsyncMigrationClient(proxy.address) as operator:
                count += sum(one.mirror.deferred for one in await operator.list_collections())
        return count


async def compete(contest: Contest, rounds: int, between: Between = _no_delay) -> Reports:
    """See `Scene.compete`."""
    found: dict[str, list[Report]] = {name: [] for name in contest}
    for number in range(rounds):
        await between()
        for name in list(contest)[:: -1 if number % 2 else 1]:
            worker, job = contest[name]
            report = await worker.run(job)
            if report.failures:
                raise RuntimeError(f"{name}: {report.failures} calls failed: {report.complaint}")
            found[name].append(report)
    await between()
    return found


@asynccontextmanager
async def reverse(scene: Scene) -> AsyncIterator[None]:
    """Have DynamoDB as primary of one collection, then no more: following it keeps DynamoDB Local busy."""
    async with AsyncMigrationClient(scene.proxies[0].address) as operator:
        await operator.move_stage(REVERSED, Stage.DYNAMO_PRIMARY, reason="bench", override=True)
        try:
            yield
        finally:
            await operator.move_stage(REVERSED, Stage.MONGO_PRIMARY, reason="bench", override=True)


@asynccontextmanager
async def open_scene(effort: Effort) -> AsyncIterator[Scene]:
    """Start and load everything; takes most of half a minute."""
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(open_site())
        rates = {**dict.fromkeys((DIRECT, LARGE, REVERSED, *STAGES), 0.0), **SHADOWED}
        file = site.declare("collections", rates)
        first = await stack.enter_async_context(site.proxy(file, "control"))
        second = await stack.enter_async_context(site.proxy(file, "control"))
        enter = stack.enter_async_context
        one = await enter(Worker(Wire, (first.address,)))
        await _load(site, first, one)
        echo = await enter(Served(serve, await _answers_of(first)))
        yield Scene(
            site,
            effort,
            (first, second),
            echo,
            one,
            await enter(Worker(Wire, (first.address, second.address))),
            await enter(Worker(Wire, (echo.address,))),
            direct=await enter(Worker(Direct, site.places)),
            boto=await enter(Worker(Boto, site.places)),
            hand_written=await enter(Worker(HandWritten, site.places)),
            drivers=await enter(Worker(Drivers, site.places)),
            nothing=await enter(Worker(Nothing)),
        )


async def _load(site: Site, proxy: Proxy, worker: Worker) -> None:
    mirrored = dict.fromkeys((LARGE, *SHADOWED, REVERSED), Stage.MONGO_PRIMARY)
    await bring(proxy, {**STAGES, **mirrored})
    await asyncio.to_thread(_put_directly, site, [FIRST])
    for name in (*STAGES, *mirrored):
        await _insert(worker, name, 1, FIRST)
    for name in (*STAGES, REVERSED, *SHADOWED):
        await _insert(worker, name, DOCUMENTS, 0)
    for name in (*STAGES, REVERSED, "shadow_100"):
        await _insert(worker, name, QUEUED, -QUEUED)
    for place, size in enumerate(SIZES_KB):
        await _insert(worker, LARGE, LARGE_DOCUMENTS, place * 100, size)
    await asyncio.to_thread(_copy_directly, site)


async def _insert(worker: Worker, name: str, count: int, first: int, size_kb: float = 0.5) -> None:
    mix = {Operation.INSERT: 1.0}
    job = Job(name, mix, count, clients=16, keys=count, first=first, size_kb=size_kb)
    await compete({name: (worker, job)}, rounds=1)


def _copy_directly(site: Site) -> None:
    """The alternatives' own documents: as an application without a proxy has them, in both stores."""
    places = site.places
    numbers: Sequence[int] = range(-QUEUED, DOCUMENTS)
    with MongoClient[dict[str, object]](places.mongodb) as mongo:
        collection = mongo[places.database][places.collection]
        collection.delete_many({})
        collection.insert_many([document_of(number) for number in numbers])
    _put_directly(site, numbers)


def _put_directly(site: Site, numbers: Sequence[int]) -> None:
    boto = Boto(site.places)
    asyncio.run(boto.open())
    for number in numbers:
        item = item_of(document_of(number))
        boto.client.put_item(TableName=site.places.table, Item=item)


async def _answers_of(proxy: Proxy) -> dict[Operation, bytes]:
    """What the proxy answers to each operation, for the echo."""
    connection = await connect(proxy.address)
    answers = {}
    for operation in ECHOED:
        number = 900_000 if operation is Operation.INSERT else 1
        request = request_of("mongo_primary", operation, number)
        answers[operation] = await connection.call(SERVICE + METHODS[operation], request)
    connection.close()
    return answers
