"""A DynamoDB stream as a feed, with what DynamoDB Local has not: splits, closures, expiries, losses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest

from proxy.core.collection import Collection, Index, IndexKind, KeyField
from proxy.core.exchange import FeedBatch, FeedLost
from proxy.stores.dynamo.feed import ITERATOR_LIFE, RETENTION, DynamoFeed
from proxy.stores.dynamo.layout import Layout
from proxy.stores.dynamo.lineage import BEGINNING, DONE, Shard, StreamPosition, catch_up, readable
from tests.unit.stores.dynamo.scripted_streams import ARN, THROTTLED, ScriptedStreams

KEY = Index("key", IndexKind.TABLE, (KeyField("a"),), (KeyField("b"),), "a", "b")
JOBS = Collection("jobs", "db", "jobs", "jobs", KEY)
DAY = 24 * 3600 * 1000


class SetClock:
    """A clock that stands where it is set, and moves on by a millisecond a look."""

    def __init__(self) -> None:
        self.at = 1_700_000_000_000

    def now(self) -> int:
        self.at += 1
        return self.at

    def random(self) -> float:
        return 0.5

    def new_op(self) -> bytes:
        return b"0" * 16


class Follower:
    """Follows in the background and remembers; `catch_up` waits for a mark."""

    def __init__(self, feed: DynamoFeed, position: str) -> None:
        self._feed = feed
        self._batches: AsyncGenerator[FeedBatch] = feed.follow(position)  # type: ignore[assignment]
        self.position = position
        self.keys: list[str] = []
        self.blind = 0

    async def catch_up(self) -> list[str]:
        """What was committed before this call, and not seen before."""
        mark = await self._feed.mark()
        seen = len(self.keys)
        async with asyncio.timeout(5):
            async for batch in self._batches:
                self.position = batch.position
                self.keys += ["/".join(key.values) for key in batch.keys]
                self.blind += batch.blind
                if mark in batch.markers:
                    break
        return self.keys[seen:]

    async def close(self) -> None:
        await self._batches.aclose()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def streams(clock: SetClock) -> ScriptedStreams:
    return ScriptedStreams(lambda: clock.at)


@pytest.fixture
def feed(streams: ScriptedStreams, clock: SetClock) -> DynamoFeed:
    return DynamoFeed(streams, JOBS, Layout(JOBS), clock)


def restarted(streams: ScriptedStreams, clock: SetClock) -> DynamoFeed:
    """The feed of a new process: it knows nothing but what a position says."""
    return DynamoFeed(streams, JOBS, Layout(JOBS), clock)


async def test_everything_after_the_tip_in_order(feed: DynamoFeed, streams: ScriptedStreams) -> None:
    streams.write("s0", "x/before")
    follower = Follower(feed, await feed.tip())
    streams.write("s0", "x/1")
    streams.write("s0", "x/2")
    assert await follower.catch_up() == ["x/1", "x/2"]
    streams.write("s0", "x/3")
    assert await follower.catch_up() == ["x/3"]


async def test_a_split_loses_nothing_and_keeps_the_order_of_a_key(
    feed: DynamoFeed, streams: ScriptedStreams
) -> None:
    follower = Follower(feed, await feed.tip())
    streams.write("s0", "x/1")
    streams.split("s0", "s1", "s2")
    streams.write("s1", "x/2")
    streams.write("s2", "y/1")
    streams.split("s1", "s3", "s4")
    streams.write("s3", "x/3")
    seen = await follower.catch_up()
    assert sorted(seen) == ["x/1", "x/2", "x/3", "y/1"]
    assert [key for key in seen if key.startswith("x")] == ["x/1", "x/2", "x/3"]


async def test_a_split_while_nobody_followed(
    feed: DynamoFeed, streams: ScriptedStreams, clock: SetClock
) -> None:
    follower = Follower(feed, await feed.tip())
    streams.write("s0", "x/1")
    await follower.catch_up()
    streams.write("s0", "x/2")
    streams.split("s0", "s1", "s2")
    streams.write("s2", "x/3")
    later = Follower(restarted(streams, clock), follower.position)
    assert await later.catch_up() == ["x/2", "x/3"]


async def test_a_tip_survives_the_process_before_its_first_record(
    feed: DynamoFeed, streams: ScriptedStreams, clock: SetClock
) -> None:
    streams.write("s0", "x/long-ago")
    clock.at += 3600_000
    position = await feed.tip()
    streams.write("s0", "x/1")
    later = Follower(restarted(streams, clock), position)
    assert await later.catch_up() == ["x/1"]


async def test_a_later_tip_takes_no_other_its_iterators_before_dynamodb_does(
    feed: DynamoFeed, streams: ScriptedStreams, clock: SetClock
) -> None:
    """Without them what the stream keeps of a whole day would be read, up to the position."""
    streams.write("s0", "x/before")
    position = await feed.tip()
    await feed.tip()
    streams.write("s0", "x/1")
    assert await Follower(feed, position).catch_up() == ["x/1"]
    clock.at += ITERATOR_LIFE
    await feed.tip()
    assert await Follower(feed, position).catch_up() == ["x/before", "x/1"]


async def test_an_iterator_that_expired_is_replaced(feed: DynamoFeed, streams: ScriptedStreams) -> None:
    position = await feed.tip()
    streams.write("s0", "x/1")
    streams.expire_iterators()
    follower = Follower(feed, position)
    assert await follower.catch_up() == ["x/1"]
    streams.expire_iterators()
    streams.write("s0", "x/2")
    assert await follower.catch_up() == ["x/2"]


async def test_an_outage_is_survived(feed: DynamoFeed, streams: ScriptedStreams) -> None:
    follower = Follower(feed, await feed.tip())
    streams.write("s0", "x/1")
    streams.fail_next = THROTTLED
    assert await follower.catch_up() == ["x/1"]
    streams.write("s0", "x/2")
    streams.fail_next = THROTTLED
    assert await follower.catch_up() == ["x/2"]


async def test_small_pages_are_read_to_the_end_before_a_mark(
    feed: DynamoFeed, streams: ScriptedStreams
) -> None:
    streams.page = 7
    follower = Follower(feed, await feed.tip())
    for number in range(50):
        streams.write("s0", f"x/{number:02}")
    assert await follower.catch_up() == [f"x/{number:02}" for number in range(50)]


async def test_trimmed_records_lose_the_feed(
    feed: DynamoFeed, streams: ScriptedStreams, clock: SetClock
) -> None:
    follower = Follower(feed, await feed.tip())
    streams.write("s0", "x/1")
    await follower.catch_up()
    for number in range(2, 5):
        streams.write("s0", f"x/{number}")
    streams.trim("s0", 3)
    with pytest.raises(FeedLost):
        await Follower(restarted(streams, clock), follower.position).catch_up()


async def test_an_expired_shard_loses_the_feed_unless_it_was_read_to_its_end(
    feed: DynamoFeed, streams: ScriptedStreams, clock: SetClock
) -> None:
    unread = await feed.tip()
    follower = Follower(feed, unread)
    streams.write("s0", "x/1")
    streams.split("s0", "s1")
    streams.write("s1", "x/2")
    await follower.catch_up()
    streams.expire("s0")
    with pytest.raises(FeedLost, match="s0"):
        await Follower(restarted(streams, clock), unread).catch_up()
    streams.write("s1", "x/3")
    assert await Follower(restarted(streams, clock), follower.position).catch_up() == ["x/3"]


async def test_a_position_of_yesterday_is_lost(
    feed: DynamoFeed, streams: ScriptedStreams, clock: SetClock
) -> None:
    position = await feed.tip()
    clock.at += RETENTION + 1000
    with pytest.raises(FeedLost, match="24 hours"):
        await Follower(feed, position).catch_up()


async def test_another_stream_of_the_table_loses_the_feed(feed: DynamoFeed, streams: ScriptedStreams) -> None:
    position = await feed.tip()
    streams.stream = "arn:another"
    with pytest.raises(FeedLost, match="another stream"):
        await Follower(feed, position).catch_up()


async def test_a_text_that_is_no_position_is_lost(feed: DynamoFeed) -> None:
    for text in ("", "{}", "[]", '{"stream":"s","at":1,"shards":{"a":"?"}}'):
        with pytest.raises(FeedLost):
            await Follower(feed, text).catch_up()


async def test_expired_tombstones_are_no_events(feed: DynamoFeed, streams: ScriptedStreams) -> None:
    follower = Follower(feed, await feed.tip())
    service = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    tombstone = {"OldImage": {"_cf": {"M": {"del": {"N": "1"}}}}}
    streams.write("s0", "x/ttl", "REMOVE", userIdentity=service)
    streams.write("s0", "x/local", "UNKNOWN_TO_SDK_VERSION")
    streams.write("s0", "x/purged", "REMOVE", dynamodb=tombstone)
    streams.write("s0", "x/direct", "REMOVE")
    assert await follower.catch_up() == ["x/direct"]


async def test_an_item_without_a_key_of_ours_is_counted(feed: DynamoFeed, streams: ScriptedStreams) -> None:
    follower = Follower(feed, await feed.tip())
    streams.write("s0", "x/1", dynamodb={"Keys": {"other": {"S": "x"}}})
    assert (await follower.catch_up(), follower.blind) == ([], 1)


async def test_the_time_of_a_batch_is_not_rounded_behind_the_last_look(
    feed: DynamoFeed, streams: ScriptedStreams, clock: SetClock
) -> None:
    follower = feed.follow(await feed.tip())
    first = await anext(follower)
    looked = clock.at
    clock.at += 700
    streams.write("s0", "x/1")
    batch = first
    while not batch.keys:
        batch = await anext(follower)
    assert looked - 5 <= batch.committed_at <= clock.at
    await follower.aclose()  # type: ignore[attr-defined]


async def test_an_idle_feed_is_woken_by_a_mark(
    feed: DynamoFeed, streams: ScriptedStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.stores.dynamo.feed.BUSY", 60.0)
    monkeypatch.setattr("proxy.stores.dynamo.feed.IDLE", 60.0)
    batches: AsyncGenerator[FeedBatch] = feed.follow(await feed.tip())  # type: ignore[assignment]
    await anext(batches)
    looking = asyncio.ensure_future(anext(batches))
    before = streams.reads
    await asyncio.sleep(0)  # it goes to its rest of a minute
    mark = await feed.mark()
    batch = await asyncio.wait_for(looking, 5)
    assert mark in batch.markers and streams.reads > before
    await batches.aclose()


async def test_an_idle_feed_says_that_it_lives(feed: DynamoFeed, streams: ScriptedStreams) -> None:
    began = time.monotonic()
    batches = []
    async with asyncio.timeout(5):
        async for batch in feed.follow(await feed.tip()):
            batches.append(batch)
            if len(batches) == 3:
                break
    assert all(not batch.keys for batch in batches)
    assert time.monotonic() - began > 0.5, "it does not chatter"
    assert streams.reads < 60


def test_a_child_waits_for_its_parent() -> None:
    shards = [Shard("p", None, False), Shard("c1", "p", True), Shard("c2", "p", True)]
    position = StreamPosition(ARN, 0, {"p": BEGINNING})
    position = catch_up(position, shards)
    assert readable(position, shards) == ["p"]
    assert readable(position.put("p", DONE), shards) == ["c1", "c2"]


def test_positions_survive_their_text() -> None:
    position = StreamPosition(ARN, 7, {"p": DONE, "c": BEGINNING})
    assert StreamPosition.from_text(position.to_text()) == position


def test_finished_shards_are_forgotten_once_the_stream_forgot_them() -> None:
    position = StreamPosition(ARN, 0, {"p": DONE, "c": BEGINNING})
    assert catch_up(position, [Shard("c", "p", True)]).places == {"c": BEGINNING}
