"""What MongoDB's failures mean: nothing is applied twice, and nothing unconfirmed is called done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from proxy.core.errors import (
    Broken,
    Contended,
    CrossfadeError,
    DeadlineExceeded,
    Outcome,
    Reason,
    Unavailable,
)
from proxy.core.exchange import ApplyStatus, Segment
from proxy.core.filter import And, Comparator, Compare
from proxy.core.flag import Flag
from proxy.core.planner import plan
from proxy.core.stage import Stage
from proxy.core.update import Inc, Set
from proxy.core.version import Record, Version
from proxy.core.write import Delete, Insert, Modify
from proxy.embedded.mongod import ReplicaSet
from proxy.stores.mongo.control import MongoControl
from proxy.stores.mongo.store import MongoStores
from tests.integration.mongo_collections import Place, opened, stamp
from tests.unit.stores.mongo import documents
from tests.unit.stores.mongo.documents import OTHER_OP, document, key

FLAG = Flag("jobs", 1, Stage.MONGO_ONLY, 1_700_000_000_000)


@pytest.fixture(scope="module")
def failing_uri() -> Any:
    """A mongod of our own, that fails when told to."""
    with asyncio.Runner() as runner:
        replicas = ReplicaSet(parameters={"enableTestCommands": "1"})
        runner.run(replicas.start())
        yield replicas.uri
        runner.run(replicas.stop())


@pytest.fixture
async def place(failing_uri: str, unique_name: str) -> AsyncIterator[Place]:
    async with opened(failing_uri, unique_name, appname=unique_name) as place:
        await place.store.prepare()
        yield place


@asynccontextmanager
async def failing(place: Place, commands: list[str], times: int = 1, **how: Any) -> AsyncIterator[None]:
    """The next `times` of these commands fail; `closeConnection` loses the reply of a command not run."""
    admin = place.stores.client.admin
    data = {"failCommands": commands, "appName": place.collection.mongo_database, **how}
    await admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)
    try:
        yield
    finally:
        await admin.command("configureFailPoint", "failCommand", mode="off")


MAJORITY_LOST: dict[str, Any] = {
    "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}
}


async def test_a_write_whose_majority_is_late_is_found_again(place: Place) -> None:
    await place.insert(document(n=1))
    async with failing(place, ["findAndModify"], **MAJORITY_LOST):
        result = await place.store.write(Modify(key(), (Inc("n", 1),)), stamp())
    assert result.matched
    assert result.repeated
    assert (await place.direct.find_one({}) or {})["n"] == 2


@pytest.mark.parametrize("how", [MAJORITY_LOST, {"closeConnection": True}])
async def test_an_insert_of_unknown_outcome_is_settled(place: Place, how: dict[str, Any]) -> None:
    async with failing(place, ["insert"], times=2, **how):
        result = await place.store.write(Insert(key(), document()), stamp())
    assert result.matched
    assert [record async for record in place.store.scan(Segment())] == [result.after]


@pytest.mark.parametrize("command", [Modify(key(), (Inc("n", 1),)), Delete(key())])
async def test_a_lost_connection_is_survived(place: Place, command: Modify | Delete) -> None:
    """The driver tries twice, then the store looks for the op and, as it is not there, goes again."""
    await place.insert(document(n=1))
    async with failing(place, ["findAndModify"], times=2, closeConnection=True):
        result = await place.store.write(command, stamp())
    assert result.matched
    assert (await place.store.get([key()])) == [result.after]


async def test_what_stays_unknown_says_so(place: Place) -> None:
    await place.insert(document(n=1))
    given = stamp()
    async with failing(place, ["findAndModify", "update", "find"], times=50, closeConnection=True):
        with pytest.raises(Unavailable) as caught:
            await place.store.write(Modify(key(), (Inc("n", 1),)), given)
    assert (caught.value.outcome, caught.value.op) == (Outcome.UNKNOWN, given.op)
    assert (await place.store.write(Modify(key(), (Inc("n", 1),)), given)).matched
    assert (await place.direct.find_one({}) or {})["n"] == 2


async def test_a_reservation_of_unknown_outcome_is_found(place: Place) -> None:
    await place.insert(document(next_available_at=1))
    wanted = And(
        (Compare("deployment_key", Comparator.EQ, "d1"), Compare("next_available_at", Comparator.LTE, 5))
    )
    chosen = plan(place.collection, wanted, ())
    async with failing(place, ["update"], **MAJORITY_LOST):
        result = await place.store.write_first(chosen, (Set("next_available_at", 9),), stamp())
    assert result.before is not None
    assert result.after is not None
    assert result.after.version.revision == result.before.version.revision + 1


async def test_a_mirror_write_of_unknown_outcome_may_be_repeated(place: Place) -> None:
    record = Record(key(), Version(1, 1), OTHER_OP, (OTHER_OP,), document())
    async with failing(place, ["update"], **MAJORITY_LOST):
        with pytest.raises(Unavailable) as caught:
            await place.store.apply(record)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert (await place.store.apply(record)).status is ApplyStatus.ALREADY_THERE


@pytest.mark.parametrize(
    ("code", "kind", "reason", "outcome"),
    [
        (50, DeadlineExceeded, Reason.DEADLINE, Outcome.UNKNOWN),
        (112, Contended, Reason.CONTENTION, Outcome.NOT_APPLIED),
        (13, Broken, Reason.INTERNAL, Outcome.NOT_APPLIED),
        (189, Unavailable, Reason.STORE_UNAVAILABLE, Outcome.UNKNOWN),
        (8, Broken, Reason.INTERNAL, Outcome.NOT_APPLIED),
    ],
)
async def test_every_error_has_its_meaning(
    place: Place, code: int, kind: type[CrossfadeError], reason: Reason, outcome: Outcome
) -> None:
    async with failing(place, ["delete"], times=5, errorCode=code):
        tombstone = Record(key(), Version(1, 1), OTHER_OP, (OTHER_OP,), None, 1)
        with pytest.raises(kind) as caught:
            await place.store.purge(tombstone)
    assert (caught.value.reason, caught.value.outcome) == (reason, outcome)


async def test_a_failed_read_changes_nothing(place: Place) -> None:
    async with failing(place, ["find"], times=5, errorCode=50):
        with pytest.raises(DeadlineExceeded) as caught:
            await place.store.get([key()])
    assert caught.value.outcome is Outcome.NOT_APPLIED


async def test_a_scan_goes_on_behind_a_lost_cursor(place: Place) -> None:
    for number in range(450):
        await place.insert(document(f"t{number:03}"))
    for how in ({"errorCode": 43}, {"closeConnection": True}):
        async with failing(place, ["getMore"], **how):
            keys = [record.key async for record in place.store.scan(Segment())]
        assert keys == [key(f"t{number:03}") for number in range(450)]


async def test_a_set_without_a_primary(failing_uri: str, unique_name: str) -> None:
    nowhere = failing_uri.partition("?")[0] + "?replicaSet=another&serverSelectionTimeoutMS=200"
    async with MongoStores.open(nowhere) as stores:
        collection = replace(documents.collection(), mongo_database=unique_name)
        with pytest.raises(Unavailable) as caught:
            await stores.collection(collection).write(Insert(key(), document()), stamp())
    assert caught.value.outcome is Outcome.NOT_APPLIED


@pytest.fixture
async def control(place: Place) -> MongoControl:
    control = MongoControl(place.stores.client, place.collection.mongo_database)
    await control.create(FLAG)
    return control


@pytest.mark.parametrize("how", [MAJORITY_LOST, {"closeConnection": True}])
async def test_a_swap_of_unknown_outcome_tells_what_is_true(
    place: Place, control: MongoControl, how: dict[str, Any]
) -> None:
    async with failing(place, ["findAndModify"], times=2, **how):
        swapped = await control.swap(FLAG, replace(FLAG, epoch=2))
    assert swapped == replace(FLAG, epoch=2, serial=1) == await control.flag("jobs")


async def test_a_swap_finds_itself_behind_others(place: Place, control: MongoControl) -> None:
    """Somebody else swaps before we can read back what became of ours."""
    flag = FLAG
    async with failing(place, ["findAndModify"], **MAJORITY_LOST):
        for epoch in (2, 3):
            swapped = await control.swap(flag, replace(flag, epoch=epoch))
            assert swapped is not None
            flag = swapped
    assert await control.flag("jobs") == flag
    assert await control.swap(FLAG, replace(FLAG, epoch=9)) is None


@pytest.mark.parametrize("how", [{"closeConnection": True}, {"errorCode": 286}, {"errorCode": 11600}])
async def test_a_watch_goes_on_after_it_was_cut_off(
    place: Place, control: MongoControl, how: dict[str, Any]
) -> None:
    flag = FLAG
    async with asyncio.timeout(20), aclosing(cast(Any, control.watch())) as flags:
        assert await anext(flags) == FLAG
        async with failing(place, ["getMore", "aggregate"], times=3, **how):
            for epoch in (2, 3):
                flag = await control.swap(flag, replace(flag, epoch=epoch)) or flag
                while (await anext(flags)).epoch != epoch:
                    pass


async def test_a_watch_ends_when_it_is_cancelled(control: MongoControl) -> None:
    """Also in the moment after an event, when the driver sends its next request."""
    flag = FLAG
    for _ in range(10):
        seen: asyncio.Queue[Flag] = asyncio.Queue()
        watching = asyncio.create_task(collect(control, seen))
        await seen.get()
        flag = await control.swap(flag, flag) or flag
        await seen.get()
        watching.cancel()
        done, _ = await asyncio.wait([watching], timeout=5)
        assert done


async def collect(control: MongoControl, seen: asyncio.Queue[Flag]) -> None:
    async for flag in control.watch():
        seen.put_nowait(flag)
