"""The journey of a request in every stage, on stores in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from proxy.core.errors import AlreadyExists, Contended, CrossfadeError, NotFound, Outcome, Reason, Unavailable
from proxy.core.exchange import ApplyResult
from proxy.core.filter import And, Comparator, Compare
from proxy.core.planner import plan
from proxy.core.query import Order, PageRequest
from proxy.core.stage import Stage
from proxy.core.update import Inc, Set
from proxy.core.version import Record, Stamp, Version
from proxy.core.write import NOT_MATCHED, Command, Delete, Modify, WriteResult
from proxy.flow.breaker import Breaker, BreakerState
from proxy.flow.mirror import MirrorOutcome
from tests.fixtures.memory_world import World, world
from tests.fixtures.waiting import until

MIRRORED = (Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY)


@pytest.mark.parametrize("stage", MIRRORED)
async def test_a_write_reaches_both_stores_as_the_same_record(stage: Stage) -> None:
    async with world(stage) as w:
        written = await w.app.pipeline.write("jobs", w.insert("a", n=1))
        await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 2),)))
        mongo, dynamo = w.records("a")
        assert written.mirror is MirrorOutcome.APPLIED
        assert mongo == dynamo
        assert mongo and mongo.document and mongo.document.fields["n"] == 3


@pytest.mark.parametrize(("stage", "idle"), [(Stage.MONGO_ONLY, 1), (Stage.DYNAMO_ONLY, 0)])
async def test_without_a_mirror_only_the_primary_is_written_and_versioned(stage: Stage, idle: int) -> None:
    async with world(stage) as w:
        written = await w.app.pipeline.write("jobs", w.insert("a"))
        records = w.records("a")
        assert written.mirror is MirrorOutcome.NONE
        assert records[idle] is None
        active = records[1 - idle]
        assert active and active.version.epoch == 1 and active.version.revision > 2**50


async def test_an_absent_mirror_defers_but_never_fails_a_write_while_mongodb_is_primary() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:

        async def hang(record: Record, *, is_metered: bool = False) -> ApplyResult:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        w.dynamo.apply = hang  # type: ignore[method-assign]
        loop = asyncio.get_running_loop()
        for number in range(7):
            written = await w.app.pipeline.write("jobs", w.insert(f"a{number}"))
            assert written.mirror is MirrorOutcome.DEFERRED
        took = []
        for number in range(5):
            begun = loop.time()
            await w.app.pipeline.write("jobs", w.insert(f"b{number}"))
            took.append(loop.time() - begun)
        assert min(took) < 0.03, "the breaker is open: nobody waits for the mirror"
        assert w.app.lanes["jobs"].mirror.breaker.state.value == "open"


async def test_nobody_waits_for_the_probe_of_an_open_breaker() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        answers = asyncio.Event()
        apply = w.dynamo.apply

        async def answer_late(record: Record, *, is_metered: bool = False) -> ApplyResult:
            await answers.wait()
            return await apply(record, is_metered=is_metered)

        w.dynamo.apply = answer_late  # type: ignore[method-assign]
        mirror = w.app.lanes["jobs"].mirror
        mirror.breaker = Breaker(asyncio.get_running_loop().time, threshold=1, pause=0.0)
        mirror.breaker.failed()
        written = await asyncio.wait_for(w.app.pipeline.write("jobs", w.insert("a")), 0.1)
        assert written.mirror is MirrorOutcome.DEFERRED
        assert mirror.breaker.state is BreakerState.HALF_OPEN
        answers.set()
        await until(lambda: mirror.breaker.state is BreakerState.CLOSED)
        written = await w.app.pipeline.write("jobs", w.insert("b"))
        assert written.mirror is MirrorOutcome.APPLIED


async def test_dynamodb_as_primary_acknowledges_nothing_that_mongodb_lacks() -> None:
    async with world(Stage.DYNAMO_PRIMARY) as w:

        async def refuse(record: Record, *, is_metered: bool = False) -> ApplyResult:
            raise Unavailable("mongodb is down")

        w.mongo.apply = refuse  # type: ignore[method-assign]
        with pytest.raises(Unavailable) as failure:
            await w.app.pipeline.write("jobs", w.insert("a"))
        assert failure.value.reason is Reason.MIRROR_UNCONFIRMED
        assert failure.value.outcome is Outcome.UNKNOWN
        assert len(failure.value.op) == 16


async def test_a_repeated_request_is_applied_once_and_its_mirror_write_is_made_good() -> None:
    async with world(Stage.DYNAMO_PRIMARY) as w:
        op = b"r" * 16
        apply, w.mongo.apply = w.mongo.apply, _failing  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            await w.app.pipeline.write("jobs", w.insert("a", n=1), op)
        w.mongo.apply = apply  # type: ignore[method-assign]
        again = await w.app.pipeline.write("jobs", w.insert("a", n=1), op)
        assert again.result.repeated
        mongo, dynamo = w.records("a")
        assert mongo == dynamo and mongo is not None


async def test_a_write_under_an_old_epoch_is_decided_again_under_the_new_one() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a", n=1))
        w.mongo.table.fence = 2
        writing = asyncio.create_task(w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),))))
        await until(lambda: w.app.lanes["jobs"].door.published.epoch == 1 and not writing.done())
        await w.publish(Stage.DYNAMO_PRIMARY)
        await writing
        mongo, dynamo = w.records("a")
        assert mongo == dynamo
        assert dynamo and dynamo.version.epoch == 2
        assert dynamo.document and dynamo.document.fields["n"] == 2


async def test_an_orphan_of_an_old_primary_is_never_reported_as_not_applied() -> None:
    """DynamoDB took the write, MongoDB's fence refused it, and under the new primary its condition fails."""
    async with world(Stage.DYNAMO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a", n=1))
        w.mongo.table.fence = 2
        condition = Compare("n", Comparator.EQ, 1)
        command = Modify(w.key("a"), (Set("n", 9),))
        command = replace(command, precondition=replace(command.precondition, filter=condition))
        writing = asyncio.create_task(w.app.pipeline.write("jobs", command))
        await until(lambda: (w.records("a")[1] or _never).version.revision > _base(w))
        moved = w.records("a")[0]
        assert moved and moved.document
        changed = replace(
            moved,
            version=Version(2, moved.version.revision + 5),
            document=w.document("a", n=7),
            op=b"o" * 16,
            ops=(),
        )
        w.mongo.table.put(moved.key, changed)
        await w.publish(Stage.MONGO_PRIMARY)
        with pytest.raises(CrossfadeError) as failure:
            await writing
        assert failure.value.outcome is Outcome.UNKNOWN


async def test_a_delete_leaves_a_tombstone_that_mongodb_as_primary_drops_after_the_grace() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a"))
        await w.app.pipeline.write("jobs", Delete(w.key("a")))
        assert await w.app.pipeline.get("jobs", [w.key("a")]) == [None]
        await until(lambda: w.records("a")[0] is None)
        tombstone = w.records("a")[1]
        assert tombstone and tombstone.is_tombstone


async def test_as_a_mirror_mongodb_keeps_the_tombstone() -> None:
    async with world(Stage.DYNAMO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a"))
        await w.app.pipeline.write("jobs", Delete(w.key("a")))
        await asyncio.sleep(0.03)
        assert all(record and record.is_tombstone for record in w.records("a"))


async def test_reads_see_the_primary_and_hide_tombstones() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        for name, due in (("a", 30), ("b", 10), ("c", 20)):
            await w.app.pipeline.write("jobs", w.insert(name, next_available_at=due))
        await w.app.pipeline.write("jobs", Delete(w.key("c")))
        due_jobs = plan(w.collection, _due(40), [Order("next_available_at")])
        page = await w.app.pipeline.query("jobs", due_jobs, PageRequest(10))
        assert [row.key.values[2] for row in page.records] == ["b", "a"]
        assert await w.app.pipeline.count("jobs", due_jobs) == 2


async def test_a_reservation_goes_to_one_worker_only() -> None:
    async with world(Stage.DYNAMO_PRIMARY) as w:
        for number in range(10):
            await w.app.pipeline.write("jobs", w.insert(f"j{number}", next_available_at=number))
        due_jobs = plan(w.collection, _due(100), [Order("next_available_at")])
        taken: list[object] = []

        async def work() -> None:
            while True:
                written = await w.app.pipeline.take_first("jobs", due_jobs, (Set("next_available_at", 999),))
                if not written.result.matched or written.result.after is None:
                    return
                taken.append(written.result.after.key)

        await asyncio.gather(*(work() for _ in range(8)))
        assert len(taken) == len(set(taken)) == 10


async def test_a_reservation_that_a_change_of_the_primary_met_takes_one_document() -> None:
    """DynamoDB reserved it, MongoDB's fence refused it, and the next primary has it already."""
    async with world(Stage.DYNAMO_PRIMARY) as w:
        for number in range(3):
            await w.app.pipeline.write("jobs", w.insert(f"j{number}", next_available_at=number))
        w.mongo.table.fence = 2
        due_jobs = plan(w.collection, _due(100), [Order("next_available_at")])
        taking = asyncio.create_task(
            w.app.pipeline.take_first("jobs", due_jobs, (Set("next_available_at", 999),))
        )
        await until(lambda: _is_taken(w, "j0"))
        await w.publish(Stage.DYNAMO_ONLY)
        written = await taking
        assert written.result.after and written.result.after.key == w.key("j0")
        assert not _is_taken(w, "j1") and not _is_taken(w, "j2")


def _is_taken(w: World, name: str) -> bool:
    held = w.records(name)[1]
    return bool(held and held.document and held.document.fields["next_available_at"] == 999)


async def test_a_condition_that_is_false_is_told_only_while_the_lease_holds() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        for task in w.app.membership._tasks:
            task.cancel()
        w.app.membership._valid_until = 0.0
        with pytest.raises(Unavailable) as failure:
            await w.app.pipeline.write("jobs", Modify(w.key("nobody"), (Inc("n", 1),)))
        assert failure.value.outcome is Outcome.NOT_APPLIED


@pytest.mark.parametrize("refusal", [None, AlreadyExists("it is there"), Contended("too many")])
async def test_a_refusal_that_a_change_of_the_primary_overtook_is_decided_anew(
    refusal: CrossfadeError | None,
) -> None:
    """A replica that stood still asked a store which was the primary no more, and has a good lease again."""
    async with world(Stage.DYNAMO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a", n=1))

        async def refuse_late(command: Command, stamp: Stamp) -> WriteResult:
            await w.publish(Stage.MONGO_PRIMARY)
            await until(lambda: w.app.membership.doors["jobs"].published.epoch == 2)
            if refusal:
                raise refusal
            return NOT_MATCHED

        w.dynamo.write = refuse_late  # type: ignore[method-assign]
        written = await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),)))
        assert written.result.matched
        after = written.result.after
        assert after and after.document and after.document.fields["n"] == 2
        assert after.version.epoch == 2


async def test_refusals_are_typed_and_carry_the_op() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a"))
        with pytest.raises(AlreadyExists) as failure:
            await w.app.pipeline.write("jobs", w.insert("a"), b"x" * 16)
        assert failure.value.op == b"x" * 16
        with pytest.raises(NotFound, match="nowhere") as unknown:
            await w.app.pipeline.get("nowhere", [w.key("a")])
        assert unknown.value.reason is Reason.UNKNOWN_COLLECTION


class _Never:
    version = Version(0, 0)


_never = _Never()


def _base(w: World) -> int:
    mongo = w.records("a")[0]
    return mongo.version.revision if mongo else 0


async def _failing(record: Record, *, is_metered: bool = False) -> ApplyResult:
    raise Unavailable("injected")


def _due(now: int) -> And:
    return And(
        (
            Compare("deployment_key", Comparator.EQ, "auth0"),
            Compare("next_available_at", Comparator.LTE, now),
        )
    )
