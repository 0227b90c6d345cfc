"""Verify on memory stores: finds all differences and nothing else, lets time heal, goes on after kills."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

from proxy.core.comparison import Kind
from proxy.core.document import Document
from proxy.core.errors import Unavailable
from proxy.core.exchange import DivergenceQuery
from proxy.core.life import State
from proxy.core.stage import StoreName
from proxy.reconcile.backfill import backfill
from proxy.reconcile.verify import SAMPLE_RANGES, Verify, verify
from tests.fixtures.yard import EPOCH, JOBS, ShakyStore, Yard, key, record, tombstone
from tests.unit.reconcile.jobs import CLOSE, fill, found, job_of, kill_at

PLANTED = {
    "k011": Kind.MISSING_IN_MIRROR,
    "k012": Kind.GHOST_IN_MIRROR,
    "k013": Kind.TRUE_MISMATCH,
    "k014": Kind.VERSION_CONFLICT,
    "k015": Kind.STUCK_LAG,
    "k016": Kind.MIRROR_AHEAD,
    "k018": Kind.GHOST_IN_MIRROR,
    "k019": Kind.STUCK_LAG,
    "k020": Kind.REPRESENTATION,
}


def plant(yard: Yard) -> None:
    """One corruption of each kind, in documents that were equal."""
    for number in range(30):
        name = f"k{number:03}"
        for table in (yard.mongo, yard.dynamo):
            table.put(key(name), record((EPOCH, 5), number, name=name))
    yard.dynamo.records.pop(key("k011"))
    yard.mongo.records.pop(key("k012"))
    changed = record((EPOCH, 5), 13.0, name="k013", more="x")
    yard.dynamo.put(key("k013"), changed)
    yard.dynamo.put(key("k014"), record((EPOCH, 5), 14, name="k014", made_by=99))
    yard.dynamo.put(key("k015"), record((EPOCH, 4), 15, name="k015"))
    yard.dynamo.put(key("k016"), record((EPOCH, 6), 16, name="k016"))
    both = tombstone((EPOCH, 6), name="k017")
    yard.mongo.put(key("k017"), both)
    yard.dynamo.put(key("k017"), replace(both, op=b"another"))
    yard.mongo.records.pop(key("k018"))
    yard.mongo.put(key("k019"), tombstone((EPOCH, 6), name="k019"))
    yard.dynamo.put(key("k020"), record((EPOCH, 5), 20.0, name="k020"))


async def test_every_planted_corruption_is_found_and_nothing_else(yard: Yard) -> None:
    plant(yard)
    job = await verify(yard.site(), yard.door, CLOSE)
    assert await found(yard) == PLANTED
    assert job.state == "finished"
    assert (job.counts["documents"], job.counts["extras"], job.done) == (28, 29, 57)
    assert job.counts["MATCH"] == 30 - len(PLANTED)
    assert {kind: n for kind, n in job.counts.items() if kind in Kind.__members__ and kind != "MATCH"} == {
        "MISSING_IN_MIRROR": 1,
        "GHOST_IN_MIRROR": 2,
        "TRUE_MISMATCH": 1,
        "VERSION_CONFLICT": 1,
        "STUCK_LAG": 2,
        "MIRROR_AHEAD": 1,
        "REPRESENTATION": 1,
    }


async def test_what_heals_meanwhile_is_not_reported(yard: Yard) -> None:
    yard.collection = replace(JOBS, settings=replace(JOBS.settings, recheck_delays=(0.01,) * 500))
    fill(yard, 40)
    mirrored = asyncio.create_task(backfill(yard.site(), yard.door))
    job = await verify(yard.site(), yard.door, CLOSE)
    await mirrored
    assert await found(yard) == {}
    assert job.counts["MATCH"] == 40


async def test_a_busy_document_is_no_divergence(yard: Yard) -> None:
    bench = yard.bench()
    bench.put(record((EPOCH, 1)), record((EPOCH, 1)))
    running = asyncio.create_task(verify(yard.site(), yard.door, CLOSE))
    for revision in itertools.count(2):
        written = record((EPOCH, revision), revision)
        yard.mongo.put(key(), written)
        await asyncio.sleep(0.001)
        yard.dynamo.put(key(), written)
        await asyncio.sleep(0)
        if running.done():
            break
    await running
    assert await found(yard) == {}


async def test_a_killed_verify_goes_on_and_counts_nothing_twice(yard: Yard) -> None:
    plant(yard)
    kills = await kill_at("verify.after_chunk", 10, lambda: verify(yard.site(), yard.door, CLOSE))
    job = await job_of(yard, "verify")
    assert kills > 5
    assert await found(yard) == PLANTED
    assert (job.counts["documents"], job.counts["extras"]) == (28, 29)
    assert job.counts["MATCH"] == 30 - len(PLANTED)


async def test_a_verify_of_a_clean_collection_that_has_grown_finds_nothing(yard: Yard) -> None:
    fill(yard, 60)
    await backfill(yard.site(), yard.door)
    job = await verify(yard.site(), yard.door, CLOSE)
    assert set(job.counts) == {"MATCH", "documents", "extras"}


async def test_an_outage_of_a_store_is_waited_for_by_verify(yard: Yard) -> None:
    plant(yard)
    primary = yard.stores[StoreName.MONGODB] = ShakyStore(JOBS, StoreName.MONGODB, yard.mongo)
    primary.error = Unavailable("down")
    task = asyncio.create_task(verify(yard.site(), yard.door, CLOSE))
    await asyncio.sleep(0.05)
    primary.error = None
    await task
    assert await found(yard) == PLANTED


async def test_what_has_healed_is_closed_by_the_next_verify_with_its_evidence(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    yard.dynamo.put(key("k011"), yard.mongo.records[key("k011")])
    await verify(yard.site(), yard.door, CLOSE)
    assert await found(yard) == {name: kind for name, kind in PLANTED.items() if name != "k011"}
    [healed] = await yard.divergences.list(DivergenceQuery("jobs", state="closed"))
    assert (healed.history[-1].state, "complete verify" in healed.history[-1].evidence) == (
        State.CLOSED,
        True,
    )


async def test_a_sample_is_another_job_that_looks_at_a_part_and_closes_nothing(yard: Yard) -> None:
    fill(yard, 900)
    await backfill(yard.site(), yard.door)
    await verify(yard.site(), yard.door, CLOSE)
    yard.dynamo.records.pop(key("k000"))
    job = await verify(yard.site(), yard.door, Verify(share=0.1))
    each = -(-90 // SAMPLE_RANGES)
    assert (job.kind, job.state) == ("sample", "finished")
    assert 0 < job.counts["documents"] <= each * SAMPLE_RANGES
    assert (await job_of(yard, "verify")).counts["documents"] == 900


async def test_a_sample_finds_what_is_everywhere(yard: Yard) -> None:
    fill(yard, 400)
    job = await verify(yard.site(), yard.door, Verify(share=0.2))
    found_missing = job.counts["MISSING_IN_MIRROR"]
    assert 0 < found_missing <= 2 * SAMPLE_RANGES
    assert len(await found(yard)) > 0


async def test_a_difference_that_only_numbers_make_is_mended_too(yard: Yard) -> None:
    yard.mongo.put(key(), record((EPOCH, 5), 1))
    spoilt = Document({"a": "x", "b": "k", "n": 1.0})
    yard.dynamo.put(key(), replace(record((EPOCH, 5), 1), document=spoilt))
    job = await verify(yard.site(), yard.door, CLOSE)
    assert job.counts["REPRESENTATION"] == 1
    assert await found(yard) == {"k": Kind.REPRESENTATION}
