"""Whether cost grows only as the work does: with clients, with the size of documents, with collections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bench.accounting import Spread, ratio_of, spread
from bench.budgets import Results
from bench.contenders import Wire
from bench.costs import cpu
from bench.crew import Worker
from bench.documents import DOCUMENTS, SIZES_KB, Operation
from bench.idling import Idling, without_idling
from bench.load import READS, UPDATES, Job, fewest_calls
from bench.scene import LARGE_DOCUMENTS, Reports, Scene, compete
from bench.site import LARGE

CLIENTS = (1, 8, 16, 32, 64)
COLLECTIONS = 500
_CLIENTS_TABLE = "proxy CPU of a call, µs, by clients"
_SIZES_TABLE = "proxy CPU of a call, µs, by the size of the document (MONGO_PRIMARY)"
_CONFIGURED_TABLE = "proxy CPU by configured collections (MONGO_ONLY)"
_SETTLED = 12.0
"""Seconds after which a proxy that has just started for the first time has taken a feed position of each
collection; from then on it takes a few a second."""
_WATCHED = 2.5
"""Seconds that proxies are watched at a time while nobody calls."""


async def clients(scene: Scene, results: Results) -> None:
    """From 1 to 64 concurrent clients; the budget is about the dearer of reads and dual writes."""
    ratios, calls = [], scene.effort.calls(400)
    for label, mix in (("point read", READS), ("conditional update", UPDATES)):
        contest = {
            str(count): (scene.one, Job("mongo_primary", mix, calls, count, billed=scene.both))
            for count in CLIENTS
        }
        reports = await scene.compete(contest)
        for count, rounds in reports.items():
            results.tell(_CLIENTS_TABLE, label, **{count: spread(cpu(rounds)).median})
        ratios.append(ratio_of(cpu(reports["64"]), cpu(reports["8"])))
    results.add("cpu_64_vs_8_clients", _worst(ratios), calls)


async def sizes(scene: Scene, results: Results) -> None:
    """From half a kilobyte to what DynamoDB can hold, read, updated and replaced."""
    slopes, calls = [], 0
    for operation in (Operation.READ, Operation.UPDATE, Operation.REPLACE):
        contest = {
            str(size): (scene.one, _job(scene, operation, place)) for place, size in enumerate(SIZES_KB)
        }
        reports = await scene.compete(contest)
        costs = {size: cpu(reports[str(size)]) for size in SIZES_KB}
        for size, found in costs.items():
            results.tell(_SIZES_TABLE, operation.value, **{f"{size:g} KB": spread(found).median})
        slope = _slope(costs)
        results.tell(_SIZES_TABLE, operation.value, per_KB_vs_linear=slope.median)
        slopes.append(slope)
        calls = fewest_calls(*reports.values())
    results.add("large_document_cpu_vs_linear", _worst(slopes), calls)


async def collections(scene: Scene, results: Results) -> None:
    """A call's share only: what a proxy does by itself, for each of its collections, is told apart."""
    site = scene.site
    names = [f"c{number:03}" for number in range(COLLECTIONS)]
    many = site.declare("many", dict.fromkeys(names, 0.0))
    alone = site.declare("alone", dict.fromkeys(names[:1], 0.0))
    async with (
        site.proxy(many, "many") as crowded,
        site.proxy(alone, "alone") as lonely,
        Worker(Wire, (crowded.address,)) as at_crowded,
        Worker(Wire, (lonely.address,)) as at_lonely,
    ):
        fill = Job(names[0], {Operation.INSERT: 1.0}, DOCUMENTS, 16, keys=DOCUMENTS)
        await asyncio.gather(at_lonely.run(fill), asyncio.sleep(_SETTLED))
        calls = scene.effort.calls(3_000)
        contest = {
            "500": (at_crowded, Job(names[0], READS, calls, billed=(crowded.pid,))),
            "1": (at_lonely, Job(names[0], READS, calls, billed=(lonely.pid,))),
        }
        await compete(contest, 1)
        idling = Idling((crowded.pid, lonely.pid), _WATCHED)
        reports = await scene.compete(contest, between=idling.watch)
    shares = {"500": idling.share(crowded.pid), "1": idling.share(lonely.pid)}
    _tell_collections(results, reports, shares)


def _tell_collections(results: Results, reports: Reports, shares: Mapping[str, float]) -> None:
    found = {count: without_idling(reports[count], share) for count, share in shares.items()}
    for count, share in shares.items():
        results.tell(
            _CONFIGURED_TABLE,
            count,
            us_a_call=spread(found[count]).median,
            with_idling=spread(cpu(reports[count])).median,
            idle_share=share,
        )
    ratio = ratio_of(found["500"], found["1"])
    results.add("cpu_500_collections_ratio", ratio, fewest_calls(*reports.values()))


def _job(scene: Scene, operation: Operation, place: int) -> Job:
    size = SIZES_KB[place]
    calls = scene.effort.calls(600 if size < 10 else 80 if size < 100 else 30)
    return Job(
        LARGE,
        {operation: 1.0},
        calls,
        clients=2,
        billed=scene.both,
        size_kb=size,
        keys=LARGE_DOCUMENTS,
        first=place * 100,
    )


def _slope(costs: dict[float, list[float]]) -> Spread:
    """The cost of one more KB among large documents, over that among small ones."""
    small, middle, large = (costs[size] for size in (SIZES_KB[0], SIZES_KB[2], SIZES_KB[3]))
    lower, upper = SIZES_KB[2] - SIZES_KB[0], SIZES_KB[3] - SIZES_KB[2]
    return spread(
        [((c - b) / upper) / ((b - a) / lower) for a, b, c in zip(small, middle, large, strict=True)]
    )


def _worst(found: list[Spread]) -> Spread:
    return max(found, key=lambda one: one.median)
