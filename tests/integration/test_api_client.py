"""The Python client and the edge of the proxy, both real: values, errors, pages and operators agree."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from bson import ObjectId

import crossfade
from crossfade.migration import AsyncMigrationClient
from proxy.core.stage import Stage
from tests.integration.api_server import Served, serving


@pytest.fixture
async def proxy() -> AsyncIterator[Served]:
    async with serving(Stage.MONGO_PRIMARY) as served:
        yield served


@pytest.fixture
async def jobs(proxy: Served) -> AsyncIterator[crossfade.AsyncCollection]:
    async with crossfade.AsyncClient(f"127.0.0.1:{proxy.server.port}") as client:
        yield client["jobs"]


KEY = {"tenant": "t", "name": "a"}


async def test_the_whole_life_of_a_document(jobs: crossfade.AsyncCollection) -> None:
    inserted = await jobs.insert_one({**KEY, "n": 1, "tags": ["x"], "when": None})
    found = await jobs.find_one(KEY)
    assert found is not None
    assert ObjectId(str(found["_id"])) == ObjectId(str(inserted.inserted_id))
    assert found == {"_id": found["_id"], **KEY, "n": 1, "tags": ["x"], "when": None}
    changed = await jobs.update_one(KEY, {"$inc": {"n": 1}, "$push": {"tags": "y"}, "$unset": {"when": ""}})
    assert changed.matched_count == 1
    assert await jobs.find_one({**KEY, "n": 2}) is not None
    assert await jobs.find_one({**KEY, "n": 1}) is None
    with pytest.raises(crossfade.EtagMismatch):
        await jobs.replace_one(KEY, {"n": 3}, etag=found.etag)
    assert (await jobs.replace_one(KEY, {"n": 3})).modified_count == 1
    assert (await jobs.delete_one(KEY)).deleted_count == 1
    assert (await jobs.delete_one(KEY)).deleted_count == 0


async def test_pages_orders_and_counts(jobs: crossfade.AsyncCollection) -> None:
    await jobs.insert_many([{"tenant": "t", "name": f"job{n:02}", "due": 30 - n} for n in range(30)])
    names = [job["name"] async for job in jobs.find({"tenant": "t"}).batch_size(7).sort("name", -1)]
    assert names == [f"job{n:02}" for n in reversed(range(30))]
    due = [job["due"] async for job in jobs.find({"tenant": "t", "due": {"$lte": 5}}).sort("due")]
    assert due == [1, 2, 3, 4, 5]
    assert await jobs.count_documents({"tenant": "t", "name": {"$gte": "job10"}}) == 20


async def test_workers_never_share_a_job(jobs: crossfade.AsyncCollection) -> None:
    await jobs.insert_many([{"tenant": "t", "name": f"job{n}", "due": n} for n in range(6)])

    async def take() -> str | None:
        job = await jobs.find_one_and_update(
            {"tenant": "t", "due": {"$lt": 100}}, {"$set": {"due": 1000}}, sort="due"
        )
        return None if job is None else str(job["name"])

    taken = await asyncio.gather(*(take() for _ in range(10)))
    assert sorted(name for name in taken if name) == [f"job{n}" for n in range(6)]


async def test_errors_keep_their_class_and_what_they_know(jobs: crossfade.AsyncCollection) -> None:
    await jobs.insert_one(dict(KEY))
    with pytest.raises(crossfade.AlreadyExists) as taken:
        await jobs.insert_one(dict(KEY))
    assert taken.value.outcome is crossfade.Outcome.NOT_APPLIED
    assert len(taken.value.op) == 16
    with pytest.raises(crossfade.NoIndex) as unserved:
        await jobs.find_one({"state": "x"})
    assert "state" in unserved.value.hint
    with pytest.raises(crossfade.InvalidDocument) as mistyped:
        await jobs.insert_one({"tenant": "t", "name": 1})
    assert mistyped.value.field == "name"


async def test_an_upsert_makes_what_mongodb_would(jobs: crossfade.AsyncCollection) -> None:
    update = {"$set": {"n": 1}, "$setOnInsert": {"first": True}}
    made = await jobs.update_one({**KEY, "state": "new"}, update, upsert=True)
    assert made.upserted
    found = await jobs.find_one(KEY)
    assert found is not None
    assert isinstance(found.pop("_id"), crossfade.ObjectId)
    assert found == {**KEY, "state": "new", "n": 1, "first": True}


async def test_an_operator_sees_the_gate_that_stops_a_cutover(proxy: Served) -> None:
    async with AsyncMigrationClient(f"127.0.0.1:{proxy.server.port}") as operator:
        with pytest.raises(crossfade.GateClosed) as closed:
            await operator.move_stage("jobs", crossfade.Stage.DYNAMO_PRIMARY)
        assert closed.value.checks
