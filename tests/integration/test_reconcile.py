"""The reconciler, backfill, verify and repair on a real MongoDB and a real DynamoDB."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from proxy.core.comparison import Kind
from proxy.core.document import Document
from proxy.core.exchange import ApplyResult, DivergenceQuery
from proxy.core.stage import Published, Stage, StoreName
from proxy.core.version import LEGACY, Record, Version
from proxy.core.write import Delete, Insert
from proxy.faultpoint import armed
from proxy.reconcile.backfill import backfill
from proxy.reconcile.charter import JobOrder
from proxy.reconcile.checkpoint import FAILED, KIND
from proxy.reconcile.repair import repair_open
from proxy.reconcile.verify import verify
from tests.fixtures.yard import until
from tests.integration.real_site import NAMES, RealSite, key, open_site

DRAIN = 20.0

# The driver leaves a socket to the garbage collector when it is cancelled while it connects, and these tests
# cancel at any moment, as a killed process does.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
async def site(mongodb_uri: str, dynamodb_endpoint: str, unique_name: str) -> AsyncIterator[RealSite]:
    async with open_site(mongodb_uri, dynamodb_endpoint, unique_name, Stage.MONGO_PRIMARY, 1) as site:
        yield site


async def is_followed(site: RealSite) -> bool:
    return await site.control.job("jobs", KIND) is not None


@pytest.mark.parametrize("seed", range(3))
async def test_bypassing_writers_and_crashing_proxies_end_in_equal_stores(
    mongodb_uri: str, dynamodb_endpoint: str, unique_name: str, seed: int
) -> None:
    async with open_site(mongodb_uri, dynamodb_endpoint, unique_name, Stage.MONGO_PRIMARY, seed) as site:
        async with site.reconciling("first"):
            await until(lambda: is_followed(site))
        work = asyncio.gather(
            site.write_through_proxy(120),
            site.write_through_proxy(120),
            site.write_past_proxy(120),
            site.write_past_proxy(120),
        )
        for life in range(3):
            async with site.reconciling(f"life {life}"):
                await asyncio.sleep(0.25)
        async with site.reconciling("last") as reconciler:
            await work
            assert await reconciler.drain(DRAIN)
            assert await site.differences() == {}
            assert reconciler.status().counts["bypass"] > 20
        assert await site.documents.count_documents({}) > 20


@pytest.mark.parametrize("seed", range(2))
async def test_crashing_proxies_end_in_equal_stores_with_dynamodb_as_primary(
    mongodb_uri: str, dynamodb_endpoint: str, unique_name: str, seed: int
) -> None:
    async with open_site(mongodb_uri, dynamodb_endpoint, unique_name, Stage.DYNAMO_PRIMARY, seed) as site:
        async with site.reconciling("first"):
            await until(lambda: is_followed(site))
        work = asyncio.gather(site.write_through_proxy(100), site.write_through_proxy(100))
        async with site.reconciling("second"):
            await asyncio.sleep(0.3)
        await work
        async with site.reconciling("last") as reconciler:
            assert await reconciler.drain(DRAIN)
            assert await site.differences() == {}


async def test_a_drain_is_quick_when_there_is_little_to_do(site: RealSite) -> None:
    async with site.reconciling() as reconciler:
        await until(lambda: reconciler.status().following is not None)
        took = []
        for number in range(10):
            await site.primary.write(Insert(key(f"n{number}"), document(f"n{number}")), site.stamp())
            began = time.monotonic()
            assert await reconciler.drain(DRAIN)
            took.append(time.monotonic() - began)
        assert await site.differences() == {}
    print(f"drain: {sorted(took)[5] * 1000:.0f} ms median, {max(took) * 1000:.0f} ms at most")
    assert sorted(took)[5] < 1.0


def document(name: str, **fields: object) -> Document:
    return Document({"_id": name, "a": "x", "b": name, **fields})


async def test_a_lost_position_is_told_and_following_goes_on(site: RealSite) -> None:
    async with site.reconciling():
        await until(lambda: is_followed(site))
    job = await site.control.job("jobs", KIND)
    assert job is not None
    lost = job.position.replace("_data", "_nothing")
    await site.control.save_job(replace(job, position=lost))

    async def is_alarmed() -> bool:
        job = await site.control.job("jobs", KIND)
        return job is not None and job.state == FAILED and "lost" in job.message

    async with site.reconciling() as reconciler:
        await until(is_alarmed)
        await site.primary.write(Insert(key("k"), document("k")), site.stamp())
        assert not await reconciler.drain(DRAIN), "no change that began before the gap is let through"
        known = await site.control.now() + 1_000
        assert await reconciler.drain(DRAIN, gaps_known_at=known)
        assert await site.differences() == {}


async def test_a_backfill_spends_no_more_write_units_than_it_may(
    site: RealSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what DynamoDB itself says, of documents of 1 and 13 units in runs, so that no average would do."""
    await site.documents.insert_many(
        {"a": "x", "b": f"k{number:03}", "filler": "y" * (12_500 if number // 25 % 2 else 500)}
        for number in range(100)
    )
    spent = 0.0
    apply = site.mirror.apply

    async def counted(record: Record, *, is_metered: bool = False) -> ApplyResult:
        nonlocal spent
        applied: ApplyResult = await apply(record, is_metered=is_metered)
        spent += applied.units
        return applied

    monkeypatch.setattr(site.mirror, "apply", counted)
    async with site.reconciling():
        await until(lambda: is_followed(site))
        began = time.monotonic()
        job = await backfill(site.site("r1"), site.door, JobOrder(max_units=150))
        took = time.monotonic() - began
    assert job.state == "finished" and job.done == 100
    assert spent >= 50 * 13 + 50
    assert spent / took <= 150 * 1.1


async def test_tombstones_leave_mongodb_and_stay_in_dynamodb(site: RealSite) -> None:
    async with site.reconciling() as reconciler:
        await until(lambda: is_followed(site))
        await site.primary.write(Insert(key("k"), document("k")), site.stamp())
        await site.primary.write(Delete(key("k")), site.stamp())
        assert await reconciler.drain(DRAIN)

        async def is_gone() -> bool:
            return bool(await site.documents.count_documents({"b": "k"}) == 0)

        await until(is_gone)
    [held] = await site.mirror.get([key("k")])
    assert held.is_tombstone


async def test_records_of_a_stale_replica_are_adopted_under_the_fence(
    mongodb_uri: str, dynamodb_endpoint: str, unique_name: str
) -> None:
    """The way back: DynamoDB holds a write of an epoch that MongoDB's fence no longer takes."""
    async with open_site(mongodb_uri, dynamodb_endpoint, unique_name, Stage.DYNAMO_PRIMARY, 1) as site:
        stale = site.stamp()
        flag = await site.control.flag("jobs")
        published = await site.control.swap(flag, flag.publish(Stage.DYNAMO_PRIMARY, site.clock.now()))
        assert published is not None
        site.door.published = Published(published.epoch, Stage.DYNAMO_PRIMARY)
        await site.stores[StoreName.MONGODB].fence.raise_to(published.epoch)  # type: ignore[attr-defined]
        async with site.reconciling() as reconciler:
            await until(lambda: is_followed(site))
            await site.primary.write(Insert(key("k"), document("k")), stale)
            assert await reconciler.drain(DRAIN)
            assert await site.differences() == {}
        [held] = await site.mirror.get([key("k")])
        assert held.version.epoch == published.epoch


async def test_backfill_under_live_writes_is_killed_and_goes_on(site: RealSite) -> None:
    legacy = [{"_id": f"l{n:04}", "a": f"p{n % 7}", "b": f"l{n:04}", "n": n} for n in range(600)]
    await site.documents.insert_many([*legacy, *({"a": "x", "b": name, "n": 0} for name in NAMES)])
    kills = 0
    async with site.reconciling() as reconciler:
        await until(lambda: is_followed(site))
        work = asyncio.gather(site.write_through_proxy(150), site.write_past_proxy(150))
        for copies in (40, 100, 180):
            kills += await _backfill_killed(site, copies)
        job = await backfill(site.site("r1"), site.door)
        await work
        assert await reconciler.drain(DRAIN)
    assert kills == 3
    assert job.state == "finished"
    assert sum(job.counts.values()) >= 600
    assert await site.differences() == {}
    verified = await verify(site.site("r1"), site.door)
    assert {kind for kind in verified.counts if kind in Kind.__members__} == {"MATCH"}
    assert await site.divergences.counts("jobs") == {}


async def _backfill_killed(site: RealSite, copies: int) -> int:
    """Killed after so many copies; 1 if that was before the end."""
    task = asyncio.create_task(backfill(site.site("r1"), site.door))
    left = copies

    async def die() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            task.cancel()

    with armed("backfill.after_copy", die):
        await asyncio.gather(task, return_exceptions=True)
    return int(task.cancelled())


PLANTED = {
    "k01": Kind.MISSING_IN_MIRROR,
    "k02": Kind.GHOST_IN_MIRROR,
    "k03": Kind.TRUE_MISMATCH,
    "k04": Kind.VERSION_CONFLICT,
    "k05": Kind.STUCK_LAG,
    "k06": Kind.MIRROR_AHEAD,
    "k07": Kind.STUCK_LAG,
    "k08": Kind.TRUE_MISMATCH,
    "k09": Kind.MISSING_IN_MIRROR,
}


async def test_verify_finds_every_planted_corruption_and_repair_closes_it(site: RealSite) -> None:
    for name in NAMES:
        await site.primary.write(
            Insert(key(name), document(name, n=1, s="text", d={"x": [1, 2]})), site.stamp()
        )
    await backfill_directly(site)
    await plant(site)
    job = await verify(site.site("r1"), site.door)
    rows = await site.divergences.list(DivergenceQuery("jobs"))
    assert {row.key.split('"')[7]: row.kind for row in rows} == PLANTED
    assert job.counts["MATCH"] == len(NAMES) - len(PLANTED)
    report = await repair_open(site.site("r1"), site.door)
    assert (report.closed, report.unequal) == (len(PLANTED), ())
    again = await verify(site.site("r1"), site.door)
    assert {kind for kind in again.counts if kind in Kind.__members__} == {"MATCH"}
    assert await site.differences() == {}


async def backfill_directly(site: RealSite) -> None:
    held = await site.primary.get([key(name) for name in NAMES])
    await asyncio.gather(*(site.mirror.apply(record) for record in held))


async def plant(site: RealSite) -> None:
    records = dict(zip(NAMES, await site.primary.get([key(name) for name in NAMES]), strict=True))
    await forget(site, "k01", "k03", "k04", "k05", "k08", "k09")
    await site.documents.delete_one({"b": "k02"})
    epoch, revision = records["k03"].version
    put = {
        "k03": replace(records["k03"], document=document("k03", n=1, s="text", d={"x": [2, 1]})),
        "k04": replace(records["k04"], op=b"another op......"),
        "k05": replace(records["k05"], version=Version(epoch, revision - 1)),
        "k06": replace(records["k06"], version=Version(epoch, revision + (1 << 40))),
        "k08": replace(records["k08"], document=document("k08", n=1, s="tex", d={"x": [1, 2]})),
    }
    for record in put.values():
        await site.mirror.apply(record)
    await site.primary.write(Delete(key("k07")), site.stamp())


async def forget(site: RealSite, *names: str) -> None:
    for name in names:
        item = {"a": {"S": "x"}, "b": {"S": name}}
        await site.dynamo.transport.call("DeleteItem", {"TableName": site.collection.table, "Key": item})


async def test_legacy_documents_are_copied_as_they_are(site: RealSite) -> None:
    await site.documents.insert_many([{"_id": n, "a": "x", "b": f"l{n}", "n": n} for n in range(20)])
    async with site.reconciling():
        await until(lambda: is_followed(site))
        await backfill(site.site("r1"), site.door)
    held: list[Record | None] = await site.mirror.get([key(f"l{n}") for n in range(20)])
    assert [record.version for record in held if record] == [LEGACY] * 20
    assert await site.documents.count_documents({"_cf": {"$exists": True}}) == 0, "MongoDB is not written"
