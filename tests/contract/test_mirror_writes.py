"""What a store does as mirror, and for the reconciler: take whole records in any order, keep the newest."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace

import pytest

from proxy.core.document import Document
from proxy.core.errors import Fenced
from proxy.core.exchange import ApplyStatus
from proxy.core.ports import CollectionStore, Fence
from proxy.core.update import Inc
from proxy.core.version import LEGACY, Record, Version
from proxy.core.write import Insert
from tests.contract.samples import (
    AUTH0,
    NOW,
    body,
    delete,
    find,
    insert,
    job,
    key,
    modify,
    query,
    read,
    stamp,
)
from tests.contract.subjects import Subject

_ID = job().fields["_id"]


def record(epoch: int, revision: int, *, op: bytes | None = None, deleted: bool = False) -> Record:
    """A record as another store made it; all with the same `_id`, as versions of one document have."""
    op = op or os.urandom(16)
    document = None if deleted else Document({"_id": _ID, **body(n=revision).fields})
    ops = (os.urandom(16), op)
    return Record(key(), Version(epoch, revision), op, ops, document, NOW if deleted else None)


async def status(store: CollectionStore, given: Record) -> ApplyStatus:
    return (await store.apply(given)).status


async def test_a_record_is_taken_over_none_and_over_older_ones(store: CollectionStore) -> None:
    for given in (record(1, 5), record(1, 6), record(2, 2), record(2, 3, deleted=True), record(2, 4)):
        result = await store.apply(given)
        assert (result.status, result.existing) == (ApplyStatus.APPLIED, given)
        assert await read(store, key()) == given


async def test_an_older_record_changes_nothing(store: CollectionStore) -> None:
    held = record(2, 5)
    await store.apply(held)
    for given in (record(1, 99), record(2, 4), record(2, 4, deleted=True)):
        result = await store.apply(given)
        assert (result.status, result.existing) == (ApplyStatus.NEWER, held)
    assert await read(store, key()) == held


async def test_the_same_record_again_is_there_already(store: CollectionStore) -> None:
    given = record(1, 5)
    await store.apply(given)
    result = await store.apply(given)
    assert (result.status, result.existing) == (ApplyStatus.ALREADY_THERE, given)


async def test_the_same_version_of_another_op_is_a_conflict(store: CollectionStore) -> None:
    held = record(1, 5)
    await store.apply(held)
    result = await store.apply(record(1, 5))
    assert (result.status, result.existing) == (ApplyStatus.CONFLICT, held)
    assert await read(store, key()) == held


async def test_a_late_record_does_not_undo_a_deletion(store: CollectionStore) -> None:
    tombstone = record(1, 6, deleted=True)
    await store.apply(tombstone)
    assert await status(store, record(1, 5)) is ApplyStatus.NEWER
    assert await read(store, key()) == tombstone


async def test_records_in_any_order_from_many_tasks_end_at_the_newest(store: CollectionStore) -> None:
    records = [record(1 + n // 150, n, deleted=n % 10 == 3) for n in range(300)]
    shuffled = random.Random(7).sample(records, len(records))
    hands = [shuffled[hand::8] for hand in range(8)]

    async def work(hand: list[Record]) -> set[ApplyStatus]:
        return {await status(store, given) for given in hand}

    statuses = set().union(*await asyncio.gather(*map(work, hands)))
    assert statuses == {ApplyStatus.APPLIED, ApplyStatus.NEWER}
    assert await read(store, key()) == records[-1]


async def test_a_document_from_before_the_proxy_is_copied_but_never_over_another(
    store: CollectionStore,
) -> None:
    legacy = Record(key(), LEGACY, b"", (), job(n=1))
    assert await status(store, legacy) is ApplyStatus.APPLIED
    assert await read(store, key()) == legacy
    assert await status(store, legacy) is ApplyStatus.ALREADY_THERE
    newer = record(1, 1)
    await store.apply(newer)
    assert await status(store, legacy) is ApplyStatus.NEWER
    assert await read(store, key()) == newer


async def test_a_record_is_taken_over_a_document_from_before_the_proxy(subject: Subject) -> None:
    await subject.plant(Document({"_id": _ID, **body(n=0).fields}))
    given = record(1, 1)
    assert await status(subject.store, given) is ApplyStatus.APPLIED
    assert await read(subject.store, key()) == given


async def test_a_record_of_another_id_is_taken_too(store: CollectionStore) -> None:
    await store.apply(record(1, 1))
    given = replace(record(1, 2), document=job(n=2))
    assert await status(store, given) is ApplyStatus.APPLIED
    assert await read(store, key()) == given


async def test_a_raised_fence_refuses_records_of_older_epochs(fenced: tuple[Subject, Fence]) -> None:
    subject, fence = fenced
    await subject.store.apply(record(1, 1))
    await fence.raise_to(2)
    with pytest.raises(Fenced):
        await subject.store.apply(record(1, 2))
    assert await status(subject.store, record(2, 1)) is ApplyStatus.APPLIED


async def test_a_raised_fence_refuses_nothing_that_is_there_already(fenced: tuple[Subject, Fence]) -> None:
    """A repeat after the primary changed finds its write in both stores, under the epoch before."""
    subject, fence = fenced
    held = record(1, 5)
    await subject.store.apply(held)
    await fence.raise_to(2)
    assert await status(subject.store, held) is ApplyStatus.ALREADY_THERE
    assert await status(subject.store, record(1, 4)) is ApplyStatus.NEWER
    assert await status(subject.store, record(1, 5)) is ApplyStatus.CONFLICT
    await subject.store.apply(record(2, 6))
    assert await status(subject.store, held) is ApplyStatus.NEWER


async def test_a_mirror_that_becomes_primary_goes_on_from_the_version(store: CollectionStore) -> None:
    held = record(1, 5)
    await store.apply(held)
    result = await modify(store, key(), Inc("n", 1), epoch=2)
    assert result.after is not None
    assert result.after.version == Version(2, 6)
    assert result.after.ops[:-1] == held.ops
    again = await store.write(Insert(key("other"), job("other")), stamp(2, held.op))
    assert again.inserted


async def test_a_restamp_raises_the_version_and_nothing_else(store: CollectionStore) -> None:
    held = await insert(store, job(n=1))
    floor, mark = held.version.revision + 100, stamp(epoch=2)
    renewed = await store.restamp(held, mark, floor)
    assert renewed is not None
    assert renewed == await read(store, key())
    assert (renewed.version, renewed.op) == (Version(2, floor + 1), mark.op)
    assert (renewed.document, renewed.ops) == (held.document, (*held.ops, mark.op))


async def test_a_restamp_below_the_revision_raises_it_by_one(store: CollectionStore) -> None:
    held = await insert(store, job(n=1))
    renewed = await store.restamp(held, stamp(), 0)
    assert renewed is not None
    assert renewed.version == Version(1, held.version.revision + 1)


async def test_a_restamp_of_what_has_changed_is_none(store: CollectionStore) -> None:
    held = await insert(store, job(n=1))
    await modify(store, key(), Inc("n", 1))
    stored = await read(store, key())
    assert await store.restamp(held, stamp(), 0) is None
    assert await read(store, key()) == stored


async def test_tombstones_and_documents_from_before_the_proxy_are_restamped_too(subject: Subject) -> None:
    await insert(subject.store, job())
    tombstone = await delete(subject.store, key())
    renewed = await subject.store.restamp(tombstone, stamp(), 0)
    assert renewed is not None
    assert renewed == await read(subject.store, key())
    assert (renewed.document, renewed.deleted_at) == (None, tombstone.deleted_at)
    await subject.plant(job("old", n=1))
    legacy = await read(subject.store, key("old"))
    assert legacy is not None
    renewed = await subject.store.restamp(legacy, stamp(), 7)
    assert renewed is not None
    assert renewed == await read(subject.store, key("old"))
    assert (renewed.version, renewed.document) == (Version(1, 8), legacy.document)


async def test_of_two_restamps_one_succeeds(store: CollectionStore) -> None:
    held = await insert(store, job(n=1))
    renewed = await asyncio.gather(*(store.restamp(held, stamp(), 0) for _ in range(6)))
    done = [found for found in renewed if found is not None]
    assert done == [await read(store, key())]


async def test_a_purge_removes_this_very_tombstone(store: CollectionStore) -> None:
    held = await insert(store, job())
    assert not await store.purge(held)
    tombstone = await delete(store, key())
    renewed = await store.restamp(tombstone, stamp(), 0)
    assert renewed is not None
    assert not await store.purge(tombstone)
    assert await store.purge(renewed)
    assert await read(store, key()) is None
    assert not await store.purge(renewed)


async def test_a_purge_spares_a_document_that_came_back(store: CollectionStore) -> None:
    await insert(store, job())
    tombstone = await delete(store, key())
    stored = await insert(store, job(n=2))
    assert not await store.purge(tombstone)
    assert await read(store, key()) == stored


async def test_mirrored_tombstones_are_in_no_query(subject: Subject) -> None:
    await subject.store.apply(record(1, 1, deleted=True))
    assert await find(subject.store, query(subject.collection, AUTH0)) == []


async def test_versions_tell_the_last_write_of_each_key(store: CollectionStore) -> None:
    inserted = [await insert(store, job(name=f"n{number}", _id=number)) for number in range(3)]
    await store.write(Insert(key("dead"), Document({"_id": "d", **body(name="dead").fields})), stamp())
    deleted = await delete(store, key("dead"))
    legacy = Record(key("old"), LEGACY, b"", (), Document({"_id": "o", **body(name="old").fields}))
    await store.apply(legacy)

    keys = [key("none"), *(one.key for one in inserted), deleted.key, legacy.key]
    told = await store.versions(keys)
    assert told == [None, *((one.version, one.op) for one in (*inserted, deleted)), None]
    assert await store.versions(keys[1:2]) == told[1:2]
    assert await store.versions([]) == []
