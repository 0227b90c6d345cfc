"""Outcomes in DynamoDB when calls fail: every write is applied once or not at all, and says which."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from proxy.core.errors import Contended, CrossfadeError, Outcome, Overloaded, Unavailable
from proxy.core.exchange import ApplyStatus
from proxy.core.update import Inc, Set
from proxy.core.write import Command, Delete, Insert, Modify, Replace
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.store import DynamoStore
from proxy.stores.dynamo.transport import DynamoSettings
from tests.integration.dynamo_faults import HARMLESS, Fault, Faults
from tests.integration.dynamo_jobs import fields_of, job, jobs, key, opened, stamp


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def store(dynamodb_endpoint: str, unique_name: str, faults: Faults) -> AsyncIterator[DynamoStore]:
    async with opened(dynamodb_endpoint, unique_name, faults) as prepared:
        yield prepared


ALL_FAULTS = [fault for fault in Fault if fault is not Fault.LATE]


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize("fault", ALL_FAULTS)
async def test_a_write_under_faults_is_applied_once(
    store: DynamoStore, faults: Faults, fault: Fault, times: int
) -> None:
    """Up to two faults are healed within a call; four exhaust one, and its outcome must tell the truth."""
    await store.write(Insert(key("a"), job("a", n=0)), stamp())
    faults.come("PutItem", *[fault] * times)
    if fault in HARMLESS and times == 4:
        with pytest.raises(CrossfadeError) as caught:
            await store.write(Modify(key("a"), (Inc("n", 1),)), stamp())
        assert caught.value.outcome is Outcome.NOT_APPLIED
        assert (await fields_of(store, "a"))["n"] == 0
        return
    result = await store.write(Modify(key("a"), (Inc("n", 1),)), stamp())
    assert (await fields_of(store, "a"))["n"] == 1
    assert (result.repeated, [result.after]) == (False, await store.get([key("a")]))
    assert result.before is not None
    assert result.before.document == job("a", n=0)


@pytest.mark.parametrize("fault", ALL_FAULTS)
@pytest.mark.parametrize("kind", ["insert", "replace", "delete", "upsert"])
async def test_every_kind_of_write_recognises_its_own(
    store: DynamoStore, faults: Faults, fault: Fault, kind: str
) -> None:
    commands: dict[str, Command] = {
        "insert": Insert(key("new"), job("new")),
        "replace": Replace(key("old"), job("old", n=2)),
        "delete": Delete(key("old")),
        "upsert": Modify(key("new"), (Set("n", 1),), upsert=True),
    }
    await store.write(Insert(key("old"), job("old")), stamp())
    faults.come("PutItem", fault, fault)
    result = await store.write(commands[kind], stamp())
    assert result.after is not None
    assert (result.matched, result.repeated) == (True, False)
    assert result.inserted is (kind in ("insert", "upsert"))
    assert (await store.get([result.after.key])) == [result.after]


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER])
async def test_when_not_even_reading_helps_the_outcome_is_unknown(
    store: DynamoStore, faults: Faults, fault: Fault
) -> None:
    await store.write(Insert(key("a"), job("a", n=0)), stamp())
    faults.come("PutItem", *[fault] * 3)
    faults.come("GetItem", None, *[Fault.NOT_SENT] * 3)
    mark = stamp()
    with pytest.raises(Unavailable) as caught:
        await store.write(Modify(key("a"), (Inc("n", 1),)), mark)
    assert (caught.value.outcome, caught.value.op) == (Outcome.UNKNOWN, mark.op)
    repeated = await store.write(Modify(key("a"), (Inc("n", 1),)), mark)
    assert repeated.repeated is (fault is Fault.LOST_AFTER)
    assert (await fields_of(store, "a"))["n"] == 1


async def test_a_put_that_arrives_late_cannot_undo_what_came_between(
    store: DynamoStore, faults: Faults
) -> None:
    await store.write(Insert(key("a"), job("a", n=0)), stamp())
    faults.come("PutItem", Fault.LATE)
    await store.write(Modify(key("a"), (Inc("n", 1),)), stamp())
    await store.write(Modify(key("a"), (Inc("n", 10),)), stamp())
    (late,) = await faults.arrive()
    assert late.error_name == "ConditionalCheckFailedException"
    assert (await fields_of(store, "a"))["n"] == 11


async def test_a_put_that_never_shows_is_of_unknown_outcome_and_may_arrive_later(
    store: DynamoStore, faults: Faults
) -> None:
    await store.write(Insert(key("a"), job("a", n=0)), stamp())
    faults.come("PutItem", *[Fault.LATE] * 100)
    mark = stamp()
    with pytest.raises(Unavailable) as caught:
        await store.write(Modify(key("a"), (Inc("n", 1),)), mark)
    assert caught.value.outcome is Outcome.UNKNOWN
    faults.come("PutItem")
    answers = await faults.arrive()
    assert [answer.status for answer in answers].count(200) == 1
    assert (await fields_of(store, "a"))["n"] == 1
    assert (await store.write(Modify(key("a"), (Inc("n", 1),)), mark)).repeated


async def test_a_thousand_increments_under_random_faults_count_exactly(
    store: DynamoStore, faults: Faults
) -> None:
    """The count that unconditional ADDs under an SDK's retries get wrong (facts 4.3)."""
    rng = random.Random(7)
    await store.write(Insert(key("a"), job("a", n=0)), stamp())
    faults.come("PutItem", *(rng.choice([None, None, None, *ALL_FAULTS]) for _ in range(4000)))
    applied = 0
    for _ in range(60):
        mark = stamp()
        for _ in range(5):
            try:
                await store.write(Modify(key("a"), (Inc("n", 1),)), mark)
            except CrossfadeError:
                continue
            applied += 1
            break
    assert (await fields_of(store, "a"))["n"] == applied == 60


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.ERROR_AFTER, Fault.THROTTLED])
async def test_a_mirror_write_under_faults_is_applied_once(
    store: DynamoStore, faults: Faults, fault: Fault
) -> None:
    record = (await store.write(Insert(key("a"), job("a")), stamp())).after
    assert record is not None
    newer = replace(record, version=record.version._replace(revision=record.version.revision + 1))
    faults.come("PutItem", fault, fault)
    result = await store.apply(newer)
    assert result.status in (ApplyStatus.APPLIED, ApplyStatus.ALREADY_THERE)
    assert result.existing == newer
    assert await store.get([key("a")]) == [newer]
    faults.come("PutItem", Fault.LOST_BEFORE, Fault.LOST_BEFORE, Fault.LOST_BEFORE)
    assert (await store.apply(record)).status is ApplyStatus.NEWER


async def test_a_mirror_write_that_may_be_lost_says_so(store: DynamoStore, faults: Faults) -> None:
    record = (await store.write(Insert(key("a"), job("a")), stamp())).after
    assert record is not None
    newer = replace(record, version=record.version._replace(revision=record.version.revision + 1))
    faults.come("PutItem", *[Fault.LOST_BEFORE] * 3)
    with pytest.raises(Unavailable) as caught:
        await store.apply(newer)
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_a_restamp_recognises_its_own(store: DynamoStore, faults: Faults) -> None:
    record = (await store.write(Insert(key("a"), job("a")), stamp())).after
    assert record is not None
    faults.come("PutItem", *[Fault.LOST_AFTER] * 3)
    renewed = await store.restamp(record, stamp(2), record.version.revision + 100)
    assert await store.get([key("a")]) == [renewed]
    assert await store.restamp(record, stamp(2), 0) is None


async def test_reads_go_on_after_faults_and_fail_without_an_outcome(
    store: DynamoStore, faults: Faults
) -> None:
    await store.write(Insert(key("a"), job("a")), stamp())
    faults.come("GetItem", Fault.THROTTLED, Fault.LOST_BEFORE)
    assert (await store.get([key("a")]))[0] is not None
    faults.come("GetItem", *[Fault.THROTTLED] * 3)
    with pytest.raises(Overloaded) as caught:
        await store.get([key("a")])
    assert caught.value.outcome is Outcome.NOT_APPLIED


async def test_writers_in_two_processes_meet_and_lose_nothing(
    dynamodb_endpoint: str, store: DynamoStore, unique_name: str
) -> None:
    await store.write(Insert(key("a"), job("a", n=0)), stamp())
    async with DynamoStores(
        DynamoSettings(endpoint=dynamodb_endpoint, attempt_timeout=10, call_timeout=30)
    ) as others:
        other = others.collection(jobs(unique_name))

        async def add(to: DynamoStore) -> int:
            for _ in range(20):
                try:
                    await to.write(Modify(key("a"), (Inc("n", 1),)), stamp())
                except Contended:
                    continue  # not applied: the sum below would show it
                return 1
            return 0

        added = await asyncio.gather(*(add(to) for to in (store, other) for _ in range(15)))
    assert sum(added) == 30
    assert (await fields_of(store, "a"))["n"] == 30
