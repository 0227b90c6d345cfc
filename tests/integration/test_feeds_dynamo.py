"""A DynamoDB stream as a feed, on DynamoDB Local (one shard; see tests/unit/stores/dynamo for splits)."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import boto3
import pytest

from proxy.clock import SystemClock
from proxy.core.collection import Collection, Index, IndexKind, KeyField
from proxy.core.exchange import FeedBatch, FeedLost
from proxy.stores.dynamo.feed import DynamoFeed
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings

DEADLINE = 20.0


class Table:
    """A table with a stream, written to by boto3 as a service of its own would."""

    def __init__(self, endpoint: str, name: str) -> None:
        self._client = boto3.client("dynamodb", endpoint_url=endpoint)
        self._stores = DynamoStores(DynamoSettings(endpoint=endpoint, attempt_timeout=10, call_timeout=30))
        self._name = name

    async def create(self) -> None:
        await asyncio.to_thread(
            self._client.create_table,
            TableName=self._name,
            KeySchema=[
                {"AttributeName": "a", "KeyType": "HASH"},
                {"AttributeName": "b", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "a", "AttributeType": "S"},
                {"AttributeName": "b", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        enable = {"Enabled": True, "AttributeName": "_ttl"}
        await asyncio.to_thread(
            self._client.update_time_to_live, TableName=self._name, TimeToLiveSpecification=enable
        )

    async def put(self, sort: str, **more: Any) -> None:
        item = {"a": {"S": "x"}, "b": {"S": sort}} | more
        await asyncio.to_thread(self._client.put_item, TableName=self._name, Item=item)

    async def delete(self, sort: str) -> None:
        key = {"a": {"S": "x"}, "b": {"S": sort}}
        await asyncio.to_thread(self._client.delete_item, TableName=self._name, Key=key)

    async def holds(self, sort: str) -> bool:
        key = {"a": {"S": "x"}, "b": {"S": sort}}
        answer = await asyncio.to_thread(self._client.get_item, TableName=self._name, Key=key)
        return "Item" in answer

    async def drop(self) -> None:
        await asyncio.to_thread(self._client.delete_table, TableName=self._name)
        self._client.close()
        await self._stores.close()

    def feed(self) -> DynamoFeed:
        key = Index("key", IndexKind.TABLE, (KeyField("a"),), (KeyField("b"),), "a", "b")
        collection = Collection("jobs", "db", "jobs", self._name, key)
        return self._stores.feed(collection, SystemClock())


@pytest.fixture
async def table(dynamodb_endpoint: str, unique_name: str) -> AsyncIterator[Table]:
    table = Table(dynamodb_endpoint, unique_name)
    await table.create()
    yield table
    await table.drop()


async def gather_to_mark(feed: DynamoFeed, position: str) -> list[FeedBatch]:
    mark = await feed.mark()
    batches: list[FeedBatch] = []
    async with asyncio.timeout(DEADLINE):
        async for batch in feed.follow(position):
            batches.append(batch)
            if mark in batch.markers:
                break
    return batches


def keys_of(batches: list[FeedBatch]) -> list[str]:
    return [str(key.values[1]) for batch in batches for key in batch.keys]


async def test_every_kind_of_write_is_seen_in_order(table: Table) -> None:
    feed = table.feed()
    await table.put("before")
    position = await feed.tip()
    await table.put("1")
    await table.put("2")
    await table.put("1", n={"N": "1"})
    await table.delete("2")
    await table.put("3")
    keys = keys_of(await gather_to_mark(feed, position))
    assert set(keys) == {"1", "2", "3"}
    assert keys[-1] == "3"


async def test_a_position_outlives_the_process(table: Table) -> None:
    feed = table.feed()
    position = await feed.tip()
    await table.put("1")
    first = await gather_to_mark(feed, position)
    await table.put("2")
    second = await gather_to_mark(table.feed(), first[-1].position)
    assert (keys_of(first), keys_of(second)) == (["1"], ["2"])


async def test_a_tip_outlives_the_process_before_its_first_record(table: Table) -> None:
    position = await table.feed().tip()
    await table.put("1")
    assert keys_of(await gather_to_mark(table.feed(), position)) == ["1"]


async def test_an_expired_tombstone_is_no_event(table: Table) -> None:
    feed = table.feed()
    await table.put("dead", _ttl={"N": str(int(time.time()) - 1)})
    position = await feed.tip()
    async with asyncio.timeout(DEADLINE):
        while await table.holds("dead"):  # noqa: ASYNC110 - what the server does cannot be awaited
            await asyncio.sleep(0.1)
    await table.put("next")
    assert keys_of(await gather_to_mark(feed, position)) == ["next"]


async def test_an_unknown_position_is_lost(table: Table) -> None:
    feed = table.feed()
    position = (await feed.tip()).replace("stream/", "stream/elsewhere")
    with pytest.raises(FeedLost):
        await gather_to_mark(feed, position)


async def test_a_burst_arrives_whole(table: Table) -> None:
    feed = table.feed()
    position = await feed.tip()
    for start in range(0, 300, 20):
        await asyncio.gather(*(table.put(f"{n:04}") for n in range(start, start + 20)))
    assert sorted(keys_of(await gather_to_mark(feed, position))) == [f"{n:04}" for n in range(300)]
