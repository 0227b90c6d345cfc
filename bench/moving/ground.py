"""Stores of its own, a proxy and documents for each part of the benchmark, with what every part does there.

At each put into a table with a stream, DynamoDB Local goes through its stream records from the very first to
the table's first. So whoever came second on the same one would lose, and every table gets a record at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient

from bench.moving.documents import insert, key_of
from bench.moving.judgement import Judgement, judge
from bench.moving.traffic import Traffic
from bench.moving.workers import ROOT, Workers
from crossfade import AsyncClient, AsyncMigrationClient, DivergenceState, JobKind, Stage
from crossfade.v1 import migration_pb2 as pb
from proxy.core.collection import Collection
from proxy.embedded.child import spawn
from proxy.embedded.stores import open_stores
from proxy.reconcile.reconciler import TIP
from tests.faults.site import Site, open_site

FIRST = 0
"""The number of the document that every table has from the start; the traffic's, see `spread`."""
DRAIN = 60.0
AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")


@dataclass(slots=True)
class Ground:
    """One collection in MONGO_PRIMARY, or several, of so many documents each, and one proxy."""

    site: Site
    client: AsyncClient
    totals: dict[str, int]
    rate: float
    cleanup: AsyncExitStack

    @property
    def operator(self) -> AsyncMigrationClient:
        return self.site.replicas[0].operator

    def declared(self, name: str) -> Collection:
        return next(one for one in self.site.stack.collections if one.name == name)

    async def bare_loop(self, name: str) -> float:
        """Documents a second of the loop that a backfill is measured by, into the very table that the live
        traffic is mirrored to."""
        stack = self.site.stack
        arguments = [
            stack.stores.mongodb.address,
            stack.stores.dynamodb.address,
            stack.environment["CROSSFADE_COLLECTIONS"],
            name,
        ]
        log = stack.directory / "bare.log"
        command = [sys.executable, "-m", "bench.moving.bare", *arguments]
        child = spawn("bare", command, log, ROOT, stack.environment)
        await asyncio.to_thread(child.process.wait)
        return float(child.output().strip().splitlines()[-1])

    async def workers(self, count: int) -> Workers:
        workers = Workers(self.site.stack.environment, self.site.stack.directory)
        self.cleanup.push_async_callback(workers.stop)
        await workers.start(count)
        return workers

    def traffic(self, name: str) -> Traffic:
        """Live calls, from now on."""
        traffic = Traffic(self.client, name, self.totals[name], self.rate)
        self.cleanup.push_async_callback(traffic.stop)
        traffic.start()
        return traffic

    async def backfill(self, name: str, max_rate: float = 0.0) -> float:
        """Seconds that it took, at no more than `max_rate` documents a second (0: no limit)."""
        began = time.monotonic()
        job = await self.job(name, JobKind.BACKFILL, max_rate)
        took = time.monotonic() - began
        say(f"backfill of {name}: {dict(job.counts)} in {took:.1f} s")
        if not job.clean:
            raise RuntimeError(f"the backfill of {name} is not clean: {job}")
        return took

    async def job(self, name: str, kind: JobKind, max_rate: float = 0.0) -> pb.Job:
        """The job at its end."""
        return await self.operator.wait_for_job(await self.operator.start_job(name, kind, max_rate=max_rate))

    async def progress(self, name: str, kind: JobKind, share: float) -> None:
        """Until such a share of the documents is done."""
        while True:
            jobs = (await self.operator.get_collection(name)).jobs
            done = max((job.done for job in jobs if job.kind == kind.value), default=0)
            if done >= share * self.totals[name]:
                return
            await asyncio.sleep(0.1)

    async def unclosed(self, name: str) -> list[pb.Divergence]:
        rows = await self.operator.list_divergences(collection=name, limit=10_000)
        return [row for row in rows if row.state != DivergenceState.CLOSED.value]

    async def judge(self, name: str, traffic: Traffic) -> Judgement:
        """End the traffic, and compare everything."""
        await traffic.stop()
        await self.drained(name)
        stores, declared = self.site.stack.stores, self.declared(name)
        judged = await judge(
            stores.mongodb.address, stores.dynamodb.address, declared, self.totals[name], traffic.expected
        )
        say(f"{name}: {judged}")
        return judged

    async def drained(self, name: str) -> None:
        """Until the feed has brought all that was deferred."""
        async with asyncio.timeout(DRAIN):
            quiet = 0
            while quiet < 4:
                mirror = (await self.operator.get_collection(name)).mirror
                quiet = quiet + 1 if not mirror.pending and not mirror.lag.ToNanoseconds() else 0
                await asyncio.sleep(0.5)


@asynccontextmanager
async def open_ground(totals: dict[str, int], rate: float) -> AsyncIterator[Ground]:
    """Stores, a proxy, and so many documents of each collection that were there before both."""
    async with (
        open_stores() as stores,
        open_site(
            stores,
            replicas=1,
            is_linked=False,
            collections=tuple(totals),
            settings={"shadow_rate": 0.1, "tombstone_grace": 1},
            environment={"CROSSFADE_JOBS": "none"},
        ) as site,
        AsyncClient(site.addresses, timeout=20.0) as client,
        AsyncExitStack() as cleanup,
    ):
        os.environ.update({name: site.stack.environment[name] for name in AWS})
        ground = Ground(site, client, totals, rate, cleanup)
        await _fill(ground)
        for name in totals:
            await client[name].update_one(key_of(FIRST), {"$set": {"first": True}})
        yield ground


async def _fill(ground: Ground) -> None:
    client: AsyncMongoClient[Any] = AsyncMongoClient(ground.site.stack.stores.mongodb.address)
    async with client:
        for name, total in ground.totals.items():
            declared = ground.declared(name)
            await insert(client, declared.mongo_database, declared.mongo_collection, total)
    await asyncio.sleep(1.5 * TIP + 2.0)  # so that the feed, which is followed from the move on, is past that
    for name in ground.totals:
        await ground.site.move(name, Stage.MONGO_PRIMARY)


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
