"""A key that is written all the time, and mirrored inline meanwhile, does not hold up the feed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from proxy.core.keys import Key
from proxy.core.stage import StoreName
from proxy.core.version import Record
from proxy.reconcile.key import Outcome, Result, reconcile
from tests.fixtures.yard import EPOCH, JOBS, Bench, ShakyStore, are_equal, key, record


class BusyMirror(ShakyStore):
    """Something happens just before each of our writes arrives, and looks are counted."""

    looks = 0
    happens: Callable[[], None] | None = None

    async def get(self, keys: Sequence[Key]) -> list[Record | None]:
        self.looks += 1
        return await super().get(keys)

    async def apply(self, record: Record, *, is_metered: bool = False) -> Any:
        if self.happens is not None:
            self.happens()
        return await super().apply(record, is_metered=is_metered)


@pytest.fixture
def mirror() -> BusyMirror:
    return BusyMirror(JOBS, StoreName.DYNAMODB)


@pytest.fixture
def bench(mirror: BusyMirror) -> Bench:
    """The primary is one write ahead of its mirror."""
    bench = Bench(mirror=mirror)
    bench.put(record((EPOCH, 5)), record((EPOCH, 4)))
    return bench


async def settle(bench: Bench) -> Outcome:
    [outcome] = await reconcile([key()], bench.pair, bench.clock, is_fresh=True)
    return outcome


async def test_what_the_inline_mirror_write_brings_meanwhile_needs_no_second_look(
    bench: Bench, mirror: BusyMirror
) -> None:
    mirror.happens = lambda: bench.put(None, record((EPOCH, 5)))
    assert (await settle(bench)).result is Result.EQUAL
    assert mirror.looks == 1


async def test_the_same_version_with_other_content_is_no_such_thing(bench: Bench, mirror: BusyMirror) -> None:
    """Somebody wrote past the proxy before the inline mirror write of the version arrived."""
    bench.bypass("k", 99)
    mirror.happens = lambda: bench.put(None, record((EPOCH, 5))) if mirror.looks == 1 else None
    assert (await settle(bench)).result is Result.STAMPED
    assert are_equal(*bench.held())


async def test_a_key_that_is_written_and_mirrored_faster_than_we_look_is_left_to_its_next_event(
    bench: Bench, mirror: BusyMirror
) -> None:
    revision = 5

    def write_twice() -> None:
        nonlocal revision
        revision += 2
        bench.put(record((EPOCH, revision)), record((EPOCH, revision - 1)))

    mirror.happens = write_twice
    outcome = await settle(bench)
    assert (outcome.result, outcome.is_final, mirror.looks) == (Result.OUTRUN, True, 2)
    ours, theirs = bench.held()
    assert ours is not None and theirs is not None and theirs.version > record((EPOCH, 5)).version
    mirror.happens = None
    assert (await settle(bench)).result is Result.APPLIED, "its next event"
    assert are_equal(*bench.held())


async def test_a_mirror_that_went_ahead_of_its_primary_is_not_taken_for_a_busy_key(
    bench: Bench, mirror: BusyMirror
) -> None:
    """A late mirror write of a version that the primary lost to a writer that bypasses the proxy."""
    mirror.happens = lambda: bench.put(None, record((EPOCH, 9))) if mirror.looks == 1 else None
    assert (await settle(bench)).result is Result.STAMPED
    ours, theirs = bench.held()
    assert ours is not None and ours.version > record((EPOCH, 9)).version
    assert are_equal(ours, theirs)


async def test_nor_is_one_that_has_the_same_version_by_another_write(
    bench: Bench, mirror: BusyMirror
) -> None:
    def part_ways() -> None:
        if mirror.looks == 1:
            bench.put(record((EPOCH, 9)), record((EPOCH, 9), 2, made_by=77))

    mirror.happens = part_ways
    assert (await settle(bench)).result is Result.STAMPED
    assert are_equal(*bench.held())


async def test_a_key_under_a_newer_epoch_is_told_and_not_left(bench: Bench, mirror: BusyMirror) -> None:
    mirror.happens = lambda: bench.put(record((EPOCH + 1, 2)), record((EPOCH + 1, 1)))
    assert (await settle(bench)).result is Result.OVERTAKEN


async def test_a_thousand_writes_during_one_look_are_as_good_as_one(bench: Bench, mirror: BusyMirror) -> None:
    """Writers that never rest, each write mirrored at once: the call ends all the same, and soon."""
    is_over, revision = False, 5

    async def write_on() -> None:
        nonlocal revision
        while not is_over:
            revision += 1
            bench.put(record((EPOCH, revision)), None)
            await asyncio.sleep(0)
            bench.put(None, record((EPOCH, revision)))
            await asyncio.sleep(0)

    writer = asyncio.create_task(write_on())
    outcomes = [await settle(bench) for _ in range(50)]
    is_over = True
    await writer
    assert all(outcome.is_final for outcome in outcomes)
    assert mirror.looks < 3 * 50
    assert are_equal(*bench.held())
