"""One soak, from empty stores to the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.write_concern import WriteConcern

from crossfade import Stage
from proxy.embedded.stores import Stores
from tests.faults.bypass import Bypass
from tests.faults.site import Site, open_site
from tests.faults.verdict import Evidence, Verdict, judge
from tests.fixtures.waiting import until
from tests.soak.clients import COLLECTIONS, Clients
from tests.soak.judgement import Course, Growth, Pace, growths, paces
from tests.soak.nuisance import Nuisance
from tests.soak.sampling import METRICS, Sample, Sampler, Yardstick
from tests.soak.troubles import PROGRAMME, Programme, Troubles

REPLICAS = 2
PACE = 0.15
"""Seconds between two calls of a client, on average: the machine must not be what is measured."""
CYCLE = 120.0
"""Seconds that one cycle of troubles takes, about."""
SAMPLES = 200
"""Samples of each process, about."""
REST = 60.0
"""Seconds in which all queues must be empty once the traffic is over."""
SETTLED = ("shadow", "recheck", "report")
"""Queues in which nothing may wait any more once everything is over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a soak tried and found; `wrong` are sentences, none where all is sound."""

    tried: Mapping[str, int]
    verdict: Verdict
    course: Course
    growths: tuple[Growth, ...]
    paces: tuple[Pace, ...]
    samples: tuple[Sample, ...]
    failed: Mapping[str, int]
    answers: tuple[str, ...] = ()
    """What bad input was answered with, where that is wrong."""

    @property
    def wrong(self) -> tuple[str, ...]:
        trends = [fault for one in self.growths for fault in one.faults()]
        trends += [fault for one in self.paces for fault in one.faults()]
        said = (*self.verdict.faults, *_internal(self.failed), *self.answers)
        return (*said, *trends, *_left_in(self.samples))


async def soak(
    stores: Stores,
    seconds: float,
    *,
    programme: Programme = PROGRAMME,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Load for so many seconds, while the programme befalls it; `environment` is told to the proxies too."""
    told = {**METRICS, **(environment or {})}
    async with open_site(stores, replicas=REPLICAS, collections=COLLECTIONS, environment=told) as site:
        await site.bring(Stage.MONGO_PRIMARY, *COLLECTIONS)
        clients = Clients(site, pace=PACE)
        try:
            await clients.prepare()
            return await _soak(site, clients, seconds, programme)
        finally:
            await clients.close()


async def _soak(site: Site, clients: Clients, seconds: float, programme: Programme) -> Outcome:
    evidence = Evidence()
    bypass = Bypass(site, clients.books.ledger, clients.deployment, pace=PACE)
    nuisance, sampler = Nuisance(site.addresses), Sampler(site, clients.books, max(0.5, seconds / SAMPLES))
    clients.start()
    async with _yardstick(site) as yardstick, sampler, nuisance:
        troubles = Troubles(site, evidence, bypass)
        async with bypass:
            await troubles.run(programme, seconds, max(1, round(seconds / CYCLE)))
            course = troubles.course()
        await clients.stop()
        verdict = await judge("soak", site, clients, evidence)
        await _come_to_rest(sampler)
    return Outcome(
        _tried(clients, nuisance, bypass, course),
        verdict,
        course,
        tuple(growths(sampler.samples, course)),
        tuple(paces(clients.books.samples, yardstick.samples, course)),
        tuple(sampler.samples),
        clients.books.failures,
        tuple(nuisance.wrong),
    )


async def _come_to_rest(sampler: Sampler) -> None:
    """Look until nothing waits, or REST is over: what is left then is told. Proxies read their gauges once a
    second, and the judgement's own reads are compared too, so that a single look may still see them."""

    async def is_at_rest() -> bool:
        await sampler.look()
        return not _left_in(tuple(sampler.samples))

    with suppress(TimeoutError):
        await until(is_at_rest, timeout=REST, pause=1.0)


@asynccontextmanager
async def _yardstick(site: Site) -> AsyncIterator[Yardstick]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(site.stack.stores.mongodb.address)
    database = f"{site.control}_yardstick"
    async with client:
        documents = client[database].get_collection("calls", write_concern=WriteConcern("majority"))
        async with Yardstick(documents) as yardstick:
            yield yardstick
        await client.drop_database(database)


def _tried(clients: Clients, nuisance: Nuisance, bypass: Bypass, course: Course) -> Mapping[str, int]:
    """How often everything was tried, by what it is."""
    books = clients.books
    tried = Counter({"reads": sum(not one.is_write for one in books.samples)})
    tried["acknowledged writes"] = books.acknowledged
    tried["reservations"] = len(books.ledger.owned)
    tried += clients.done
    tried += nuisance.refused
    for what, count in bypass.done.items():
        tried[f"past the proxy, {what}"] += count
    for window in course.windows:
        tried[window.name] += 1
    return tried


def _internal(failed: Mapping[str, int]) -> list[str]:
    told = {what: count for what, count in failed.items() if what.startswith("INTERNAL")}
    return [f"{count} calls failed with {what}" for what, count in told.items()]


def _left_in(samples: tuple[Sample, ...]) -> list[str]:
    """What still waits at the end."""
    last = {one.replica: one for one in samples}
    return [
        f"queues: {one.queues[name]} wait in {name} of {one.replica} when all is over"
        for one in last.values()
        for name in SETTLED
        if one.queues.get(name)
    ]
