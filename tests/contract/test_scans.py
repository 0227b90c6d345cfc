"""What a store shows whoever reads all of it: every record of every segment once, from any place on."""

from __future__ import annotations

import pytest

from proxy.core.exchange import Segment
from proxy.core.keys import Key
from proxy.core.ports import CollectionStore
from proxy.core.version import LEGACY
from tests.contract.samples import delete, insert, job, key, read
from tests.contract.subjects import Subject


async def fill(store: CollectionStore, number: int) -> set[Key]:
    for n in range(number):
        await insert(store, job(f"{n}", f"c{n % 3}", f"d{n % 5}"))
    return {key(f"{n}", f"c{n % 3}", f"d{n % 5}") for n in range(number)}


async def scanned(store: CollectionStore, segment: Segment, after: Key | None = None) -> list[Key]:
    return [record.key async for record in store.scan(segment, after)]


@pytest.mark.parametrize("total", [1, 3, 8])
async def test_segments_are_disjoint_and_together_everything(store: CollectionStore, total: int) -> None:
    keys = await fill(store, 40)
    found = [name for index in range(total) for name in await scanned(store, Segment(index, total))]
    assert len(found) == len(keys)
    assert set(found) == keys


async def test_a_scan_shows_documents_of_all_ages_and_tombstones(subject: Subject) -> None:
    await subject.plant(job("old"))
    await insert(subject.store, job("new"))
    await insert(subject.store, job("gone"))
    tombstone = await delete(subject.store, key("gone"))
    found = {record.key: record async for record in subject.store.scan(Segment())}
    assert found == {name: await read(subject.store, name) for name in map(key, ("old", "new", "gone"))}
    assert found[key("old")].version == LEGACY
    assert found[key("gone")] == tombstone


@pytest.mark.parametrize("total", [1, 4])
async def test_a_scan_goes_on_after_any_of_its_keys(store: CollectionStore, total: int) -> None:
    await fill(store, 24)
    for index in range(total):
        segment = Segment(index, total)
        whole = await scanned(store, segment)
        for place, after in enumerate(whole):
            assert await scanned(store, segment, after) == whole[place + 1 :]


async def test_a_scan_goes_on_after_a_key_that_is_gone(store: CollectionStore) -> None:
    await fill(store, 12)
    whole = await scanned(store, Segment())
    gone = whole[5]
    tombstone = await delete(store, gone)
    assert await store.purge(tombstone)
    assert await scanned(store, Segment(), gone) == whole[6:]


async def test_an_empty_collection_has_empty_segments(store: CollectionStore) -> None:
    assert await scanned(store, Segment()) == []
    assert await scanned(store, Segment(1, 3)) == []
    assert await store.estimate() == 0


async def test_an_estimate_is_a_number_of_documents(store: CollectionStore) -> None:
    await fill(store, 10)
    assert 0 <= await store.estimate() <= 10


async def test_preparing_again_does_nothing(store: CollectionStore) -> None:
    await fill(store, 3)
    assert await store.prepare() == ()
    assert len(await scanned(store, Segment())) == 3
