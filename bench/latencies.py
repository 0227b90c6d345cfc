"""How long calls take at half load: beside PyMongo, with all reads compared, and while DynamoDB is gone.

Half load is half of the calls a second that the same calls get done here when nobody pauses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from bench.accounting import Spread, percentile, spread
from bench.budgets import Results
from bench.contenders import Wire
from bench.crew import Worker
from bench.load import READS, UPDATES, Job, Mix, Report, fewest_calls
from bench.scene import Scene, compete
from bench.site import DIRECT
from tests.faults.links import Link, Trouble

_CLIENTS = 32
_SHARE = 0.5
CALLS = 1_000
"""Of each round of a full run: at least `budgets.TAIL`, so that 99th percentiles are judged."""
_SETTLING = 0.5  # seconds for shadow reads that still wait
_READS = f"latency of point reads at half load, ms, {_CLIENTS} clients"
_WRITES = f"latency of dual writes at half load, ms, {_CLIENTS} clients"
_WAYS = {"refused": Trouble.CUT, "silent": Trouble.BLACKHOLE}


async def added(scene: Scene, results: Results) -> None:
    """What the proxy adds to a read, in round trips of the echo."""
    pause = await _pause_for(scene, "mongo_primary", READS)
    calls = scene.effort.calls(CALLS)
    reports = await scene.compete(
        {
            "echo": (scene.echoing, Job("echo", READS, calls, _CLIENTS, pause)),
            "PyMongo": (scene.direct, Job(DIRECT, READS, calls, _CLIENTS, pause)),
            "drivers": (scene.drivers, Job(DIRECT, READS, calls, _CLIENTS, pause)),
            "proxy": (scene.one, Job("mongo_primary", READS, calls, _CLIENTS, pause)),
        }
    )
    _tell(results, _READS, reports)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        echo, direct, proxy = (_milliseconds(reports[who], share) for who in ("echo", "PyMongo", "proxy"))
        more = spread([ours - theirs for ours, theirs in zip(proxy.values, direct.values, strict=True)])
        results.add(f"{name}_added_read_ms_vs_direct", more, calls, 2 * echo.median)


async def shadow(scene: Scene, results: Results) -> None:
    """Whether comparing every read makes the slow ones slower."""
    pause = await _pause_for(scene, "shadow_100", READS)
    calls = scene.effort.calls(CALLS)
    found: dict[str, list[Report]] = {"shadow_0": [], "shadow_100": []}
    for number in range(scene.effort.rounds + 2):
        for name in list(found)[:: -1 if number % 2 else 1]:
            await asyncio.sleep(_SETTLING)
            job = Job(name, READS, calls, _CLIENTS, pause, seed=number)
            found[name] += (await compete({name: (scene.one, job)}, 1))[name]
    _tell(results, _READS, found)
    results.add("shadow_100_p99_ratio", _p99_ratio(found["shadow_100"], found["shadow_0"]), calls)


async def outage(scene: Scene, results: Results) -> None:
    """Writes through a proxy whose DynamoDB goes away meanwhile, beside one whose DynamoDB is there."""
    pause = await _pause_for(scene, "mongo_primary", UPDATES)
    job = Job("mongo_primary", UPDATES, scene.effort.calls(CALLS), _CLIENTS, pause)
    ratios: list[float] = []
    failures: list[float] = []
    for label, trouble in _WAYS.items():
        async with _cut_off(scene) as (worker, link):
            for _ in range(max(2, scene.effort.rounds // 2)):
                there = (await compete({"there": (scene.one, job)}, 1))["there"]
                await link.fail(trouble)
                gone = await worker.run(job)
                await link.heal()
                _tell(results, _WRITES, {"DynamoDB there": there, f"DynamoDB gone ({label})": [gone]})
                ratios.append(_p99_ratio([gone], there).median)
                failures.append(float(gone.failures))
                await asyncio.sleep(2.0)  # the breaker closes, the reconciler catches up
    results.add("mirror_outage_p99_ratio", spread(ratios), job.calls)
    results.add("mirror_outage_errors", spread([sum(failures)]), job.calls * len(failures))


@asynccontextmanager
async def _cut_off(scene: Scene) -> AsyncIterator[tuple[Worker, Link]]:
    """One more proxy, which reaches DynamoDB by a link that may fail, and a worker that calls it."""
    dynamodb = urlsplit(scene.site.stores.dynamodb.address)
    assert dynamodb.hostname and dynamodb.port
    async with (
        Link(dynamodb.hostname, dynamodb.port) as link,
        scene.site.proxy(
            scene.site.directory / "collections.yaml",
            "control",
            CROSSFADE_DYNAMODB_ENDPOINT=f"http://127.0.0.1:{link.port}",
        ) as proxy,
        Worker(Wire, (proxy.address,)) as worker,
    ):
        await worker.run(Job("mongo_primary", UPDATES, 200))
        yield worker, link


async def _pause_for(scene: Scene, collection: str, mix: Mix) -> float:
    """How long each client pauses so that half of what one proxy can do is asked of it."""
    job = Job(collection, mix, scene.effort.calls(600), _CLIENTS)
    most = spread([(await scene.one.run(job)).rate for _ in range(2)]).high
    return _CLIENTS / (most * _SHARE)


def _tell(results: Results, table: str, reports: Mapping[str, list[Report]]) -> None:
    for name, rounds in reports.items():
        results.tell(
            table,
            name,
            p50=_milliseconds(rounds, 0.5).median,
            p95=_milliseconds(rounds, 0.95).median,
            p99=_milliseconds(rounds, 0.99).median,
            calls_a_second=spread([one.rate for one in rounds]).median,
            calls_a_round=fewest_calls(rounds),
        )


def _milliseconds(rounds: list[Report], share: float) -> Spread:
    return spread([percentile(one.latencies, share) * 1000 for one in rounds])


def _p99_ratio(above: list[Report], below: list[Report]) -> Spread:
    pairs = zip(_milliseconds(above, 0.99).values, _milliseconds(below, 0.99).values, strict=True)
    return spread([ours / theirs for ours, theirs in pairs])
