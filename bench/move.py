"""What moving 200,000 existing documents takes, and whether anything gets lost or goes unseen on the way.

    python -m bench.move [--documents 200000] [--rate 30]

On real stores, under live traffic through a proxy: the backfill of two workers against a bare loop; a
backfill whose workers are killed three times; a verify that must find fourteen kinds of planted corruption
and nothing else, in memory that does not grow with the collection; a repair that must close them all. The
last line is one JSON object. Exits 0 only if every budget is met.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import uvloop
from pymongo import AsyncMongoClient

from bench.moving.corruption import CHANGES, KINDS, NEEDED, Saboteur
from bench.moving.documents import insert, key_of, spread
from bench.moving.judgement import Judgement, judge
from bench.moving.traffic import Traffic
from bench.moving.workers import ROOT, Workers
from crossfade import AsyncClient, DivergenceState, JobKind, Stage
from crossfade.codec import read_document
from crossfade.v1 import migration_pb2 as pb
from proxy.core.collection import Collection
from proxy.embedded.child import spawn
from proxy.embedded.stores import open_stores
from proxy.reconcile.reconciler import TIP
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from tests.faults.site import Site, open_site

SMALL, MEASURED, KILLED = "webtasks-1", "webtasks-2", "webtasks-3"
COLLECTIONS = (SMALL, MEASURED, KILLED)
KILLS = 3
RATIO, PEAK_MB, GROWTH = 0.8, 200.0, 1.15
DRAIN = 60.0
SLOWEST = 20.0
"""Seconds that a backfill takes at least whose workers are killed: a small one would be over before that."""
AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")


@dataclass(slots=True)
class Found:
    """What is printed at the end. Rates are documents a second, memory is in megabytes."""

    documents: int = 0
    backfill_vs_bare_loop: float = 0.0
    backfill_rate: float = 0.0
    bare_loop_rate: float = 0.0
    kills: int = 0
    missing: int = 0
    overwritten: int = 0
    planted_kinds: int = 0
    found_kinds: int = 0
    planted: int = 0
    found: int = 0
    false_alarms: int = 0
    unrepaired: int = 0
    verify_peak_mb_20k: float = 0.0
    verify_peak_mb_200k: float = 0.0
    verify_rate: float = 0.0
    live_calls: int = 0
    live_failures: int = 0
    live_median_ms: dict[str, float] = field(default_factory=dict)

    @property
    def is_met(self) -> bool:
        return (
            self.backfill_vs_bare_loop >= RATIO
            and self.kills == KILLS
            and not (self.missing or self.overwritten or self.false_alarms or self.unrepaired)
            and self.planted_kinds == self.found_kinds == KINDS
            and self.planted == self.found
            and max(self.verify_peak_mb_20k, self.verify_peak_mb_200k) < PEAK_MB
            and self.verify_peak_mb_200k < GROWTH * self.verify_peak_mb_20k
        )


@dataclass(slots=True)
class Move:
    """One run of the benchmark."""

    site: Site
    client: AsyncClient
    total: int
    rate: float
    found: Found
    cleanup: AsyncExitStack

    async def run(self) -> None:
        await self._prepare()
        await self._race()
        await self._backfill(SMALL)
        await self._survive()
        await self._verify_small()
        await self._spoil_and_mend()

    async def _prepare(self) -> None:
        say("documents are inserted")
        client: AsyncMongoClient[Any] = AsyncMongoClient(self.site.stack.stores.mongodb.address)
        async with client:
            for name in COLLECTIONS:
                declared = self._declared(name)
                total = self.total // 10 if name == SMALL else self.total
                await insert(client, declared.mongo_database, declared.mongo_collection, total)
        await asyncio.sleep(TIP + 2.0)  # so that the feed, which is followed from the move on, is past that
        for name in COLLECTIONS:
            await self.site.move(name, Stage.MONGO_PRIMARY)

    async def _race(self) -> None:
        """The bare loop and the backfill of two workers, each under the same live traffic."""
        traffic = self._traffic(MEASURED)
        self.found.bare_loop_rate = await self._bare_loop()
        self._note(traffic, "bare loop")
        workers = await self._workers(2)
        took = await self._backfill_with(MEASURED)
        self.found.backfill_rate = self.total / took
        self.found.backfill_vs_bare_loop = round(self.found.backfill_rate / self.found.bare_loop_rate, 3)
        self._note(traffic, "backfill")
        say(f"bare loop {self.found.bare_loop_rate:.0f}/s, backfill {self.found.backfill_rate:.0f}/s")
        await workers.stop()
        await self._judge(MEASURED, traffic)

    async def _survive(self) -> None:
        """A backfill whose workers are killed, three times, well before its end."""
        traffic, workers = self._traffic(KILLED), await self._workers(2)
        running = asyncio.create_task(self._backfill_with(KILLED, self.total / SLOWEST))
        for number in range(1, KILLS + 1):
            await self._wait_for_progress(KILLED, number / (KILLS + 2))
            await workers.kill_one()
            self.found.kills += not running.done()
            say(f"kill {number}")
        await running
        await workers.stop()
        await self._judge(KILLED, traffic)

    async def _verify_small(self) -> None:
        workers = await self._workers(1)
        job = await self._job(SMALL, JobKind.VERIFY)
        self.found.verify_peak_mb_20k = round(workers.peak_mb(), 1)
        await workers.stop()
        if not job.clean:
            self.found.false_alarms += 1

    async def _spoil_and_mend(self) -> None:
        saboteur = await self._spoil()
        traffic = self._traffic(KILLED)
        workers = await self._workers(1)
        began = time.monotonic()
        job = await self._job(KILLED, JobKind.VERIFY)
        self.found.verify_rate = round(job.done / (time.monotonic() - began), 1)
        self.found.verify_peak_mb_200k = round(workers.peak_mb(), 1)
        await self._count(saboteur)
        operator = self.site.replicas[0].operator
        report = await operator.repair(KILLED, last_verify=True)
        say(f"repair: {report}")
        again = await self._job(KILLED, JobKind.VERIFY)
        self.found.unrepaired = len(await self._unclosed()) + (not again.clean)
        self._note(traffic, "verify")
        await traffic.stop()
        await workers.stop()

    async def _spoil(self) -> Saboteur:
        """Some documents have been written through the proxy before, so that there are versions to spoil."""
        settings = DynamoSettings(endpoint=self.site.stack.stores.dynamodb.address)
        dynamo = await self.cleanup.enter_async_context(DynamoStores(settings))
        declared = self._declared(KILLED)
        saboteur = Saboteur(dynamo, declared, dynamo.collection(declared), {})
        numbers = list(spread(self.total, NEEDED + 1))
        documents = self.client[KILLED]
        for number in numbers[len(CHANGES) :]:
            await documents.update_one(key_of(number), {"$set": {"touched": True}})
        victim = await saboteur.record(numbers[-1])
        await documents.delete_one(key_of(numbers[-1]))
        await self._drained(KILLED)
        await self._forgotten(numbers[-1])
        await saboteur.plant(numbers[:-1], self.total)
        await saboteur.resurrect(numbers[-1], victim)
        return saboteur

    async def _forgotten(self, number: int) -> None:
        """Until MongoDB has let go of a tombstone: before, its reconciler would undo what is planted."""
        client: AsyncMongoClient[Any] = AsyncMongoClient(self.site.stack.stores.mongodb.address)
        declared = self._declared(KILLED)
        async with client, asyncio.timeout(DRAIN):
            documents = client[declared.mongo_database][declared.mongo_collection]
            while await documents.count_documents(key_of(number)):  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    async def _count(self, saboteur: Saboteur) -> None:
        seen = {str(read_document(row.key)["webtask_name"]) for row in await self._unclosed()}
        kinds = Counter(saboteur.planted.values())
        missed = Counter(kind for name, kind in saboteur.planted.items() if name not in seen)
        self.found.planted_kinds, self.found.found_kinds = len(kinds), len(kinds) - len(missed)
        self.found.planted = len(saboteur.planted)
        self.found.found = self.found.planted - sum(missed.values())
        self.found.false_alarms += len(seen - saboteur.planted.keys())
        say(f"planted {dict(kinds)}, missed {dict(missed)}")

    async def _unclosed(self) -> list[pb.Divergence]:
        operator = self.site.replicas[0].operator
        rows = await operator.list_divergences(collection=KILLED, limit=10_000)
        return [row for row in rows if row.state != DivergenceState.CLOSED.value]

    async def _backfill(self, name: str) -> None:
        workers = await self._workers(2)
        await self._backfill_with(name)
        await workers.stop()

    async def _backfill_with(self, name: str, max_rate: float = 0.0) -> float:
        """Seconds that it took, at no more than `max_rate` documents a second (0: no limit)."""
        began = time.monotonic()
        job = await self._job(name, JobKind.BACKFILL, max_rate)
        took = time.monotonic() - began
        say(f"backfill of {name}: {dict(job.counts)} in {took:.1f} s")
        if not job.clean:
            raise RuntimeError(f"the backfill of {name} is not clean: {job}")
        return took

    async def _job(self, name: str, kind: JobKind, max_rate: float = 0.0) -> pb.Job:
        operator = self.site.replicas[0].operator
        return await operator.wait_for_job(await operator.start_job(name, kind, max_rate=max_rate))

    async def _wait_for_progress(self, name: str, share: float) -> None:
        operator = self.site.replicas[0].operator
        while True:
            jobs = (await operator.get_collection(name)).jobs
            done = max((job.done for job in jobs if job.kind == JobKind.BACKFILL.value), default=0)
            if done >= share * self.total:
                return
            await asyncio.sleep(0.1)

    async def _bare_loop(self) -> float:
        stack = self.site.stack
        arguments = [
            stack.stores.mongodb.address,
            stack.stores.dynamodb.address,
            stack.environment["CROSSFADE_COLLECTIONS"],
            MEASURED,
            f"{self._declared(MEASURED).table}-bare",
        ]
        log = stack.directory / "bare.log"
        command = [sys.executable, "-m", "bench.moving.bare", *arguments]
        child = spawn("bare", command, log, ROOT, stack.environment)
        await asyncio.to_thread(child.process.wait)
        return float(child.output().strip().splitlines()[-1])

    async def _workers(self, count: int) -> Workers:
        workers = Workers(self.site.stack.environment, self.site.stack.directory)
        self.cleanup.push_async_callback(workers.stop)
        await workers.start(count)
        return workers

    def _traffic(self, name: str) -> Traffic:
        traffic = Traffic(self.client, name, self.total, self.rate)
        self.cleanup.push_async_callback(traffic.stop)
        traffic.start()
        return traffic

    async def _judge(self, name: str, traffic: Traffic) -> Judgement:
        await traffic.stop()
        await self._drained(name)
        stores, declared = self.site.stack.stores, self._declared(name)
        judged = await judge(
            stores.mongodb.address, stores.dynamodb.address, declared, self.total, traffic.expected
        )
        self.found.missing += judged.missing
        self.found.overwritten += judged.overwritten + judged.extra
        say(f"{name}: {judged}")
        return judged

    async def _drained(self, name: str) -> None:
        """Until the feed has brought all that was deferred."""
        async with asyncio.timeout(DRAIN):
            quiet = 0
            while quiet < 4:
                mirror = (await self.site.replicas[0].operator.get_collection(name)).mirror
                quiet = quiet + 1 if not mirror.pending and not mirror.lag.ToNanoseconds() else 0
                await asyncio.sleep(0.5)

    def _note(self, traffic: Traffic, phase: str) -> None:
        self.found.live_median_ms[phase] = round(traffic.median_ms, 1)
        self.found.live_calls += traffic.calls
        self.found.live_failures += traffic.failures

    def _declared(self, name: str) -> Collection:
        return next(one for one in self.site.stack.collections if one.name == name)


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


async def measure(total: int, rate: float) -> Found:
    """One run on stores of its own."""
    found = Found(documents=total)
    async with (
        open_stores() as stores,
        open_site(
            stores,
            replicas=1,
            is_linked=False,
            collections=COLLECTIONS,
            settings={"shadow_rate": 0.1, "tombstone_grace": 1},
            environment={"CROSSFADE_JOBS": "none"},
        ) as site,
        AsyncClient(site.addresses, timeout=20.0) as client,
        AsyncExitStack() as cleanup,
    ):
        os.environ.update({name: site.stack.environment[name] for name in AWS})
        await Move(site, client, total, rate, found, cleanup).run()
    return found


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--rate", type=float, default=30.0, help="live calls a second")
    options = parser.parse_args()
    found = await measure(options.documents, options.rate)
    budget = f"backfill >= {RATIO} x bare loop, nothing lost, all found, peak < {PEAK_MB:.0f} MB"
    print(f"budget ({budget}): {'met' if found.is_met else 'NOT met'}")
    print(json.dumps(asdict(found)))
    return 0 if found.is_met else 1


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
