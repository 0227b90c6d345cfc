"""Gaps in what the reconciler can follow, writers that bypass the proxy, and flip after flip."""

from __future__ import annotations

import asyncio

from pymongo import AsyncMongoClient
from pymongo.write_concern import WriteConcern

from crossfade import JobKind, Stage
from tests.faults.bypass import Bypass
from tests.faults.looks import (
    PATIENCE,
    PAUSE,
    WITNESS,
    agreed,
    alarmed,
    all_alive,
    flipped,
    gate,
    is_shut,
    written,
)
from tests.faults.moody import Mood
from tests.faults.site import TASKS, Site
from tests.faults.traffic import Traffic
from tests.faults.verdict import Evidence
from tests.fixtures.waiting import until

FLIPS = 4
JUNK = 1 << 20


async def roll_oplog_over(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """All proxies are away while others write to MongoDB, until its oplog no longer reaches back to them."""
    for replica in site.replicas:
        replica.kill()
    async with Bypass(site, traffic.books.ledger, traffic.deployment) as bypass:
        await bypass.keep_apart()
        await bypass.written(30)
    bypass.tell(evidence)
    await _overflow(site)
    await asyncio.gather(*(site.revive(number) for number in range(len(site.replicas))))
    await _mend_gap(site, traffic, Stage.DYNAMO_PRIMARY, evidence)


async def _overflow(site: Site) -> None:
    """Write until the oldest entry of the oplog is younger than all that was written before."""
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(site.stack.stores.mongodb.address)
    async with client:
        oplog = client["local"]["oplog.rs"]

        async def end_of(direction: int) -> object:
            [entry] = await oplog.find({}, {"ts": 1}).sort("$natural", direction).limit(1).to_list()
            return entry["ts"]

        junk = client[site.control].get_collection("junk", write_concern=WriteConcern(1))
        newest = await end_of(-1)

        async def is_over() -> bool:
            await junk.insert_one({"data": b"\0" * JUNK})
            return bool(await end_of(1) > newest)  # type: ignore[operator] # both are timestamps

        await until(is_over, timeout=PATIENCE, pause=PAUSE)


async def trim_stream(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """A replica dies with a write in DynamoDB alone; then the stream forgets what nobody has read."""
    child = site.replicas[0].child
    await until(lambda: child.has_exited, timeout=PATIENCE, pause=PAUSE)
    for replica in site.replicas[1:]:
        replica.kill()
    site.moody.be(1.0, [Mood.TRIMMED])
    await asyncio.gather(*(site.revive(number) for number in range(len(site.replicas))))
    await until(lambda: site.moody.struck[Mood.TRIMMED] > 0, timeout=PATIENCE, pause=PAUSE)
    await alarmed(site, Evidence())  # each collection has a stream: the first that is struck may be another's
    site.moody.be(0, ())
    await _mend_gap(site, traffic, Stage.DYNAMO_ONLY, evidence)


async def _mend_gap(site: Site, traffic: Traffic, beyond: Stage, evidence: Evidence) -> None:
    """The alarm sounds and shuts the gate; what is missing is found, and mended; then the gate opens."""
    await alarmed(site, evidence)
    evidence.expect("feed_close" in await gate(site, TASKS, beyond), "feed_close is red")
    evidence.expect(await is_shut(site, TASKS, beyond), "promotion is blocked")
    if beyond is Stage.DYNAMO_ONLY:
        back = await gate(site, TASKS, Stage.MONGO_PRIMARY)
        evidence.expect("feed_close" in back, "the way back too")
    await written(traffic, 50)
    operator = site.replicas[WITNESS].operator
    for kind in (JobKind.VERIFY, JobKind.BACKFILL, JobKind.VERIFY):
        await operator.wait_for_job(await operator.start_job(TASKS, kind))
    left: set[str] = set()

    async def is_open() -> bool:
        nonlocal left
        left = await gate(site, TASKS, beyond) - {"spaced", "no_bypass_writes"}
        return not left

    await until(is_open, timeout=PATIENCE, pause=PAUSE)
    evidence.notes.append("a verify and a backfill opened the gate")
    await all_alive(site)


async def bypass_through_flip(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """Somebody overrides the gate while a service still writes to MongoDB directly: the fence ends that."""
    async with Bypass(site, traffic.books.ledger, traffic.deployment) as bypass:
        await bypass.written(100)

        async def is_red() -> bool:
            return "no_bypass_writes" in await gate(site, TASKS, Stage.DYNAMO_PRIMARY)

        await until(is_red, timeout=PATIENCE, pause=PAUSE)
        evidence.notes.append("no_bypass_writes is red")
        await bypass.keep_apart()
        await flipped(site, evidence)
        await bypass.refused(20)
    bypass.tell(evidence)
    await written(traffic, 50)


async def flip_again_and_again(site: Site, traffic: Traffic, evidence: Evidence) -> None:
    """There and back, twice, with nothing else wrong: reservations stay exclusive."""
    for number in range(FLIPS):
        await flipped(site, evidence, f"flip {number + 1}")
        await written(traffic, 100)
    await agreed(site, evidence)
    evidence.expect(len(traffic.books.ledger.owned) > 50, f"{len(traffic.books.ledger.owned)} reservations")
