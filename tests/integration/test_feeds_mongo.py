"""MongoDB's change stream as a feed, on a real mongod: nothing missed, positions that outlive a process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from pymongo import AsyncMongoClient

from proxy.core.collection import Collection, Index, IndexKind, KeyField
from proxy.core.exchange import FeedBatch, FeedLost
from proxy.reconcile.follower import _told_by
from proxy.stores.mongo import feed as module
from proxy.stores.mongo.feed import MARKS, MongoFeed

Documents = Any
DEADLINE = 15.0


def collection_named(name: str) -> Collection:
    key = Index("key", IndexKind.TABLE, (KeyField("a"),), (KeyField("b"),), "a", "b")
    return Collection("jobs", name, "jobs", name, key)


@pytest.fixture
async def client(mongodb_uri: str) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:
        yield client


@pytest.fixture
async def documents(client: AsyncMongoClient[dict[str, Any]], unique_name: str) -> AsyncIterator[Documents]:
    """The collection `jobs` with images enabled, as `prepare` leaves it."""
    database = client[unique_name]
    await database.create_collection("jobs", changeStreamPreAndPostImages={"enabled": True})
    yield database["jobs"]
    await client.drop_database(unique_name)


@pytest.fixture
def feed(client: AsyncMongoClient[dict[str, Any]], documents: Documents, unique_name: str) -> MongoFeed:
    return MongoFeed(client, collection_named(unique_name))


async def gather(
    feed: MongoFeed, position: str, is_enough: Callable[[list[FeedBatch]], bool]
) -> list[FeedBatch]:
    """The batches after a position until they are enough."""
    batches: list[FeedBatch] = []
    async with asyncio.timeout(DEADLINE), contextlib.aclosing(feed.follow(position)) as follow:  # type: ignore[type-var]
        async for batch in follow:
            batches.append(batch)
            if is_enough(batches):
                break
    return batches


async def gather_to_mark(feed: MongoFeed, position: str) -> list[FeedBatch]:
    mark = await feed.mark()
    return await gather(feed, position, lambda batches: mark in batches[-1].markers)


def keys_of(batches: list[FeedBatch]) -> list[str]:
    return [f"{key.values[0]}/{key.values[1]}" for batch in batches for key in batch.keys]


async def test_every_kind_of_write_is_seen_in_order(feed: MongoFeed, documents: Documents) -> None:
    position = await feed.tip()
    await documents.insert_one({"a": "x", "b": "1", "n": 1})
    await documents.update_one({"b": "1"}, {"$inc": {"n": 1}})
    await documents.insert_one({"a": "x", "b": "2"})
    await documents.replace_one({"b": "2"}, {"a": "x", "b": "2", "c": 1})
    await documents.update_one({"b": "2"}, {"$inc": {"n": 1}})
    await documents.delete_one({"b": "1"})
    batches = await gather_to_mark(feed, position)
    assert set(keys_of(batches)) == {"x/1", "x/2"}
    assert keys_of(batches)[0] == "x/1"
    assert sum(batch.blind for batch in batches) == 0
    assert any(abs(batch.committed_at - _now()) < 60_000 for batch in batches if batch.keys)


async def test_tip_is_before_everything_that_follows_it(feed: MongoFeed, documents: Documents) -> None:
    await documents.insert_one({"a": "x", "b": "before"})
    position = await feed.tip()
    await documents.insert_one({"a": "x", "b": "after"})
    assert keys_of(await gather_to_mark(feed, position)) == ["x/after"]


async def test_a_mark_ends_the_pause_between_two_reads(
    feed: MongoFeed, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER", 3600.0)
    async with asyncio.timeout(DEADLINE), contextlib.aclosing(feed.follow(await feed.tip())) as follow:  # type: ignore[type-var]
        await documents.insert_one({"a": "x", "b": "1"})
        while "x/1" not in keys_of([await anext(follow)]):
            pass
        reading = asyncio.ensure_future(anext(follow))
        done, _ = await asyncio.wait({reading}, timeout=0.2)
        assert not done
        assert await feed.mark() in (await reading).markers


async def test_full_batches_are_read_without_a_pause(
    feed: MongoFeed, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER", 3600.0)
    monkeypatch.setattr(module, "BATCH", 3)
    position = await feed.tip()
    names = [f"x/{number}" for number in range(10)]
    await documents.insert_many([{"a": "x", "b": f"{number}"} for number in range(10)])
    assert keys_of(await gather(feed, position, lambda batches: keys_of(batches) == names))


async def test_nothing_is_awaited_while_a_mark_is_on_its_way(
    feed: MongoFeed, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many batches come before it."""
    monkeypatch.setattr(module, "LINGER", 3600.0)
    async with asyncio.timeout(DEADLINE), contextlib.aclosing(feed.follow(await feed.tip())) as follow:  # type: ignore[type-var]
        await anext(follow)
        feed._mark = "jobs:late"
        feed._is_marked.set()
        for name in ("1", "2", "3"):
            await documents.insert_one({"a": "x", "b": name})
            while f"x/{name}" not in keys_of([await anext(follow)]):
                pass
        await documents.database[MARKS].insert_one({"_id": "jobs:late", "at": DatetimeMS(_now())})
        while not (await anext(follow)).markers:
            pass
        assert not feed._is_marked.is_set()


async def test_a_position_outlives_the_process(
    client: AsyncMongoClient[dict[str, Any]], feed: MongoFeed, documents: Documents, unique_name: str
) -> None:
    position = await feed.tip()
    await documents.insert_many([{"a": "x", "b": f"{n:03}"} for n in range(20)])
    first = await gather(feed, position, lambda batches: bool(keys_of(batches)))
    await documents.insert_many([{"a": "x", "b": f"{n:03}"} for n in range(20, 40)])
    again = MongoFeed(client, collection_named(unique_name))
    second = await gather_to_mark(again, first[-1].position)
    assert keys_of(first + second) == [f"x/{n:03}" for n in range(40)]


def buried_in(batches: Sequence[FeedBatch]) -> set[tuple[Any, ...]]:
    return {key.values for key in _told_by(batches).buried}


async def test_a_changed_key_names_both_documents(feed: MongoFeed, documents: Documents) -> None:
    await documents.insert_one({"a": "x", "b": "old"})
    position = await feed.tip()
    await documents.update_one({"b": "old"}, {"$set": {"b": "new"}})
    assert keys_of(await gather_to_mark(feed, position)) == ["x/old", "x/new"]


async def test_the_end_of_a_tombstone_is_no_event(feed: MongoFeed, documents: Documents) -> None:
    position = await feed.tip()
    meta = {"e": Int64(1), "r": Int64(2), "op": b"0" * 16, "ops": [], "del": DatetimeMS(_now())}
    await documents.insert_one({"a": "x", "b": "dead", "_cf": meta})
    first = await gather_to_mark(feed, position)
    await documents.delete_one({"b": "dead"})
    await documents.insert_one({"a": "x", "b": "next"})
    second = await gather_to_mark(feed, first[-1].position)
    assert keys_of(first) == ["x/dead"]
    assert keys_of(second) == ["x/next"]
    assert [buried_in(first), buried_in(second)] == [{("x", "dead")}, set()]


async def test_who_deleted_a_document_is_told_apart(feed: MongoFeed, documents: Documents) -> None:
    position = await feed.tip()
    meta = {"e": Int64(1), "r": Int64(2), "op": b"0" * 16, "ops": [], "del": DatetimeMS(_now())}
    for name in ("ours", "theirs", "again"):
        await documents.insert_one({"a": "x", "b": name})
    for name in ("ours", "again"):
        await documents.update_one({"b": name}, {"$set": {"_cf": meta}})
    await documents.delete_one({"b": "theirs"})
    await documents.update_one({"b": "again"}, {"$unset": {"_cf": 1}})
    assert buried_in(await gather_to_mark(feed, position)) == {("x", "ours")}


def meta(revision: int, **more: Any) -> dict[str, Any]:
    return {"e": Int64(1), "r": Int64(revision), "op": revision.to_bytes(16, "big"), "ops": [], **more}


async def written_in(feed: MongoFeed, position: str) -> dict[str, int]:
    """The revisions of the last writes of those documents that only proxies changed."""
    told = _told_by(await gather_to_mark(feed, position)).written
    assert all(op == version.revision.to_bytes(16, "big") for version, op in told.values())
    return {str(key.values[1]): version.revision for key, (version, _) in told.items()}


async def test_what_only_proxies_changed_is_told_apart(feed: MongoFeed, documents: Documents) -> None:
    names = ("updated", "replaced", "twice", "bypassed", "after", "back", "stripped", "dead", "moved", "gone")
    await documents.insert_many([{"a": "x", "b": name, "_cf": meta(1)} for name in names])
    position = await feed.tip()

    async def change(name: str, revision: int, **fields: Any) -> None:
        await documents.update_one({"b": name}, {"$set": {"_cf": meta(revision), **fields}})

    await documents.insert_one({"a": "x", "b": "new", "_cf": meta(1)})
    await change("updated", 2, n=1)
    await documents.replace_one({"b": "replaced"}, {"a": "x", "b": "replaced", "_cf": meta(5)})
    await change("twice", 2)
    await change("twice", 3)
    await change("bypassed", 2)
    await documents.update_one({"b": "bypassed"}, {"$set": {"n": 1}})
    await documents.update_one({"b": "after"}, {"$set": {"n": 1}})
    await change("after", 2)
    await change("back", 3)
    await change("back", 2)
    await change("back", 3)
    await documents.update_one({"b": "stripped"}, {"$unset": {"_cf": 1}})
    await documents.update_one({"b": "dead"}, {"$set": {"_cf": meta(2, **{"del": DatetimeMS(_now())})}})
    await change("moved", 2, b="elsewhere")
    await change("gone", 2)
    await documents.delete_one({"b": "gone"})
    assert await written_in(feed, position) == {"updated": 2, "replaced": 5, "twice": 3}


async def test_a_delete_without_its_pre_image_is_counted(
    client: AsyncMongoClient[dict[str, Any]], feed: MongoFeed, documents: Documents, unique_name: str
) -> None:
    await client[unique_name].command("collMod", "jobs", changeStreamPreAndPostImages={"enabled": False})
    await documents.insert_one({"a": "x", "b": "1"})
    position = await feed.tip()
    await documents.update_one({"b": "1"}, {"$set": {"n": 1}})
    named = await gather_to_mark(feed, position)
    assert keys_of(named) == ["x/1"], "an update without images is looked up"
    await documents.delete_one({"b": "1"})
    blind = await gather_to_mark(feed, named[-1].position)
    assert (keys_of(blind), sum(batch.blind for batch in blind)) == ([], 1)


async def test_a_document_without_a_key_is_counted(feed: MongoFeed, documents: Documents) -> None:
    position = await feed.tip()
    await documents.insert_one({"a": "x", "b": 7})
    batches = await gather_to_mark(feed, position)
    assert (keys_of(batches), sum(batch.blind for batch in batches)) == ([], 1)


async def test_marks_of_other_collections_pass_unseen(
    client: AsyncMongoClient[dict[str, Any]], feed: MongoFeed, documents: Documents, unique_name: str
) -> None:
    position = await feed.tip()
    await client[unique_name][MARKS].insert_one({"_id": "other:1"})
    batches = await gather_to_mark(feed, position)
    assert len(set().union(*(batch.markers for batch in batches))) <= 2  # tip's own, and the test's


async def test_an_idle_feed_says_that_it_lives_and_moves_its_position(
    feed: MongoFeed, documents: Documents
) -> None:
    position = await feed.tip()
    batches = await gather(feed, position, lambda batches: len(batches) > 4)
    assert not keys_of(batches)
    assert batches[-1].position != position


async def test_dropping_the_collection_loses_the_feed(feed: MongoFeed, documents: Documents) -> None:
    position = await feed.tip()
    await documents.insert_one({"a": "x", "b": "1"})
    await documents.drop()
    with pytest.raises(FeedLost, match="drop"):
        await gather(feed, position, lambda batches: False)


async def test_a_foreign_position_is_lost(feed: MongoFeed) -> None:
    with pytest.raises(FeedLost):
        await gather(feed, '{"_data": "not a token"}', lambda batches: False)


async def test_a_burst_comes_in_bounded_batches(feed: MongoFeed, documents: Documents) -> None:
    position = await feed.tip()
    await documents.insert_many([{"a": "x", "b": f"{n:05}"} for n in range(1200)])
    batches = await gather_to_mark(feed, position)
    assert keys_of(batches) == [f"x/{n:05}" for n in range(1200)]
    assert max(len(batch.keys) for batch in batches) <= 500


async def test_following_survives_a_killed_connection(
    client: AsyncMongoClient[dict[str, Any]], feed: MongoFeed, documents: Documents
) -> None:
    position = await feed.tip()
    seen: list[str] = []
    after = "x/after"

    async def follow() -> None:
        async for batch in feed.follow(position):
            seen.extend(keys_of([batch]))
            if after in seen:
                return

    following = asyncio.create_task(follow())
    await documents.insert_one({"a": "x", "b": "before"})
    await _until(lambda: _is(seen == ["x/before"]))
    await _until(lambda: _kill_cursors(client))
    await documents.insert_one({"a": "x", "b": "after"})
    async with asyncio.timeout(DEADLINE):
        await following
    assert seen == ["x/before", after]


async def _is(claim: bool) -> bool:
    return claim


async def _kill_cursors(client: AsyncMongoClient[dict[str, Any]]) -> bool:
    """Kill every change stream's cursor in the server; True when there was one."""
    stage = {"$currentOp": {"idleCursors": True, "allUsers": True}}
    match = {"$match": {"cursor.originatingCommand.pipeline.0.$changeStream": {"$exists": True}}}
    killed = 0
    async for operation in await client.admin.aggregate([stage, match]):
        cursor = operation["cursor"]["cursorId"]
        await client[operation["ns"].split(".")[0]].command("killCursors", "$cmd.aggregate", cursors=[cursor])
        killed += 1
    return killed > 0


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await condition():  # noqa: ASYNC110 - what the server does cannot be awaited
            await asyncio.sleep(0.005)


def _now() -> int:
    return time.time_ns() // 1_000_000
