"""The codec and the limits against DynamoDB itself: what comes back, and what is refused."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.document import Document
from proxy.core.errors import BadRequest, Reason
from proxy.core.exchange import ApplyStatus
from proxy.core.keys import Key
from proxy.core.version import Record, Version
from proxy.stores.dynamo.limits import ITEM_LIMIT, DynamoLimits
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.size import item_size
from proxy.stores.dynamo.store import DynamoStore
from proxy.stores.dynamo.transport import DynamoSettings
from tests.unit.stores.dynamo.generated import WEBTASKS, documents, record_of

DOCUMENTS = 4000
KEY = Key(("auth0", "mycontainer", "mywebtask"))


@pytest.fixture
async def stores(dynamodb_endpoint: str) -> AsyncIterator[DynamoStores]:
    async with DynamoStores(
        DynamoSettings(endpoint=dynamodb_endpoint, attempt_timeout=30, call_timeout=60)
    ) as opened:
        yield opened


@pytest.fixture
async def store(stores: DynamoStores, unique_name: str) -> AsyncIterator[DynamoStore]:
    opened = stores.collection(replace(WEBTASKS, table=unique_name))
    await opened.prepare()
    yield opened
    await stores.transport.call("DeleteTable", {"TableName": unique_name})


def record(**fields: Any) -> Record:
    names = ("deployment_key", "webtask_container", "webtask_name")
    document = Document(dict(zip(names, KEY.values, strict=True)) | fields)
    return Record(KEY, Version(2**31 - 1, 2**63 - 1), b"o" * 16, (b"o" * 16,) * 8, document)


async def test_generated_documents_come_back_from_dynamodb_to_the_byte(
    stores: DynamoStores, store: DynamoStore, unique_name: str
) -> None:
    rng = random.Random(5)
    records = [record_of(document, rng) for document in documents(seed=5, count=DOCUMENTS)]
    free = asyncio.Semaphore(2)

    async def put(some: list[Record]) -> None:
        puts = [{"PutRequest": {"Item": store.codec.encode(wanted)}} for wanted in some]
        async with free:
            answer = await stores.transport.call("BatchWriteItem", {"RequestItems": {unique_name: puts}})
        assert not answer.get("UnprocessedItems")

    await asyncio.gather(*(put(records[start : start + 25]) for start in range(0, DOCUMENTS, 25)))
    found = await store.get([wanted.key for wanted in records])
    assert found == records  # documents are equal when their bytes are


async def test_the_largest_document_of_ours_is_one_of_dynamodbs(store: DynamoStore) -> None:
    """Our limit is never above DynamoDB's; and not far below it."""
    limits = DynamoLimits(WEBTASKS)
    item = store.codec.encode(record(due_at=5, text=""))
    entry = {name: item[name] for name in ("deployment_container", "webtask_name", "due_at")}
    room = ITEM_LIMIT - item_size(item) - item_size(entry)
    largest = record(due_at=5, text="x" * room)
    assert largest.document is not None
    limits.check(KEY, largest.document)
    assert (await store.apply(largest)).status is ApplyStatus.APPLIED
    with pytest.raises(BadRequest):
        limits.check(KEY, Document({**largest.document.fields, "text": "x" * (room + 1)}))
    larger = record(due_at=5, text="x" * (room + 600))
    newer = replace(larger, version=Version(2**31, 1))
    with pytest.raises(BadRequest) as caught:
        await store.apply(newer)
    assert caught.value.reason is Reason.DOCUMENT_TOO_LARGE


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"due_at": "soon"}, Reason.INDEX_FIELD_TYPE),
        ({"due_at": None}, Reason.INDEX_FIELD_TYPE),
    ],
)
async def test_what_the_limits_refuse_dynamodb_refuses_too(
    store: DynamoStore, fields: dict[str, Any], reason: Reason
) -> None:
    refused = record(**fields)
    assert refused.document is not None
    with pytest.raises(BadRequest) as ours:
        DynamoLimits(WEBTASKS).check(KEY, refused.document)
    with pytest.raises(BadRequest) as theirs:
        await store.apply(refused)
    assert ours.value.reason is theirs.value.reason is reason


async def test_a_key_of_the_greatest_length_is_taken(store: DynamoStore) -> None:
    name = "é" * 512
    wanted = record(webtask_name=name)
    await store.apply(replace(wanted, key=Key(("auth0", "mycontainer", name))))
    with pytest.raises(BadRequest) as caught:
        await store.get([Key(("auth0", "mycontainer", name + "x"))])
    assert caught.value.reason is Reason.KEY_TOO_LONG
