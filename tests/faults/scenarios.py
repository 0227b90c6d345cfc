"""The faults, each a scenario: what befalls the site while clients work, and which alarms must sound."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from crossfade import CrossfadeError, Stage
from crossfade.v1 import migration_pb2 as pb
from proxy.embedded.addresses import Origin
from proxy.embedded.mongod import ReplicaSet
from proxy.embedded.stores import Store, Stores
from tests.faults.links import Trouble
from tests.faults.moody import Mood
from tests.faults.site import JOBS, TASKS, Site, open_site
from tests.faults.traffic import Sample, Traffic, traffic_on
from tests.faults.verdict import Evidence, Verdict, judge
from tests.fixtures.waiting import until

Drama = Callable[[Site, Traffic, Evidence], Awaitable[None]]

PATIENCE = 60.0
"""Seconds that anything may take to come about, on a machine that has other things to do."""
OUTAGES, WATCHED = 3, 3.0
"""Rounds in which healthy and broken times take turns, and seconds of each."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault by its name. `starts` is the stage in which traffic begins; `options` are `open_site`'s.

    `members` is how many mongods the replica set has; three are a set of the scenario's own.
    """

    name: str
    drama: Drama
    starts: Stage = Stage.MONGO_PRIMARY
    is_quick: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    members: int = 1


async def play(scenario: Scenario, site: Site) -> Verdict:
    """Let the drama happen under traffic, and judge what is left."""
    evidence = Evidence()
    await site.bring(scenario.starts, TASKS, JOBS)
    async with traffic_on(site) as traffic:
        await _written(traffic, 50)
        await scenario.drama(site, traffic, evidence)
        await _written(traffic, 50)
        await traffic.stop()
        return await judge(scenario.name, site, traffic, evidence)


class Theatre:
    """Where scenarios are played: a site is kept for the next one where that asks for the same."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._site: Site | None = None
        self._wanted: tuple[Mapping[str, Any], int] = ({}, 0)
        self._stack = AsyncExitStack()

    async def play(self, scenario: Scenario) -> Verdict:
        """The verdict; a scenario that ends early has one too, and leaves no site behind."""
        began = time.monotonic()
        try:
            verdict = await play(scenario, await self._site_for(scenario))
        except Exception as error:  # the others are worth seeing all the same
            await self.close()
            verdict = Verdict(scenario.name, 0, 0, 0, 0.0, (f"it ended early: {error!r}",), ())
        return replace(verdict, took=time.monotonic() - began)

    async def close(self) -> None:
        self._site = None
        await self._stack.aclose()

    async def _site_for(self, scenario: Scenario) -> Site:
        wanted = (scenario.options, scenario.members)
        if self._site is None or wanted != self._wanted:
            await self.close()
            self._site = await self._open(scenario)
            self._wanted = wanted
        return self._site

    async def _open(self, scenario: Scenario) -> Site:
        stores, mongods = self._stores, None
        if scenario.members > 1:
            mongods = await self._stack.enter_async_context(ReplicaSet(members=scenario.members))
            stores = Stores(Store(mongods.uri, Origin.EMBEDDED), stores.dynamodb)
        return await self._stack.enter_async_context(open_site(stores, mongods=mongods, **scenario.options))


# What happens


async def kill_between_stores(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """Its replica 0 is armed: it dies with a write in one store and not in the other."""
    await _died(site, 0, evidence)
    await _written(traffic, 100)
    await site.revive(0)


async def kill_coordinator(target: Stage, site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """Its replica 0 is armed, and dies as the coordinator of a change; the others bring it to an end."""
    before = await site.replicas[1].status(TASKS)
    try:
        await site.move(TASKS, target, by=0)
    except CrossfadeError:
        await _died(site, 0, evidence)
    else:
        evidence.wrong.append("the coordinator lived")
    began = time.monotonic()

    async def is_over() -> bool:
        now = await site.replicas[1].status(TASKS)
        return now.epoch > before.epoch and not now.HasField("change")

    await until(is_over, timeout=20.0)
    now = await site.replicas[1].status(TASKS)
    took = time.monotonic() - began
    evidence.expect(now.stage == target.value, f"finished by another {took:.1f} s after the death")
    await site.revive(0)


async def stop_through_flip(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """A replica stands still while the primary changes, and wakes up with writes of the past in its hands."""
    stopped = site.replicas[2]
    stopped.stop()
    response = await site.move(TASKS, Stage.DYNAMO_PRIMARY)
    hold = response.hold.ToNanoseconds() / 1e6
    evidence.expect(_is_at(response, Stage.DYNAMO_PRIMARY), f"flipped without it, writes held {hold:.0f} ms")
    await _written(traffic, 30)
    stopped.resume()


async def stop_coordinator(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """The coordinator, replica 0, stops itself before the fence; others take over; then it wakes up."""
    moving = asyncio.create_task(site.move(TASKS, Stage.DYNAMO_PRIMARY, by=0))
    await until(site.replicas[0].is_stopped, timeout=10.0)
    before = await site.replicas[1].status(TASKS)

    async def is_over() -> bool:
        return (await site.replicas[1].status(TASKS)).epoch > before.epoch

    await until(is_over, timeout=20.0)
    await _written(traffic, 30)
    site.replicas[0].resume()
    await asyncio.gather(moving, return_exceptions=True)
    await _one_stage(site, evidence)


async def lose_dynamo(trouble: Trouble, site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """The mirror is gone for all replicas: clients notice nothing, the breaker opens, all is healed later."""
    failed = traffic.books.failures.total()
    await asyncio.gather(*(one.dynamo.fail(trouble, delay=1.5) for one in site.replicas))
    await _breakers_open(site)
    evidence.notes.append("breaker open in all replicas")
    await _written(traffic, 100)
    evidence.expect(await _deferred(site) > 0, "deferred writes counted")
    evidence.expect(traffic.books.failures.total() == failed, "no call failed")
    await asyncio.gather(*(one.dynamo.heal() for one in site.replicas))
    await _breakers_closed(site)
    evidence.notes.append("closed after it")


async def time_outages(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """What a mirror that hangs costs the clients once the breaker is open, beside what they pay without."""
    healthy: list[Sample] = []
    without: list[Sample] = []
    for _ in range(OUTAGES):
        healthy += await _watch(traffic)
        await asyncio.gather(*(one.dynamo.fail(Trouble.BLACKHOLE) for one in site.replicas))
        await _breakers_open(site)
        without += await _watch(traffic)
        await asyncio.gather(*(one.dynamo.heal() for one in site.replicas))
        await _breakers_closed(site)
    for is_write, what in ((False, "reads"), (True, "writes")):
        before, after = _times(healthy, is_write), _times(without, is_write)
        ratio = statistics.median(after) / statistics.median(before)
        late = statistics.quantiles(after, n=100)[98] / statistics.quantiles(before, n=100)[98]
        mean = statistics.mean(after) / statistics.mean(before)
        evidence.expect(ratio <= 1.1, f"{what} took {ratio:.2f}x (mean {mean:.2f}x, p99 {late:.2f}x)")
    evidence.expect(not traffic.books.failures, "no call failed")


async def lose_primary(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """The primary of three mongods dies; another is elected; the dead one comes back and catches up."""
    assert site.mongods is not None
    dead = await site.mongods.primary()
    site.mongods.kill(dead)
    began = time.monotonic()
    elected = await site.mongods.primary()
    evidence.expect(elected.port != dead.port, f"another was primary after {time.monotonic() - began:.1f} s")
    await _written(traffic, 60)
    response = await site.move(TASKS, _other(await site.replicas[0].status(TASKS)))
    evidence.notes.append(f"flipped on two members, {_hold(response)}")
    await _written(traffic, 60)
    await site.mongods.revive(dead)


async def lose_mongo_of_one(trouble: Trouble, site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """One replica is cut from MongoDB, where the flags are too: it must not answer what it cannot know."""
    cut = site.replicas[2]
    await cut.mongo.fail(trouble)
    await _written(traffic, 60)
    response = await site.move(TASKS, _other(await site.replicas[0].status(TASKS)))
    evidence.expect(bool(response.hold.ToNanoseconds()), f"flipped without it, {_hold(response)}")
    await _written(traffic, 30)
    await cut.mongo.heal()


async def lose_control_of_one(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """One replica loses the control database alone: its lease ends its reads, the fence its writes."""
    cut = site.replicas[2]
    cut.mongo.lose(site.control)
    response = await site.move(TASKS, _other(await site.replicas[0].status(TASKS)))
    evidence.expect(bool(response.hold.ToNanoseconds()), f"flipped without it, {_hold(response)}")
    await _written(traffic, 100)
    cut.mongo.lose("")
    await _one_stage(site, evidence)


async def be_moody(
    moods: tuple[Mood, ...], share: float, site: Site, traffic: Traffic, evidence: Evidence
) -> None:
    """DynamoDB fails a share of the calls in its own words."""
    assert site.moody is not None
    site.moody.be(share, moods)
    await _written(traffic, 300)
    struck = {mood.value: site.moody.struck[mood] for mood in moods}
    evidence.expect(all(struck.values()), f"struck: {struck}")
    response = await site.move(TASKS, _other(await site.replicas[0].status(TASKS)))
    evidence.notes.append(f"flipped meanwhile, {_hold(response)}")
    await _written(traffic, 100)
    site.moody.be(0, ())


async def die_everywhere(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """All replicas die at one moment, and come back: nothing was kept in their memory alone."""
    for replica in site.replicas:
        replica.kill()
    await asyncio.gather(*(site.revive(number) for number in range(len(site.replicas))))
    evidence.notes.append("all replicas killed and started again")


# What is looked at


async def _written(traffic: Traffic, count: int) -> None:
    """Wait until the clients have had so many more writes acknowledged."""
    goal = traffic.books.acknowledged + count
    await until(lambda: traffic.books.acknowledged >= goal, timeout=PATIENCE)


async def _died(site: Site, number: int, evidence: Evidence) -> None:
    child = site.replicas[number].child
    await until(lambda: child.has_exited, timeout=PATIENCE)
    evidence.expect(child.process.returncode == -9, "the armed replica was killed")


async def _watch(traffic: Traffic) -> Sequence[Sample]:
    """The calls that clients begin in the next seconds, and end."""
    began = time.monotonic()
    await asyncio.sleep(WATCHED)
    return [one for one in traffic.books.samples if one.began >= began]


def _times(samples: Sequence[Sample], is_write: bool) -> list[float]:
    return [one.took for one in samples if one.is_write == is_write]


async def _breakers_open(site: Site) -> None:
    async def are_open() -> bool:
        found = await asyncio.gather(*(one.status(TASKS) for one in site.replicas))
        return all(one.mirror.breaker != pb.MirrorHealth.CLOSED for one in found)

    await until(are_open, timeout=PATIENCE)


async def _breakers_closed(site: Site) -> None:
    async def are_closed() -> bool:
        found = await asyncio.gather(*(one.status(TASKS) for one in site.replicas))
        return all(one.mirror.breaker == pb.MirrorHealth.CLOSED for one in found)

    await until(are_closed, timeout=PATIENCE)


async def _deferred(site: Site) -> int:
    found = await asyncio.gather(*(one.status(TASKS) for one in site.replicas))
    return sum(one.mirror.deferred for one in found)


async def _one_stage(site: Site, evidence: Evidence) -> None:
    """Every replica knows the same epoch again."""

    async def agree() -> bool:
        found = await asyncio.gather(*(one.status(TASKS) for one in site.replicas))
        return len({(one.epoch, one.stage) for one in found}) == 1

    await until(agree, timeout=15.0)
    evidence.notes.append("all replicas agree on the epoch")


def _is_at(response: pb.MoveStageResponse, stage: Stage) -> bool:
    return response.collection.stage == stage.value


def _other(collection: pb.Collection) -> Stage:
    """The primary's other place."""
    is_mongo = collection.stage == Stage.MONGO_PRIMARY.value
    return Stage.DYNAMO_PRIMARY if is_mongo else Stage.MONGO_PRIMARY


def _hold(response: pb.MoveStageResponse) -> str:
    return f"writes held {response.hold.ToNanoseconds() / 1e6:.0f} ms"
