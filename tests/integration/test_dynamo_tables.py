"""Tables are created as declared, completed where possible, and otherwise refused in one clear sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField
from proxy.core.errors import Reason, Refused
from proxy.core.write import Insert
from proxy.embedded.addresses import Addresses
from proxy.embedded.stores import open_dynamodb
from proxy.stores.dynamo import tables
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from tests.integration.dynamo_jobs import BY_OWNER, TABLE_KEY, WORK_QUEUE, job, jobs, key, stamp


def opened(endpoint: str) -> DynamoStores:
    return DynamoStores(DynamoSettings(endpoint=endpoint, attempt_timeout=10, call_timeout=30))


@pytest.fixture
async def stores(dynamodb_endpoint: str) -> AsyncIterator[DynamoStores]:
    async with opened(dynamodb_endpoint) as stores:
        yield stores


@pytest.fixture
async def collection(stores: DynamoStores, unique_name: str) -> AsyncIterator[Collection]:
    yield jobs(unique_name)
    await stores.transport.call("DeleteTable", {"TableName": unique_name})


async def describe(stores: DynamoStores, collection: Collection) -> dict[str, Any]:
    answer = await stores.transport.call("DescribeTable", {"TableName": collection.table})
    table: dict[str, Any] = answer["Table"]
    return table


async def test_a_table_is_made_as_declared_and_only_once(
    stores: DynamoStores, collection: Collection
) -> None:
    store = stores.collection(collection)
    done = await store.prepare()
    assert len(done) == 2
    assert "work_queue, by_owner" in done[0]
    assert "_ttl" in done[1]
    table = await describe(stores, collection)
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert [index["IndexName"] for index in table["LocalSecondaryIndexes"]] == ["work_queue"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by_owner"]
    ttl = await stores.transport.call("DescribeTimeToLive", {"TableName": collection.table})
    assert ttl["TimeToLiveDescription"]["AttributeName"] == "_ttl"
    assert await store.prepare() == ()
    assert await store.estimate() == 0


async def test_replicas_that_start_together_do_not_disturb_each_other(
    stores: DynamoStores, collection: Collection
) -> None:
    replicas = [stores.collection(collection) for _ in range(4)]
    done = await asyncio.gather(*(replica.prepare() for replica in replicas))
    assert sum(line.startswith("created") for lines in done for line in lines) == 1


async def test_a_global_index_is_added_later(addresses: Addresses, unique_name: str) -> None:
    """On a DynamoDB of its own: the one thread that fills indexes in DynamoDB Local looks through all tables,
    and has been seen to be gone for good on a server where others came and went meanwhile."""
    collection = jobs(unique_name)
    async with open_dynamodb(addresses) as dynamodb, opened(dynamodb.address) as stores:
        earlier = stores.collection(replace(collection, indexes=(WORK_QUEUE,)))
        await earlier.prepare()
        try:
            await earlier.write(Insert(key("a"), job("a", owner="me", due_at=1)), stamp())
            (line,) = await stores.collection(collection).prepare()
            assert "by_owner" in line
            assert len((await describe(stores, collection))["GlobalSecondaryIndexes"]) == 1
        finally:
            await stores.transport.call("DeleteTable", {"TableName": unique_name})


async def test_a_stream_is_switched_on_later(stores: DynamoStores, collection: Collection) -> None:
    keeper_definition = {
        "TableName": collection.table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "deployment_key", "AttributeType": "S"},
            {"AttributeName": "name", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "deployment_key", "KeyType": "HASH"},
            {"AttributeName": "name", "KeyType": "RANGE"},
        ],
    }
    await stores.transport.call("CreateTable", keeper_definition)
    done = await stores.collection(replace(collection, indexes=())).prepare()
    assert [line.split()[0] for line in done] == ["switched", "set"]


NUMBERED = replace(TABLE_KEY, sort=(KeyField("name", FieldType.NUMBER),))
RENAMED = replace(TABLE_KEY, sort=(KeyField("name"), KeyField("part")), sort_attribute="name_part")
OTHER_QUEUE = Index(
    "work_queue",
    IndexKind.LOCAL,
    TABLE_KEY.partition,
    (KeyField("at", FieldType.DATE),),
    "deployment_key",
    "at",
)
LATER_LOCAL = replace(OTHER_QUEUE, name="later")
OTHER_OWNER = replace(BY_OWNER, sort=(KeyField("name"),), sort_attribute="name")


@pytest.mark.parametrize(
    ("key_index", "indexes", "culprit"),
    [
        (RENAMED, (), "its key"),
        (NUMBERED, (), "the type of name"),
        (TABLE_KEY, (OTHER_QUEUE,), "the index work_queue"),
        (TABLE_KEY, (WORK_QUEUE, LATER_LOCAL), "the index later"),
        (TABLE_KEY, (WORK_QUEUE, OTHER_OWNER), "the index by_owner"),
    ],
)
async def test_a_table_that_differs_is_refused(
    stores: DynamoStores, collection: Collection, key_index: Index, indexes: tuple[Index, ...], culprit: str
) -> None:
    await stores.collection(collection).prepare()
    with pytest.raises(Refused) as caught:
        await stores.collection(replace(collection, key=key_index, indexes=indexes)).prepare()
    assert caught.value.reason is Reason.STORE_REJECTED
    assert culprit in str(caught.value)
    assert collection.table in str(caught.value)


async def test_another_time_to_live_is_refused(stores: DynamoStores, collection: Collection) -> None:
    store = stores.collection(collection)
    await store.prepare()
    request = {"TableName": collection.table}
    for enabled, name in ((False, "_ttl"), (True, "expires")):
        specification = {"Enabled": enabled, "AttributeName": name}
        await stores.transport.call("UpdateTimeToLive", {**request, "TimeToLiveSpecification": specification})
    with pytest.raises(Refused, match="time to live"):
        await store.prepare()


async def test_a_table_that_is_missing_is_refused_and_not_a_missing_document(
    stores: DynamoStores, unique_name: str
) -> None:
    with pytest.raises(Refused):
        await stores.collection(jobs(unique_name)).get([key("a")])


async def test_however_many_ask_dynamodb_is_asked_for_its_count_once(
    stores: DynamoStores, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stores.collection(collection)
    await store.prepare()
    asked: list[str] = []
    call = stores.transport.call

    async def noted(operation: str, request: Any, timeout: float | None = None) -> dict[str, Any]:
        asked.append(operation)
        return await call(operation, request, timeout)

    monkeypatch.setattr(stores.transport, "call", noted)
    assert set(await asyncio.gather(*(store.estimate() for _ in range(20)))) == {0}
    assert asked == ["DescribeTable"]
    await store.write(Insert(key("a"), job("a")), stamp())
    assert await store.estimate() == 0
    monkeypatch.setattr(tables, "FRESH", 0.0)
    monkeypatch.setattr(store._keeper, "_count_until", 0.0)
    assert await store.estimate() == 1
