"""The faults, each a scenario: what befalls the site while clients work, and which alarms must sound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crossfade import CrossfadeError, Stage
from crossfade.v1 import migration_pb2 as pb
from proxy.embedded.stores import Stores
from tests.faults.links import Trouble
from tests.faults.moody import Mood
from tests.faults.site import JOBS, TASKS, Site, open_site
from tests.faults.traffic import Traffic, traffic_on
from tests.faults.verdict import Evidence, Verdict, judge
from tests.fixtures.waiting import until

Drama = Callable[[Site, Traffic, Evidence], Awaitable[None]]

OPEN = pb.MirrorHealth.OPEN


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault by its name. `starts` is the stage in which traffic begins; `options` are `open_site`'s."""

    name: str
    drama: Drama
    starts: Stage = Stage.MONGO_PRIMARY
    is_quick: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


async def play(scenario: Scenario, stores: Stores) -> Verdict:
    """Let the drama happen under traffic, and judge what is left."""
    async with open_site(stores, **scenario.options) as site:
        evidence = Evidence()
        await site.mirror(TASKS, JOBS)
        if scenario.starts is Stage.DYNAMO_PRIMARY:
            await site.cut_over(TASKS, JOBS)
        async with traffic_on(site) as traffic:
            await _written(traffic, 50)
            await scenario.drama(site, traffic, evidence)
            await _written(traffic, 50)
            await traffic.stop()
            return await judge(scenario.name, site, traffic, evidence)


# What happens


async def kill_between_stores(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """Its replica 0 is armed: it dies with a write in one store and not in the other."""
    await _died(site, 0, evidence)
    await _written(traffic, 100)
    await site.revive(0)


async def kill_coordinator(
    target: Stage, ends_in: Stage, site: Site, traffic: Traffic, evidence: Evidence
) -> None:
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
    evidence.expect(now.stage == ends_in.value, f"ended in {ends_in.name} {took:.1f} s after the death")
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
    await _breakers_open(site, evidence)
    await _written(traffic, 100)
    evidence.expect(await _deferred(site) > 0, "deferred writes counted")
    evidence.expect(traffic.books.failures.total() == failed, "no call failed")
    await asyncio.gather(*(one.dynamo.heal() for one in site.replicas))
    await _breakers_closed(site, evidence)


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
    await until(lambda: traffic.books.acknowledged >= goal, timeout=40.0)


async def _died(site: Site, number: int, evidence: Evidence) -> None:
    child = site.replicas[number].child
    await until(lambda: child.has_exited, timeout=20.0)
    evidence.expect(child.process.returncode == -9, "the armed replica was killed")


async def _breakers_open(site: Site, evidence: Evidence) -> None:
    async def are_open() -> bool:
        found = await asyncio.gather(*(one.status(TASKS) for one in site.replicas))
        return all(one.mirror.breaker != pb.MirrorHealth.CLOSED for one in found)

    await until(are_open, timeout=30.0)
    evidence.notes.append("breaker open in all replicas")


async def _breakers_closed(site: Site, evidence: Evidence) -> None:
    async def are_closed() -> bool:
        found = await asyncio.gather(*(one.status(TASKS) for one in site.replicas))
        return all(one.mirror.breaker == pb.MirrorHealth.CLOSED for one in found)

    await until(are_closed, timeout=30.0)
    evidence.notes.append("closed after it")


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


def _scenarios() -> tuple[Scenario, ...]:
    to_dynamo = partial(kill_coordinator, Stage.DYNAMO_PRIMARY, Stage.DYNAMO_PRIMARY)
    to_mongo = partial(kill_coordinator, Stage.MONGO_PRIMARY, Stage.MONGO_PRIMARY)
    back = Stage.DYNAMO_PRIMARY
    return (
        Scenario(
            "killed between the stores, MongoDB primary",
            kill_between_stores,
            is_quick=True,
            options={"armings": {0: "pipeline.between_stores=kill@40"}},
        ),
        Scenario(
            "killed between the stores, DynamoDB primary",
            kill_between_stores,
            options={"armings": {0: "pipeline.between_stores=kill@40"}},
            starts=back,
        ),
        Scenario(
            "killed before the reply, DynamoDB primary",
            kill_between_stores,
            options={"armings": {0: "pipeline.before_reply=kill@40"}},
            starts=back,
        ),
        *(
            Scenario(
                f"coordinator killed at {step}", to_dynamo, options={"armings": {0: f"cutover.{step}=kill"}}
            )
            for step in ("hold", "fence", "drain", "publish")
        ),
        Scenario(
            "coordinator killed at drain, on the way back",
            to_mongo,
            options={"armings": {0: "cutover.drain=kill"}},
            starts=back,
        ),
        Scenario("replica stopped through a flip, then resumed", stop_through_flip, is_quick=True),
        Scenario(
            "coordinator stopped at the fence, then resumed",
            stop_coordinator,
            options={"armings": {0: "cutover.fence=stop"}},
        ),
        *(
            Scenario(
                f"DynamoDB {trouble.value}, MongoDB primary",
                partial(lose_dynamo, trouble),
                is_quick=trouble is Trouble.CUT,
            )
            for trouble in (Trouble.CUT, Trouble.BLACKHOLE, Trouble.SLOW, Trouble.HALF_OPEN)
        ),
        Scenario("one replica cut from MongoDB", partial(lose_mongo_of_one, Trouble.CUT)),
        Scenario(
            "MongoDB blackholed for one replica, on the way back",
            partial(lose_mongo_of_one, Trouble.BLACKHOLE),
            starts=back,
        ),
        Scenario("control database lost by one replica", lose_control_of_one, is_quick=True),
        Scenario("control database lost by one replica, on the way back", lose_control_of_one, starts=back),
        Scenario("all replicas killed at once", die_everywhere, starts=back),
        *(
            Scenario(
                f"DynamoDB {what}, {'DynamoDB' if stage is Stage.DYNAMO_PRIMARY else 'MongoDB'} primary",
                partial(be_moody, moods, share),
                stage,
                options={"is_moody": True},
            )
            for what, moods, share, stage in (
                ("throttles", (Mood.THROTTLED,), 0.2, Stage.DYNAMO_PRIMARY),
                ("answers 500", (Mood.BROKEN_BEFORE, Mood.BROKEN_AFTER), 0.1, Stage.DYNAMO_PRIMARY),
                (
                    "applies and does not answer",
                    (Mood.LOST_AFTER, Mood.SILENT_AFTER),
                    0.04,
                    Stage.DYNAMO_PRIMARY,
                ),
                ("gives small pages", (Mood.SMALL_PAGES,), 1.0, Stage.DYNAMO_PRIMARY),
                ("does all of it", tuple(Mood), 0.05, Stage.MONGO_PRIMARY),
            )
        ),
    )


SCENARIOS = _scenarios()
