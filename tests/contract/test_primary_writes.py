"""What a store does as primary: decide and apply one write at a time, each under its stamp."""

from __future__ import annotations

import asyncio

import pytest

from proxy.core.document import Document
from proxy.core.errors import AlreadyExists, BadRequest, Contended, Fenced, Reason
from proxy.core.ports import CollectionStore, Fence
from proxy.core.update import Inc, Push, Set, SetOnInsert, Unset
from proxy.core.version import LEGACY, RING, Version
from proxy.core.write import Command, Delete, Insert, Modify, Precondition, Replace
from tests.contract.samples import (
    body,
    delete,
    eq,
    fields_at,
    insert,
    job,
    key,
    modify,
    read,
    stamp,
)
from tests.contract.subjects import Subject

OTHER_ID = "another id"


async def test_an_insert_is_there_under_its_stamp(store: CollectionStore) -> None:
    document, mark = job(n=1), stamp(epoch=3)
    result = await store.write(Insert(key(), document), mark)
    assert (result.matched, result.inserted, result.repeated, result.before) == (True, True, False, None)
    record = await read(store, key())
    assert record is not None
    assert record == result.after
    assert (record.version, record.op, record.ops) == (Version(3, mark.now << 20), mark.op, (mark.op,))
    assert (record.document, record.deleted_at) == (document, None)


async def test_a_key_is_inserted_once(store: CollectionStore) -> None:
    first = await insert(store, job(n=1))
    with pytest.raises(AlreadyExists):
        await insert(store, job(n=2))
    assert await read(store, key()) == first


async def test_of_many_inserts_of_one_key_one_succeeds(store: CollectionStore) -> None:
    results = await asyncio.gather(*(insert(store, job(n=n)) for n in range(8)), return_exceptions=True)
    done = [result for result in results if not isinstance(result, BaseException)]
    assert len(done) == 1
    assert {type(result) for result in results if isinstance(result, BaseException)} == {AlreadyExists}
    assert await read(store, key()) == done[0]


async def test_get_answers_in_the_order_of_the_keys(store: CollectionStore) -> None:
    for name in ("a", "b"):
        await insert(store, job(name))
    tombstone = await delete(store, key("a"))
    found = await store.get([key("b"), key("none"), key("a"), key("b")])
    assert [record and record.key for record in found] == [key("b"), None, key("a"), key("b")]
    assert found[2] == tombstone
    assert await store.get([]) == []


async def test_an_insert_over_a_tombstone_goes_on_from_its_version(store: CollectionStore) -> None:
    await insert(store, job(n=1))
    tombstone = await delete(store, key())
    document = job(n=2)
    result = await store.write(Insert(key(), document), stamp())
    assert result.inserted
    record = await read(store, key())
    assert record is not None
    assert record == result.after
    assert record.version > tombstone.version
    assert (record.document, record.is_tombstone) == (document, False)


@pytest.mark.parametrize("later_writes", [0, 1, RING - 1])
async def test_a_repeat_is_reported_and_applies_nothing(store: CollectionStore, later_writes: int) -> None:
    await insert(store, job(n=0))
    mark, command = stamp(), Modify(key(), (Inc("n", 1),))
    await store.write(command, mark)
    for _ in range(later_writes):
        await modify(store, key(), Inc("n", 10))
    result = await store.write(command, mark)
    assert (result.matched, result.repeated) == (True, True)
    assert result.after == await read(store, key())
    fields = await fields_at(store, key())
    assert fields is not None
    assert fields["n"] == 1 + 10 * later_writes


@pytest.mark.parametrize("command", [Insert(key(), job(n=1)), Delete(key()), Replace(key(), body(n=1))])
async def test_each_command_may_be_repeated(store: CollectionStore, command: Command) -> None:
    if not isinstance(command, Insert):
        await insert(store, job(n=0))
    mark = stamp()
    first = await store.write(command, mark)
    second = await store.write(command, mark)
    assert not first.repeated
    assert (second.matched, second.repeated, second.after) == (True, True, first.after)
    assert await read(store, key()) == first.after


async def test_a_document_remembers_its_last_ops(store: CollectionStore) -> None:
    await insert(store, job(n=0))
    marks = [stamp() for _ in range(RING + 2)]
    for mark in marks:
        await store.write(Modify(key(), (Inc("n", 1),)), mark)
    record = await read(store, key())
    assert record is not None
    assert record.ops == tuple(mark.op for mark in marks[-RING:])


async def test_a_replace_keeps_the_id_and_raises_the_revision(store: CollectionStore) -> None:
    before = await insert(store, job(n=1, gone=True))
    assert before.document is not None
    new = body(n=2)
    result = await store.write(Replace(key(), new), stamp())
    assert (result.matched, result.inserted, result.before) == (True, False, before)
    record = await read(store, key())
    assert record is not None
    assert record == result.after
    assert record.version == Version(1, before.version.revision + 1)
    assert record.document == Document({"_id": before.document.fields["_id"], **new.fields})


async def test_a_replace_upserts_only_if_asked_to(store: CollectionStore) -> None:
    assert not (await store.write(Replace(key(), job()), stamp())).matched
    assert await read(store, key()) is None
    result = await store.write(Replace(key(), job(n=1), upsert=True), stamp())
    assert (result.matched, result.inserted) == (True, True)
    assert await read(store, key()) == result.after


async def test_a_modify_applies_all_operators_at_once(store: CollectionStore) -> None:
    before = await insert(store, job(n=1, old=1, list=[1]))
    assert before.document is not None
    update = (Inc("n", 2), Unset("old"), Push("list", (2, 3)), Set("new.deep", "x"), SetOnInsert("no", 1))
    result = await store.write(Modify(key(), update, wants_before=True), stamp())
    assert (result.before, result.inserted) == (before, False)
    assert result.after == await read(store, key())
    assert result.after is not None
    assert result.after.version == Version(1, before.version.revision + 1)
    expected = {**before.document.fields, "n": 3, "list": [1, 2, 3], "new": {"deep": "x"}}
    del expected["old"]
    assert result.after.document == Document(expected)


async def test_a_modify_of_nothing_matches_nothing(store: CollectionStore) -> None:
    assert not (await modify(store, key(), Inc("n", 1))).matched
    assert await read(store, key()) is None
    await insert(store, job())
    tombstone = await delete(store, key())
    assert not (await modify(store, key(), Inc("n", 1))).matched
    assert await read(store, key()) == tombstone


async def test_an_upsert_makes_the_document_of_its_seed_and_operators(store: CollectionStore) -> None:
    seed = job(kind="cron")
    command = Modify(key(), (Inc("n", 5), SetOnInsert("made", True)), upsert=True, seed=seed)
    result = await store.write(command, stamp())
    assert (result.matched, result.inserted) == (True, True)
    assert result.after == await read(store, key())
    assert await fields_at(store, key()) == {**seed.fields, "made": True, "n": 5}
    result = await store.write(command, stamp())
    assert result.inserted is False
    assert await fields_at(store, key()) == {**seed.fields, "made": True, "n": 10}


async def test_an_upsert_brings_a_deleted_document_back(store: CollectionStore) -> None:
    await insert(store, job())
    tombstone = await delete(store, key())
    result = await store.write(Modify(key(), (Set("n", 1),), upsert=True, seed=job()), stamp())
    assert result.inserted
    assert result.after is not None
    assert result.after.version > tombstone.version
    assert result.after == await read(store, key())


async def test_a_precondition_that_does_not_hold_is_an_outcome(store: CollectionStore) -> None:
    stored = await insert(store, job(version=3))
    for command in (
        Modify(key(), (Inc("version", 1),), Precondition(eq("version", 4))),
        Replace(key(), body(), Precondition(eq("version", 4))),
        Delete(key(), Precondition(eq("version", 4))),
    ):
        result = await store.write(command, stamp())
        assert (result.matched, result.before, result.after) == (False, None, None)
    assert await read(store, key()) == stored
    held = Modify(key(), (Inc("version", 1),), Precondition(eq("version", 3)))
    assert (await store.write(held, stamp())).matched


async def test_an_upsert_whose_filter_does_not_match_finds_its_key_taken(store: CollectionStore) -> None:
    stored = await insert(store, job(version=3))
    upsert = Modify(key(), (Set("n", 1),), Precondition(eq("version", 4)), upsert=True, seed=job())
    with pytest.raises(AlreadyExists):
        await store.write(upsert, stamp())
    assert await read(store, key()) == stored


async def test_an_etag_must_be_that_of_the_document(store: CollectionStore) -> None:
    first = await insert(store, job(n=0))
    held = Precondition(etag=(first.version, first.op))
    assert (await store.write(Modify(key(), (Inc("n", 1),), held), stamp())).matched
    stored = await read(store, key())
    for command in (Modify(key(), (Inc("n", 1),), held), Replace(key(), body(), held), Delete(key(), held)):
        with pytest.raises(Contended) as caught:
            await store.write(command, stamp())
        assert caught.value.reason is Reason.ETAG_MISMATCH
    assert await read(store, key()) == stored
    with pytest.raises(Contended):
        await store.write(Delete(key("none"), held), stamp())


async def test_a_delete_leaves_a_tombstone(store: CollectionStore) -> None:
    before, mark = await insert(store, job(n=1)), stamp()
    result = await store.write(Delete(key()), mark)
    assert (result.matched, result.before) == (True, before)
    tombstone = await read(store, key())
    assert tombstone is not None
    assert tombstone == result.after
    assert (tombstone.document, tombstone.deleted_at) == (None, mark.now)
    assert tombstone.version == Version(1, before.version.revision + 1)
    assert tombstone.ops == (*before.ops, mark.op)


async def test_a_delete_of_nothing_matches_nothing(store: CollectionStore) -> None:
    assert not (await store.write(Delete(key()), stamp())).matched
    assert await read(store, key()) is None
    await insert(store, job())
    tombstone = await delete(store, key())
    assert not (await store.write(Delete(key()), stamp())).matched
    assert await read(store, key()) == tombstone


@pytest.mark.parametrize(
    "command",
    [
        Insert(key(), job()),
        Replace(key(), body(), upsert=True),
        Modify(key(), (Set("n", 1),), upsert=True),
        Delete(key()),
    ],
)
@pytest.mark.parametrize("is_deleted", [False, True])
async def test_a_document_of_a_newer_epoch_refuses_older_writers(
    store: CollectionStore, command: Command, is_deleted: bool
) -> None:
    await insert(store, job(), epoch=2)
    if is_deleted:
        await store.write(Delete(key()), stamp(epoch=2))
    stored = await read(store, key())
    with pytest.raises(Fenced):
        await store.write(command, stamp(epoch=1))
    assert await read(store, key()) == stored


async def test_a_write_of_a_newer_epoch_raises_that_of_the_document(store: CollectionStore) -> None:
    before = await insert(store, job(n=0), epoch=1)
    result = await modify(store, key(), Inc("n", 1), epoch=2)
    assert result.after is not None
    assert result.after.version == Version(2, before.version.revision + 1)


@pytest.mark.parametrize(
    "command",
    [
        Insert(key("new"), job("new")),
        Replace(key(), body(), upsert=True),
        Modify(key(), (Set("n", 1),)),
        Delete(key()),
    ],
)
async def test_a_raised_fence_refuses_older_epochs(fenced: tuple[Subject, Fence], command: Command) -> None:
    subject, fence = fenced
    stored = await insert(subject.store, job())
    await fence.raise_to(2)
    assert await fence.current() == 2
    with pytest.raises(Fenced):
        await subject.store.write(command, stamp(epoch=1))
    assert await subject.store.get([key(), key("new")]) == [stored, None]
    assert (await modify(subject.store, key(), Set("n", 2), epoch=2)).matched


async def test_a_document_from_before_the_proxy_has_the_oldest_version(subject: Subject) -> None:
    document = job(n=1)
    await subject.plant(document)
    record = await read(subject.store, key())
    assert record is not None
    assert (record.version, record.op, record.ops, record.document) == (LEGACY, b"", (), document)
    with pytest.raises(AlreadyExists):
        await insert(subject.store, job())
    mark = stamp()
    result = await subject.store.write(Modify(key(), (Inc("n", 1),), Precondition(eq("n", 1))), mark)
    assert result.after == await read(subject.store, key())
    assert result.after is not None
    assert (result.after.version, result.after.ops) == (Version(1, 1), (mark.op,))
    assert result.after.document == Document({**document.fields, "n": 2})


@pytest.mark.parametrize("command", [Delete(key()), Replace(key(), body(n=2), upsert=True)])
async def test_a_document_from_before_the_proxy_is_deleted_and_replaced(
    subject: Subject, command: Command
) -> None:
    document = job(n=1)
    await subject.plant(document)
    result = await subject.store.write(command, stamp())
    assert result.before is not None
    assert (result.before.document, result.inserted) == (document, False)
    assert result.after == await read(subject.store, key())
    assert result.after is not None
    assert result.after.version == Version(1, 1)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Modify(key(), (Set("webtask_name", "x"),)), Reason.KEY_FIELD_CHANGED),
        (Modify(key(), (Unset("deployment_key"),)), Reason.KEY_FIELD_CHANGED),
        (Replace(key(), body("x")), Reason.KEY_FIELD_CHANGED),
        (Replace(key(), Document({"_id": OTHER_ID, **job().fields, "n": 1})), Reason.INVALID_FIELD),
        (Modify(key(), (Set("_id", OTHER_ID),)), Reason.INVALID_FIELD),
        (Modify(key(), (Inc("text", 1),)), Reason.INVALID_UPDATE),
        (Modify(key(), (Push("text", (1,)),)), Reason.INVALID_UPDATE),
        (Modify(key(), (Set("ok", 1), Inc("text", 1))), Reason.INVALID_UPDATE),
        (Modify(key(), (Set("text.deep", 1),)), Reason.INVALID_UPDATE),
    ],
)
async def test_a_write_that_cannot_be_writes_nothing(
    store: CollectionStore, command: Command, reason: Reason
) -> None:
    stored = await insert(store, job(text="x"))
    with pytest.raises(BadRequest) as caught:
        await store.write(command, stamp())
    assert caught.value.reason is reason
    assert await read(store, key()) == stored


async def test_writers_of_one_document_lose_nothing(store: CollectionStore) -> None:
    before = await insert(store, job(n=0, who=[]))
    results = await asyncio.gather(
        *(modify(store, key(), Inc("n", 1), Push("who", (worker,))) for worker in range(16))
    )
    record = await read(store, key())
    assert record is not None
    assert record.document is not None
    assert record.document.fields["n"] == 16
    assert sorted(record.document.fields["who"]) == list(range(16))
    revisions = sorted(result.after.version.revision for result in results if result.after)
    assert revisions == list(range(before.version.revision + 1, before.version.revision + 17))
