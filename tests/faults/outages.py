"""Stores that are gone, hang, are slow, break or throttle, for all replicas or for one."""

from __future__ import annotations

import asyncio
import time

from crossfade import AsyncClient, Stage
from tests.faults.links import Trouble
from tests.faults.looks import (
    PATIENCE,
    PAUSE,
    agreed,
    all_alive,
    behind,
    breakers_closed,
    breakers_open,
    caught_up,
    deferred,
    flipped,
    given_up,
    is_refused,
    written,
)
from tests.faults.moody import Mood
from tests.faults.site import JOBS, TASKS, Site
from tests.faults.traffic import Traffic
from tests.faults.verdict import Evidence
from tests.fixtures.waiting import until

SHUT = 3.0
"""Seconds for which it is watched that nothing is acknowledged."""


async def lose_dynamo(trouble: Trouble, site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """The mirror is gone for all replicas: clients notice nothing, the breaker opens, all is healed later."""
    failed = traffic.books.refused
    await asyncio.gather(*(one.dynamo.fail(trouble, delay=1.5) for one in site.replicas))
    await breakers_open(site)
    evidence.notes.append("breaker open in all replicas")
    await written(traffic, 100)
    await behind(site, evidence)
    evidence.expect(await deferred(site) > 0, "deferred writes counted")
    evidence.expect(traffic.books.refused == failed, "no call failed")
    await asyncio.gather(*(one.dynamo.heal() for one in site.replicas))
    await breakers_closed(site)
    await caught_up(site)
    evidence.notes.append("closed, and caught up, after it")


async def lose_mongo(trouble: Trouble, site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """MongoDB is gone for all replicas: nothing is acknowledged that it does not hold, whoever is primary."""
    await asyncio.gather(*(one.mongo.fail(trouble) for one in site.replicas))
    await _dries_up(traffic)
    before = traffic.books.acknowledged
    await asyncio.sleep(SHUT)
    evidence.expect(traffic.books.acknowledged == before, "nothing was acknowledged meanwhile")
    for number in range(len(site.replicas)):
        await _is_mute(site, traffic, number, evidence)
    await asyncio.gather(*(one.mongo.heal() for one in site.replicas))
    await written(traffic, 100)
    await all_alive(site)


async def _dries_up(traffic: Traffic) -> None:
    """Until a second passes without an acknowledgement."""
    seen, since = -1, time.monotonic()

    def is_dry() -> bool:
        nonlocal seen, since
        if traffic.books.acknowledged != seen:
            seen, since = traffic.books.acknowledged, time.monotonic()
        return time.monotonic() - since > 1.0

    await until(is_dry, timeout=PATIENCE, pause=PAUSE)


async def finish_without_mongo(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """MongoDB goes for good once both collections are in DYNAMO_ONLY: not even a new replica needs it."""
    await asyncio.gather(*(site.move(name, Stage.DYNAMO_ONLY) for name in (TASKS, JOBS)))
    evidence.is_finished = True
    await agreed(site, evidence)
    await asyncio.gather(*(one.mongo.fail(Trouble.CUT) for one in site.replicas))
    failed = traffic.books.refused
    await written(traffic, 300)
    evidence.expect(traffic.books.refused == failed, "no call failed without MongoDB")
    await site.revive(2)
    evidence.notes.append("a replica started without MongoDB")
    await written(traffic, 300)


async def slow_mongo(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """All that one replica hears of MongoDB comes late: it holds up its own clients, and no flip for long."""
    slow = site.replicas[2]
    await slow.mongo.fail(Trouble.SLOW, delay=0.1)
    await written(traffic, 60)
    await flipped(site, evidence)
    await written(traffic, 60)
    await slow.mongo.heal()
    await agreed(site, evidence)


async def lose_mongo_of_one(trouble: Trouble, site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """One replica is cut from MongoDB, where the flags are too: it must not answer what it cannot know."""
    cut = site.replicas[2]
    await cut.mongo.fail(trouble)
    await written(traffic, 60)
    await given_up(site, 2, evidence)
    await _is_mute(site, traffic, 2, evidence)
    await flipped(site, evidence, "flipped without it")
    await written(traffic, 30)
    await cut.mongo.heal()
    await all_alive(site)
    await agreed(site, evidence)


async def lose_control_of_one(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """One replica loses the control database alone: its lease ends its reads, the fence its writes."""
    cut = site.replicas[2]
    cut.mongo.lose(site.control)
    await flipped(site, evidence, "flipped without it")
    await given_up(site, 2, evidence)
    await _is_mute(site, traffic, 2, evidence)
    await written(traffic, 100)
    cut.mongo.lose("")
    await all_alive(site)
    await agreed(site, evidence)


async def _is_mute(site: Site, traffic: Traffic, number: int, evidence: Evidence) -> None:
    """The replica itself says that it cannot know, instead of answering from a store of the past."""
    async with AsyncClient(site.replicas[number].address, timeout=5.0) as client:
        key = traffic.key("journal-0")
        refusals = ("STORE_UNAVAILABLE", "DEADLINE", "HELD")
        name = site.replicas[number].name
        is_mute = await is_refused(client[TASKS].find_one(key), *refusals)
        evidence.expect(is_mute, f"{name} answers no reads")


async def lose_primary(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """The primary of three mongods dies; another is elected; the dead one comes back and catches up."""
    assert site.mongods is not None
    dead = await site.mongods.primary()
    site.mongods.kill(dead)
    began = time.monotonic()
    elected = await site.mongods.primary()
    evidence.expect(elected.port != dead.port, f"another was primary after {time.monotonic() - began:.1f} s")
    await written(traffic, 60)
    await flipped(site, evidence, "flipped on two members")
    await written(traffic, 60)
    await site.mongods.revive(dead)


async def be_moody(
    moods: tuple[Mood, ...], share: float, site: Site, traffic: Traffic, evidence: Evidence
) -> None:
    """DynamoDB fails a share of the calls in its own words."""
    site.moody.be(share, moods)
    await written(traffic, 150)
    await flipped(site, evidence, "flipped meanwhile")
    await written(traffic, 100)
    await until(lambda: all(site.moody.struck[mood] for mood in moods), timeout=PATIENCE, pause=PAUSE)
    site.moody.be(0, ())
    struck = ", ".join(f"{site.moody.struck[mood]} {mood.value}" for mood in moods)
    evidence.notes.append(f"struck: {struck}")
