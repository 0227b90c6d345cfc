"""What moving 200,000 existing documents takes, and whether anything gets lost or goes unseen on the way.

    python -m bench.move [--documents 200000] [--rate 30]

On real stores, under live traffic through a proxy: the backfill of two workers against a bare loop, which
runs before and after it, so that a machine that grows slower or faster meanwhile favours neither; a backfill
whose workers are killed three times; a verify that must find fourteen kinds of planted corruption and nothing
else, in memory that does not grow with the collection; a repair that must close them all. The last line is
one JSON object. Exits 0 only if every budget is met.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import uvloop
from pymongo import AsyncMongoClient

from bench.moving.corruption import CHANGES, KINDS, NEEDED, Saboteur
from bench.moving.documents import key_of, spread
from bench.moving.ground import DRAIN, Ground, open_ground, say
from bench.moving.judgement import Judgement
from bench.moving.traffic import Traffic
from crossfade import DivergenceKind, JobKind
from crossfade.codec import read_document
from crossfade.v1 import migration_pb2 as pb
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings

SMALL, LARGE = "webtasks-1", "webtasks-2"
KILLS = 3
RATIO, PEAK_MB, GROWTH = 0.8, 200.0, 1.15
SLOWEST = 20.0
"""Seconds that a backfill takes at least whose workers are killed: a small one would be over before that."""


@dataclass(slots=True)
class Found:
    """What is printed at the end. Rates are documents a second, memory is in megabytes; `bare_loop_rate` is
    the mean of the `bare_loop_rates` before and after the backfill."""

    documents: int = 0
    backfill_vs_bare_loop: float = 0.0
    backfill_rate: float = 0.0
    bare_loop_rate: float = 0.0
    bare_loop_rates: list[float] = field(default_factory=list)
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

    def compare(self) -> None:
        """The backfill with the bare loops on both sides of it."""
        self.bare_loop_rate = statistics.fmean(self.bare_loop_rates)
        self.backfill_vs_bare_loop = round(self.backfill_rate / self.bare_loop_rate, 3)

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


def name_in(row: pb.Divergence) -> str:
    return str(read_document(row.key)["webtask_name"])


def _tell(rows: Sequence[pb.Divergence], what: str) -> None:
    """What ought not to be there, the first of it, for whoever has to find out why it is."""
    for row in rows[:10]:
        say(f"{what}: {DivergenceKind(row.kind).name} {name_in(row)}: {row.description}")


@dataclass(slots=True)
class Move:
    """One run of the benchmark: a part after the other, each on a ground of its own."""

    total: int
    rate: float
    found: Found

    async def run(self) -> None:
        await self._run_bare_loop("before")
        await self._run_backfill()
        await self._run_bare_loop("after")
        self.found.compare()
        rates = " and ".join(f"{rate:.0f}/s" for rate in self.found.bare_loop_rates)
        say(f"bare loop {rates}, backfill {self.found.backfill_rate:.0f}/s")
        async with open_ground({SMALL: self.total // 10, LARGE: self.total}, self.rate) as ground:
            await self._survive(ground)
            await self._verify_small(ground)
            await self._spoil_and_mend(ground)

    async def _run_bare_loop(self, when: str) -> None:
        async with open_ground({LARGE: self.total}, self.rate) as ground:
            traffic = ground.traffic(LARGE)
            self.found.bare_loop_rates.append(await ground.bare_loop(LARGE))
            await self._note(traffic, f"bare loop {when}")

    async def _run_backfill(self) -> None:
        """Two workers, under the same live traffic."""
        async with open_ground({LARGE: self.total}, self.rate) as ground:
            traffic, workers = ground.traffic(LARGE), await ground.workers(2)
            self.found.backfill_rate = self.total / await ground.backfill(LARGE)
            await workers.stop()
            self._judged(await ground.judge(LARGE, traffic))
            await self._note(traffic, "backfill")

    async def _survive(self, ground: Ground) -> None:
        """A backfill whose workers are killed, three times, well before its end."""
        traffic, workers = ground.traffic(LARGE), await ground.workers(2)
        running = asyncio.create_task(ground.backfill(LARGE, self.total / SLOWEST))
        for number in range(1, KILLS + 1):
            await ground.progress(LARGE, JobKind.BACKFILL, number / (KILLS + 2))
            await workers.kill_one()
            self.found.kills += not running.done()
            say(f"kill {number}")
        await running
        await ground.backfill(SMALL)
        await workers.stop()
        self._judged(await ground.judge(LARGE, traffic))
        await self._note(traffic, "backfill, killed")

    async def _verify_small(self, ground: Ground) -> None:
        workers = await ground.workers(1)
        job = await ground.job(SMALL, JobKind.VERIFY)
        self.found.verify_peak_mb_20k = round(workers.peak_mb(), 1)
        await workers.stop()
        self.found.false_alarms += not job.clean

    async def _spoil_and_mend(self, ground: Ground) -> None:
        saboteur = await self._spoil(ground)
        traffic, workers = ground.traffic(LARGE), await ground.workers(1)
        began = time.monotonic()
        job = await ground.job(LARGE, JobKind.VERIFY)
        self.found.verify_rate = round(job.done / (time.monotonic() - began), 1)
        self.found.verify_peak_mb_200k = round(workers.peak_mb(), 1)
        self._count(saboteur, await ground.unclosed(LARGE))
        say(f"repair: {await ground.operator.repair(LARGE, last_verify=True)}")
        again = await ground.job(LARGE, JobKind.VERIFY)
        left = await ground.unclosed(LARGE)
        _tell(left, "not closed")
        self.found.unrepaired = len(left) + (not again.clean)
        await self._note(traffic, "verify")
        await workers.stop()

    async def _spoil(self, ground: Ground) -> Saboteur:
        """Some documents have been written through the proxy before, so that there are versions to spoil."""
        settings = DynamoSettings(endpoint=ground.site.stack.stores.dynamodb.address)
        dynamo = await ground.cleanup.enter_async_context(DynamoStores(settings))
        declared = ground.declared(LARGE)
        saboteur = Saboteur(dynamo, declared, dynamo.collection(declared), {})
        numbers = list(spread(self.total, NEEDED + 1))
        documents = ground.client[LARGE]
        for number in numbers[len(CHANGES) :]:
            await documents.update_one(key_of(number), {"$set": {"touched": True}})
        victim = await saboteur.record(numbers[-1])
        await documents.delete_one(key_of(numbers[-1]))
        await ground.drained(LARGE)
        await self._forgotten(ground, numbers[-1])
        await saboteur.plant(numbers[:-1], self.total)
        await saboteur.resurrect(numbers[-1], victim)
        return saboteur

    async def _forgotten(self, ground: Ground, number: int) -> None:
        """Until MongoDB has let go of a tombstone: before, its reconciler would undo what is planted."""
        client: AsyncMongoClient[Any] = AsyncMongoClient(ground.site.stack.stores.mongodb.address)
        declared = ground.declared(LARGE)
        async with client, asyncio.timeout(DRAIN):
            documents = client[declared.mongo_database][declared.mongo_collection]
            while await documents.count_documents(key_of(number)):  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    def _count(self, saboteur: Saboteur, rows: Sequence[pb.Divergence]) -> None:
        seen = set(map(name_in, rows))
        kinds = Counter(saboteur.planted.values())
        missed = Counter(kind for name, kind in saboteur.planted.items() if name not in seen)
        self.found.planted_kinds, self.found.found_kinds = len(kinds), len(kinds) - len(missed)
        self.found.planted = len(saboteur.planted)
        self.found.found = self.found.planted - sum(missed.values())
        self.found.false_alarms += len(seen - saboteur.planted.keys())
        say(f"planted {dict(kinds)}, missed {dict(missed)}")
        _tell([row for row in rows if name_in(row) not in saboteur.planted], "not planted")

    def _judged(self, judged: Judgement) -> None:
        self.found.missing += judged.missing
        self.found.overwritten += judged.overwritten + judged.extra

    async def _note(self, traffic: Traffic, phase: str) -> None:
        await traffic.stop()
        self.found.live_median_ms[phase] = round(traffic.median_ms, 1)
        self.found.live_calls += traffic.calls
        self.found.live_failures += traffic.failures


async def measure(total: int, rate: float) -> Found:
    """One run on stores of its own."""
    found = Found(documents=total)
    await Move(total, rate, found).run()
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
