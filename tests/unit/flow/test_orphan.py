"""A write that the primary took and the mirror refused while the primary changed: never applied twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from proxy.core.errors import CrossfadeError, Outcome, Reason, Unavailable
from proxy.core.exchange import ApplyResult
from proxy.core.flag import Change
from proxy.core.stage import Stage
from proxy.core.update import Inc, Set
from proxy.core.version import RING, Record, Stamp, Version
from proxy.core.write import Modify
from proxy.cutover.machine import BLOCKS_ALL
from proxy.flow.pipeline import Written
from tests.fixtures.memory_world import World, world
from tests.fixtures.waiting import until

DYNAMO = 1


async def begin(w: World, fence: int) -> asyncio.Task[Written]:
    """A write that DynamoDB has taken and MongoDB, fenced in between, has refused."""
    await w.app.pipeline.write("jobs", w.insert("a", n=1))
    before = held(w, DYNAMO).version
    w.mongo.table.fence = fence
    writing = asyncio.create_task(w.app.pipeline.write("jobs", Modify(w.key("a"), (Set("n", 9),))))
    await until(lambda: held(w, DYNAMO).version > before)
    return writing


def held(w: World, store: int) -> Record:
    record = w.records("a")[store]
    assert record is not None
    return record


def overwritten(w: World, times: int, epoch: int) -> Record:
    """What is left after so many writes of others, which remember only themselves."""
    known = held(w, DYNAMO)
    version = Version(epoch, known.version.revision + times)
    return replace(known, version=version, document=w.document("a", n=7), op=b"o" * 16, ops=(b"o" * 16,))


async def test_what_the_primary_took_is_not_applied_again_when_it_stays_the_primary() -> None:
    """On the way to DYNAMO_ONLY, with more writes after it than the document remembers."""
    async with world(Stage.DYNAMO_PRIMARY) as w:
        writing = await begin(w, BLOCKS_ALL)
        others = overwritten(w, RING + 1, 2)
        w.dynamo.table.put(others.key, others)
        await w.publish(Stage.DYNAMO_ONLY)
        written = await writing
        assert written.result.matched
        assert held(w, DYNAMO) == others


async def test_what_may_have_come_along_and_been_forgotten_is_not_applied_again() -> None:
    async with world(Stage.DYNAMO_PRIMARY) as w:
        writing = await begin(w, 2)
        others = overwritten(w, RING, 2)
        w.mongo.table.put(others.key, others)
        await w.publish(Stage.MONGO_PRIMARY)
        with pytest.raises(CrossfadeError) as failure:
            await writing
        assert failure.value.outcome is Outcome.UNKNOWN
        assert failure.value.reason is Reason.MIRROR_UNCONFIRMED
        assert held(w, 0) == others


async def test_what_certainly_did_not_come_along_is_applied_by_the_new_primary() -> None:
    async with world(Stage.DYNAMO_PRIMARY) as w:
        writing = await begin(w, 2)
        others = overwritten(w, RING - 1, 2)
        w.mongo.table.put(others.key, others)
        await w.publish(Stage.MONGO_PRIMARY)
        written = await writing
        assert written.result.after and written.result.after.document
        assert written.result.after.document.fields["n"] == 9


OP = b"r" * 16


async def repeat_during_a_hold(
    w: World, target: Stage, made: Modify | None = None
) -> tuple[Record, asyncio.Task[Written]]:
    """A write that a replica made and died, or was `made` before; its client's repeat comes while writes are
    held."""
    command = made or Modify(w.key("a"), (Inc("n", 1),))
    if not made:
        await w.app.pipeline.write("jobs", w.insert("a", n=1))
        await w.app.pipeline.write("jobs", command, OP)
    control = w.app.control
    flag, now = await control.flag("jobs"), await control.now()
    change = Change("c", target, "ann", "test", now, "r1", now + 60_000)
    assert await control.swap(flag, flag.begin(change))
    door = w.app.membership.doors["jobs"]
    await until(lambda: door.is_holding)
    stored = held(w, 0 if flag.stage is Stage.MONGO_PRIMARY else DYNAMO)
    return stored, asyncio.create_task(w.app.pipeline.write("jobs", command, OP))


async def crowd_out(w: World, store: int, known: Record, writes: int = RING) -> Record:
    """So many writes of others, which remember only themselves, decided before the repeat that waits is."""
    await asyncio.sleep(0.05)
    version = Version(2, known.version.revision + writes)
    others = replace(known, version=version, document=w.document("a", n=77), op=b"o" * 16, ops=(b"o" * 16,))
    (w.mongo, w.dynamo)[store].table.put(others.key, others)
    return others


@pytest.mark.parametrize("target", [Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY], ids=["flipped", "aborted"])
async def test_a_repeat_that_waits_for_a_change_is_recognised_however_many_go_before(target: Stage) -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        stored, repeating = await repeat_during_a_hold(w, Stage.DYNAMO_PRIMARY)
        others = await crowd_out(w, DYNAMO if target is Stage.DYNAMO_PRIMARY else 0, stored)
        await w.publish(target)
        written = await repeating
        assert written.result.repeated and written.result.matched
        for record in filter(None, w.records("a")):
            assert record.document is not None and record.document.fields["n"] in (2, 77)
        assert others in w.records("a")


async def flip_to_dynamo(w: World) -> tuple[Record, Record]:
    """What both stores held before the primary changed, under the fence that it left behind."""
    await w.app.pipeline.write("jobs", w.insert("a", n=1))
    await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),)), OP)
    w.mongo.table.fence = 2
    await w.publish(Stage.DYNAMO_PRIMARY)
    await until(lambda: w.app.membership.doors["jobs"].published.epoch == 2)
    return held(w, 0), held(w, DYNAMO)


async def test_a_repeat_after_the_change_is_acknowledged_for_both_stores_hold_it() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        before = await flip_to_dynamo(w)
        async with asyncio.timeout(1):
            written = await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),)), OP)
        assert written.result.repeated
        assert (held(w, 0), held(w, DYNAMO)) == before


async def test_a_repeat_that_others_overtake_in_the_mirror_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the look at DynamoDB and the one at MongoDB, by more writes than a document remembers."""
    async with world(Stage.MONGO_PRIMARY) as w:
        await flip_to_dynamo(w)
        apply = w.mongo.apply

        async def overtaken(record: Record) -> ApplyResult:
            w.mongo.table.put(record.key, overwritten(w, RING, 2))
            return await apply(record)

        monkeypatch.setattr(w.mongo, "apply", overtaken)
        async with asyncio.timeout(1):
            written = await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),)), OP)
        assert written.result.repeated


async def test_a_write_that_the_mirror_holds_under_a_newer_epoch_waits_to_learn_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This replica stood still over the way back, and MongoDB is written by others."""
    async with world(Stage.DYNAMO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a", n=1))
        apply, command = w.mongo.apply, Modify(w.key("a"), (Set("n", 9),))

        async def late(record: Record) -> ApplyResult:
            monkeypatch.setattr(w.mongo, "apply", apply)
            w.mongo.table.fence = 2
            w.mongo.table.put(record.key, overwritten(w, 1, 2))
            return await apply(record)

        monkeypatch.setattr(w.mongo, "apply", late)
        writing = asyncio.create_task(w.app.pipeline.write("jobs", command, OP))
        await until(lambda: held(w, 0).version.epoch == 2)
        assert not writing.done()
        await w.publish(Stage.MONGO_PRIMARY)
        written = await writing
        assert written.result.after is not None and written.result.after.version.epoch == 2


async def test_on_the_way_back_a_repeat_is_told_to_be_unknown_where_it_may_have_been_forgotten() -> None:
    async with world(Stage.DYNAMO_PRIMARY) as w:
        stored, repeating = await repeat_during_a_hold(w, Stage.MONGO_PRIMARY)
        others = await crowd_out(w, 0, stored)
        await w.publish(Stage.MONGO_PRIMARY)
        with pytest.raises(CrossfadeError) as failure:
            await repeating
        assert failure.value.outcome is Outcome.UNKNOWN and held(w, 0) == others


@pytest.mark.parametrize("younger", range(1, RING))
@pytest.mark.parametrize("more", [0, -1], ids=["forgotten", "not yet"])
async def test_a_repeat_of_an_older_write_is_forgotten_sooner(younger: int, more: int) -> None:
    """Of what a document remembers, the writes that came after it take their part."""
    async with world(Stage.DYNAMO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a", n=1))
        command = Modify(w.key("a"), (Inc("n", 1),))
        await w.app.pipeline.write("jobs", command, OP)
        for _ in range(younger):
            await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("other", 1),)))
        stored, repeating = await repeat_during_a_hold(w, Stage.MONGO_PRIMARY, command)
        others = await crowd_out(w, 0, stored, RING - younger + more)
        await w.publish(Stage.MONGO_PRIMARY)
        if more:
            assert (await repeating).result.matched
        else:
            with pytest.raises(CrossfadeError) as failure:
                await repeating
            assert failure.value.outcome is Outcome.UNKNOWN and held(w, 0) == others


async def flip_with_an_adoption(w: World) -> None:
    """A service wrote past the proxy just before the fence, so that DynamoDB alone has the newest version."""
    await flip_to_dynamo(w)
    mirrored = held(w, DYNAMO)
    adopted = mirrored.restamped(Stamp(1, b"s" * 16, 0), mirrored.version.revision + 5)
    w.dynamo.table.put(adopted.key, adopted)


async def test_a_repeat_of_what_was_adopted_need_not_wait_for_the_reconciler() -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        await flip_with_an_adoption(w)
        async with asyncio.timeout(2):
            written = await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),)), OP)
        assert written.result.repeated
        ours, theirs = held(w, 0), held(w, DYNAMO)
        assert ours == theirs and ours.version.epoch == 2 and ours.holds_op(OP)


@pytest.mark.parametrize("answer", [None, Unavailable("DynamoDB is away")], ids=["moved", "away"])
async def test_what_cannot_be_stamped_anew_is_unknown_at_once(
    monkeypatch: pytest.MonkeyPatch, answer: Unavailable | None
) -> None:
    async with world(Stage.MONGO_PRIMARY) as w:
        await flip_with_an_adoption(w)

        async def refuse(record: Record, stamp: Stamp, floor: int) -> None:
            if answer:
                raise answer

        monkeypatch.setattr(w.dynamo, "restamp", refuse)
        async with asyncio.timeout(2):
            with pytest.raises(Unavailable) as failure:
                await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),)), OP)
        assert failure.value.outcome is Outcome.UNKNOWN
        assert failure.value.reason is Reason.MIRROR_UNCONFIRMED


async def test_a_write_that_waits_for_mongodb_is_acknowledged_when_mongodb_is_needed_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MongoDB goes right after DYNAMO_ONLY, with a write of DYNAMO_PRIMARY still on its way to it."""
    async with world(Stage.DYNAMO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a", n=1))
        door = w.app.membership.doors["jobs"]

        async def never(record: Record) -> ApplyResult:
            await w.publish(Stage.DYNAMO_ONLY)
            await until(lambda: door.published.stage is Stage.DYNAMO_ONLY)
            raise Unavailable("MongoDB has no primary that answers", outcome=Outcome.UNKNOWN)

        monkeypatch.setattr(w.mongo, "apply", never)
        written = await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),)), OP)
        document = held(w, DYNAMO).document
        assert written.result.matched and document is not None and document.fields["n"] == 2
        again = await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),)), OP)
        assert again.result.repeated


async def test_a_write_that_mongodb_does_not_confirm_is_unknown_while_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world(Stage.DYNAMO_PRIMARY) as w:
        await w.app.pipeline.write("jobs", w.insert("a", n=1))

        async def never(record: Record) -> ApplyResult:
            raise Unavailable("MongoDB has no primary that answers", outcome=Outcome.UNKNOWN)

        monkeypatch.setattr(w.mongo, "apply", never)
        with pytest.raises(Unavailable) as failure:
            await w.app.pipeline.write("jobs", Modify(w.key("a"), (Inc("n", 1),)), OP)
        assert failure.value.reason is Reason.MIRROR_UNCONFIRMED
        assert failure.value.outcome is Outcome.UNKNOWN
