"""What an outage of the mirror costs the clients, measured against replicas without one at the same moments.

Calls through a replica whose mirror is gone and through one whose mirror is well take turns, call by call, on
the same machine and MongoDB, so that whatever else the machine does befalls both. Each replica has its turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from crossfade import AsyncClient, AsyncCollection
from tests.faults.links import Trouble
from tests.faults.looks import breakers_closed, breakers_open, caught_up
from tests.faults.moody import Mood
from tests.faults.site import TASKS, Replica, Site
from tests.faults.traffic import Traffic
from tests.faults.verdict import Evidence

PAIRS = 80
"""Reads, and writes, with and without the outage, for each kind of outage and replica."""
LIMIT = 1.1
"""Times the median latency without the outage."""

Times = Mapping[str, list[float]]
Break = Callable[[Site, Replica], Awaitable[None]]


async def time_outages(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """The mirror is down, hangs, throttles: with the breaker open nobody waits for it, and nothing fails."""
    for kind, strike in OUTAGES.items():
        well, broken = _nothing(), _nothing()
        for number, victim in enumerate(site.replicas):
            await strike(site, victim)
            await breakers_open(site, [victim])
            await _take_turns(site, traffic, number, well, broken)
            await _mend(site, victim)
            await breakers_closed(site)
            await caught_up(site)
        _compare(kind, well, broken, evidence)
    evidence.expect(not traffic.books.refused, "no call failed")


async def _take_turns(site: Site, traffic: Traffic, victim: int, well: Times, broken: Times) -> None:
    other = (victim + 1) % len(site.replicas)
    async with AsyncExitStack() as stack:
        pair = [
            (await _probe(stack, site, traffic, number), times)
            for number, times in ((victim, broken), (other, well))
        ]
        for turn in range(PAIRS):
            for probe, times in pair if turn % 2 else reversed(pair):
                await _look(probe, traffic.key(PROBE), times)


PROBE = "probe"


async def _probe(stack: AsyncExitStack, site: Site, traffic: Traffic, number: int) -> AsyncCollection:
    """A client of one replica that is connected; what it works on is there."""
    client = await stack.enter_async_context(AsyncClient(site.replicas[number].address))
    tasks = client[TASKS]
    await tasks.update_one(traffic.key(PROBE), {"$set": {"n": 0}}, upsert=True)
    return tasks


async def _look(probe: AsyncCollection, key: Mapping[str, Any], times: Times) -> None:
    for what, call in (
        ("reads", lambda: probe.find_one(key)),
        ("writes", lambda: probe.update_one(key, {"$inc": {"n": 1}})),
    ):
        began = time.monotonic()
        await call()
        times[what].append(time.monotonic() - began)


def _compare(kind: str, well: Times, broken: Times, evidence: Evidence) -> None:
    for what in well:
        ratio = statistics.median(broken[what]) / statistics.median(well[what])
        late = _p99(broken[what]) / _p99(well[what])
        evidence.expect(ratio <= LIMIT, f"{kind}: {what} took {ratio:.2f}x (p99 {late:.2f}x)")


def _p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def _nothing() -> Times:
    return {"reads": [], "writes": []}


async def _take_down(_: Site, replica: Replica) -> None:
    await replica.dynamo.fail(Trouble.CUT)


async def _hang(_: Site, replica: Replica) -> None:
    await replica.dynamo.fail(Trouble.BLACKHOLE)


async def _throttle(site: Site, replica: Replica) -> None:
    site.moody.be(1.0, [Mood.THROTTLED])
    replica.dynamo.lead_to("127.0.0.1", site.moody.port)


async def _mend(site: Site, replica: Replica) -> None:
    site.moody.be(0, ())
    replica.dynamo.lead_to(*site.dynamo_at)
    await replica.dynamo.heal()


OUTAGES: dict[str, Break] = {"down": _take_down, "hanging": _hang, "throttled": _throttle}
