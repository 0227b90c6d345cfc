"""The fence and the layout on a real MongoDB: what is refused, what still passes, what is restored."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.errors import WriteError

from proxy.core.collection import Settings
from proxy.core.errors import BadRequest, Contended, Fenced, Reason, Refused
from proxy.core.exchange import ApplyStatus, Segment
from proxy.core.update import Inc, Set
from proxy.core.version import Record, Version
from proxy.core.write import Delete, Insert, Modify, Replace
from proxy.faultpoint import armed, disarm
from proxy.stores.mongo.fence import FRESH, MongoFence
from tests.integration.mongo_collections import NOW, Place, opened, stamp
from tests.unit.stores.mongo.documents import OTHER_OP, document, key

BLOCKS_ALL = 2**53
OWN = {"$jsonSchema": {"bsonType": "object", "required": ["owner"]}}


@pytest.fixture
async def bare(mongodb_uri: str, unique_name: str) -> AsyncIterator[Place]:
    async with opened(mongodb_uri, unique_name) as place:
        yield place


@pytest.fixture
async def place(bare: Place) -> Place:
    await bare.store.prepare()
    return bare


async def options(place: Place) -> dict[str, Any]:
    [found] = await (await place.database.list_collections(filter={"name": "jobs"})).to_list()
    return dict(found["options"])


async def test_no_write_of_an_older_epoch_enters(place: Place) -> None:
    await place.insert(document(n=1), epoch=3)
    fence = place.store.fence
    assert await fence.current() == 0
    await fence.raise_to(4)
    assert await fence.current() == 4
    for command in (
        Modify(key(), (Inc("n", 1),)),
        Modify(key(), (Inc("n", 1),), wants_before=True),
        Replace(key(), document()),
        Delete(key()),
        Insert(key("t2"), document("t2")),
    ):
        with pytest.raises(Fenced):
            await place.store.write(command, stamp(3))
    with pytest.raises(Fenced):
        await place.store.apply(Record(key("t2"), Version(3, 1), OTHER_OP, (OTHER_OP,), document("t2")))
    assert (await place.store.write(Modify(key(), (Inc("n", 1),)), stamp(4))).matched
    tombstone = Record(key("t2"), Version(4, 1), OTHER_OP, (OTHER_OP,), None, NOW)
    assert (await place.store.apply(tombstone)).status is ApplyStatus.APPLIED


async def test_writers_that_bypass_the_proxy(place: Place) -> None:
    """They may change a document of the current epoch; not older ones, and they may not insert."""
    await place.insert(document(), epoch=4)
    await place.insert(document("old"), epoch=3)
    await place.store.fence.raise_to(4)
    assert (await place.direct.update_one({"task": "t1"}, {"$set": {"n": 1}})).modified_count == 1
    with pytest.raises(WriteError):
        await place.direct.update_one({"task": "old"}, {"$set": {"n": 1}})
    with pytest.raises(WriteError):
        await place.direct.insert_one(document("new").fields)
    assert [record.key for record in [r async for r in place.store.scan(Segment())]] == [
        key("old"),
        key("t1"),
    ]


async def test_a_fence_is_never_lowered(place: Place) -> None:
    fence = place.store.fence
    await fence.raise_to(7)
    await fence.raise_to(5)
    await fence.raise_to(7)
    assert await fence.current() == 7
    await fence.raise_to(BLOCKS_ALL)
    with pytest.raises(Fenced):
        await place.insert(document(), epoch=10**6)
    await fence.lift()
    assert await fence.current() == 0
    assert "validator" not in await options(place)
    await place.insert(document())


async def test_no_write_that_began_before_is_acknowledged_after(place: Place) -> None:
    await place.insert(document(n=0))
    busy, raised = asyncio.Event(), asyncio.Event()
    acknowledged, late = 0, 0

    async def write() -> None:
        nonlocal acknowledged, late
        while True:
            try:
                await place.store.write(Modify(key(), (Inc("n", 1),)), stamp(1))
            except Fenced:
                return
            acknowledged += 1
            if acknowledged == 20:
                busy.set()
            late += raised.is_set()

    writers = [asyncio.create_task(write()) for _ in range(4)]
    await busy.wait()
    await place.store.fence.raise_to(2)
    raised.set()
    count = (await place.direct.find_one({}) or {})["n"]
    await asyncio.gather(*writers)
    assert (await place.direct.find_one({}) or {})["n"] == count == acknowledged
    assert late <= 4  # replies that were on their way


async def test_an_open_transaction_delays_the_fence_but_does_not_stall_writers(place: Place) -> None:
    await place.insert(document(n=0))
    async with place.stores.client.start_session() as session:
        await session.start_transaction()
        await place.direct.update_one({}, {"$set": {"n": 1}}, session=session)
        raising = asyncio.create_task(place.store.fence.raise_to(2))
        async with asyncio.timeout(4):
            await place.insert(document("t2"))
        assert not raising.done()
        await session.commit_transaction()
    await raising
    assert await place.store.fence.current() == 2


async def test_a_transaction_that_never_ends_is_given_up_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.stores.mongo.fence.DEADLINE", 0.3)
    await place.insert(document(n=0))
    async with place.stores.client.start_session() as session:
        await session.start_transaction()
        await place.direct.update_one({}, {"$set": {"n": 1}}, session=session)
        with pytest.raises(Contended):
            await place.store.fence.raise_to(2)
        await session.abort_transaction()
    assert await place.store.fence.current() == 0


async def test_the_users_validator_is_kept_and_restored(bare: Place) -> None:
    await bare.database.create_collection("jobs", validator=OWN)
    own = await options(bare)
    assert any("validator" in line for line in await bare.store.prepare())
    assert await bare.store.prepare() == ()
    await bare.insert(document(owner="me"))
    with pytest.raises(BadRequest) as caught:
        await bare.insert(document("t2"))
    assert caught.value.reason is Reason.STORE_REJECTED
    assert (await bare.store.write(Delete(key()), stamp())).matched
    await bare.store.fence.raise_to(5)
    with pytest.raises(BadRequest):
        await bare.insert(document("t2"), epoch=5)
    with pytest.raises(Fenced):
        await bare.insert(document("t2", owner="me"), epoch=4)
    await bare.insert(document("t2", owner="me"), epoch=5)
    await bare.store.fence.lift()
    restored = await options(bare)
    assert {name: restored[name] for name in own} == own


async def test_a_validator_that_only_warns_is_not_enforced_but_restored(bare: Place) -> None:
    await bare.database.create_collection("jobs", validator=OWN, validationAction="warn")
    await bare.store.prepare()
    await bare.store.fence.raise_to(2)
    await bare.insert(document(), epoch=2)
    await bare.store.fence.lift()
    assert ((await options(bare))["validator"], (await options(bare))["validationAction"]) == (OWN, "warn")


@pytest.mark.parametrize(
    ("creation", "why"),
    [
        ({"validator": OWN, "validationLevel": "moderate"}, "strict"),
        ({"validator": {"$jsonSchema": {"additionalProperties": False, "properties": {"_id": {}}}}}, "_cf"),
        ({"capped": True, "size": 4096}, "capped"),
        ({"collation": {"locale": "de"}}, "collation"),
        ({"viewOn": "other", "pipeline": []}, "view"),
        ({"timeseries": {"timeField": "at"}}, "timeseries"),
    ],
)
async def test_what_cannot_be_moved_is_refused_with_the_reason(
    bare: Place, creation: dict[str, Any], why: str
) -> None:
    await bare.database.create_collection("jobs", **creation)
    with pytest.raises(Refused, match=why):
        await bare.store.prepare()


async def test_unique_indexes_that_tombstones_would_violate_are_refused(bare: Place) -> None:
    await bare.direct.create_index("email", unique=True)
    with pytest.raises(Refused, match="email"):
        await bare.store.prepare()
    await bare.direct.drop_index("email_1")
    await bare.direct.create_index("email", unique=True, sparse=True)
    await bare.store.prepare()


async def test_documents_that_share_a_key_are_refused(bare: Place) -> None:
    twin = document().fields
    await bare.direct.insert_many([{**twin, "_id": 1}, {**twin, "_id": 2}])
    with pytest.raises(Refused, match="share a key"):
        await bare.store.prepare()


async def test_an_index_in_the_way_is_refused(bare: Place) -> None:
    await bare.direct.create_index([("deployment_key", 1), ("container", 1), ("task", 1)])
    with pytest.raises(Refused, match="unique"):
        await bare.store.prepare()


async def test_preparing_creates_what_is_missing_once(mongodb_uri: str, unique_name: str) -> None:
    async with opened(mongodb_uri, unique_name, Settings(tombstone_ttl=100)) as place:
        assert len(await place.store.prepare()) == 4
        assert await place.store.prepare() == ()
        assert (await options(place))["changeStreamPreAndPostImages"] == {"enabled": True}
        indexes = await place.direct.index_information()
        assert sorted(len(index["key"]) for index in indexes.values()) == [1, 1, 3, 4]
    async with opened(mongodb_uri, unique_name, Settings(tombstone_ttl=100)) as place:
        await place.direct.insert_one({"_id": 1})
        assert len(await place.store.prepare()) == 4


async def test_the_life_of_tombstones_follows_the_settings(mongodb_uri: str, unique_name: str) -> None:
    async with opened(mongodb_uri, unique_name, Settings(tombstone_ttl=100)) as place:
        await place.store.prepare()
        async with opened(mongodb_uri, unique_name, Settings(tombstone_ttl=50)) as again:
            assert any("50 s" in line for line in await again.store.prepare())


async def test_old_tombstones_vanish_by_themselves(place: Place) -> None:
    await place.insert(document())
    await place.store.write(Delete(key()), stamp(now=1_000_000))
    async with asyncio.timeout(60):
        async with await place.direct.watch([{"$match": {"operationType": "delete"}}]) as deletions:
            if await place.direct.count_documents({}):
                await anext(deletions)
    assert await place.store.get([key()]) == [None]


async def test_an_unproxied_validator_error_names_no_values(bare: Place) -> None:
    await bare.database.create_collection("jobs", validator={"secret": {"$ne": "hunter2"}})
    await bare.store.prepare()
    with pytest.raises(BadRequest) as caught:
        await bare.store.write(Insert(key(), document(secret="hunter2")), stamp())
    assert "hunter2" not in str(caught.value)
    await bare.insert(document())
    with pytest.raises(BadRequest):
        await bare.store.write(Modify(key(), (Set("secret", "hunter2"),)), stamp())


async def test_a_process_that_stood_still_does_not_lower_what_rose_meanwhile(place: Place) -> None:
    """It has read the fence, sleeps through two changes of the primary, and goes on."""
    sleeper, others = place.store.fence, MongoFence(place.database, "jobs")
    await sleeper.raise_to(5)

    async def oversleep() -> None:
        disarm("fence.before_install")
        await others.raise_to(7)
        await asyncio.sleep(FRESH)

    with armed("fence.before_install", oversleep):
        await sleeper.raise_to(6)
    assert await sleeper.current() == 7
