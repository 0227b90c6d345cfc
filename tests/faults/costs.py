"""What an outage of the mirror costs the clients: calls with it and without it, in turns within one run."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.faults.links import Trouble
from tests.faults.looks import breakers_closed, breakers_open, caught_up
from tests.faults.moody import Mood
from tests.faults.site import Replica, Site
from tests.faults.traffic import Sample, Traffic
from tests.faults.verdict import Evidence

ROUNDS, WATCHED = 3, 3.0
"""How often healthy and broken times take turns for each kind of outage, and seconds of each."""
LIMIT = 1.1
"""Times the median latency without the outage."""

Break = Callable[[Site, Replica], Awaitable[None]]


async def time_outages(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """The mirror is down, hangs, throttles: with the breaker open nobody waits for it, and nothing fails."""
    healthy: dict[str, list[Sample]] = {kind: [] for kind in OUTAGES}
    broken: dict[str, list[Sample]] = {kind: [] for kind in OUTAGES}
    for _ in range(ROUNDS):
        for kind, strike in OUTAGES.items():
            healthy[kind] += await _watch(traffic)
            await asyncio.gather(*(strike(site, one) for one in site.replicas))
            await breakers_open(site)
            broken[kind] += await _watch(traffic)
            await asyncio.gather(*(_mend(site, one) for one in site.replicas))
            await breakers_closed(site)
            await caught_up(site)
    for kind in OUTAGES:
        _compare(kind, healthy[kind], broken[kind], evidence)
    evidence.expect(not traffic.books.failures, "no call failed")


def _compare(kind: str, healthy: Sequence[Sample], broken: Sequence[Sample], evidence: Evidence) -> None:
    for is_write, what in ((False, "reads"), (True, "writes")):
        before, after = _times(healthy, is_write), _times(broken, is_write)
        ratio = statistics.median(after) / statistics.median(before)
        late = statistics.quantiles(after, n=100)[98] / statistics.quantiles(before, n=100)[98]
        evidence.expect(ratio <= LIMIT, f"{kind}: {what} took {ratio:.2f}x (p99 {late:.2f}x)")


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


async def _watch(traffic: Traffic) -> Sequence[Sample]:
    """The calls that clients begin in the next seconds, and end."""
    began = time.monotonic()
    await asyncio.sleep(WATCHED)
    return [one for one in traffic.books.samples if one.began >= began]


def _times(samples: Sequence[Sample], is_write: bool) -> list[float]:
    return [one.took for one in samples if one.is_write == is_write]
