"""Reconciling keys on memory stores: every pair of states converges, also when it is cut off anywhere."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.document import Document
from proxy.core.errors import AlreadyExists, Unavailable
from proxy.core.exchange import ApplyResult
from proxy.core.stage import StoreName
from proxy.core.version import Record
from proxy.reconcile.key import Outcome, Result, reconcile
from proxy.reconcile.quarantine import Quarantine
from proxy.stores.memory.store import MemoryStore
from tests.fixtures.yard import (
    EPOCH,
    JOBS,
    Bench,
    NarrowStore,
    ShakyStore,
    are_equal,
    key,
    record,
    tombstone,
)

STATES: list[Record | None] = [
    None,
    record(),
    record(content=2),
    record((EPOCH, 3)),
    record((EPOCH, 3), 2, made_by=77),
    record((EPOCH, 3), 2),
    record((EPOCH, 4), 3),
    record((EPOCH - 1, 9), 4),
    tombstone((EPOCH, 3)),
    tombstone((EPOCH, 4)),
    tombstone((EPOCH - 1, 9)),
]
PAIRS = list(itertools.product(STATES, STATES))


async def settle(bench: Bench, *, is_fresh: bool = False) -> Outcome:
    [outcome] = await reconcile([key()], bench.pair, bench.clock, is_fresh=is_fresh)
    return outcome


def with_content_of(held: Record | None) -> Document | None:
    return held.document if held else None


@pytest.mark.parametrize("is_fresh", [False, True])
@pytest.mark.parametrize("turned", [False, True])
async def test_every_pair_of_states_converges_to_the_primary(is_fresh: bool, turned: bool) -> None:
    for primary, mirror in PAIRS:
        bench = Bench()
        if turned:
            bench.primary, bench.mirror = bench.mirror, bench.primary
        bench.put(primary, mirror)
        outcome = await settle(bench, is_fresh=is_fresh)
        ours, theirs = bench.held()
        assert outcome.is_final, (primary, mirror, outcome)
        assert are_equal(ours, theirs), (primary, mirror, outcome)
        assert with_content_of(ours) == with_content_of(primary), "the primary's content never changes"
        again = await settle(bench)
        assert again.result in (Result.EQUAL, Result.PURGED), (primary, mirror, again)


async def test_versions_never_fall() -> None:
    for primary, mirror in PAIRS:
        bench = Bench()
        bench.put(primary, mirror)
        await settle(bench)
        for before, after in zip((primary, mirror), bench.held(), strict=True):
            assert before is None or after is None or after.version >= before.version


class Cut(Exception):
    """The process dies here."""


@pytest.mark.parametrize("is_fresh", [False, True])
async def test_cut_off_between_any_two_awaits_it_converges_the_next_time(is_fresh: bool) -> None:
    cuts = 0
    for primary, mirror in PAIRS:
        for steps in itertools.count(1):
            bench = counting_bench(steps)
            bench.put(primary, mirror)
            try:
                await settle(bench, is_fresh=is_fresh)
            except Cut:
                cuts += 1
            else:
                break
            whole = Bench(
                MemoryStore(JOBS, StoreName.MONGODB, bench.primary.table),
                MemoryStore(JOBS, StoreName.DYNAMODB, bench.mirror.table),
            )
            await settle(whole, is_fresh=is_fresh)
            assert are_equal(*whole.held()), (primary, mirror, steps)
            assert with_content_of(whole.held()[0]) == with_content_of(primary)
    assert cuts > 500


def counting_bench(steps: int) -> Bench:
    """Stores that cut the caller off at the given pause."""
    left = steps

    async def pause() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Cut
        await asyncio.sleep(0)

    primary = MemoryStore(JOBS, StoreName.MONGODB, pause=pause)
    return Bench(primary, MemoryStore(JOBS, StoreName.DYNAMODB, pause=pause))


async def test_late_mirror_writes_cannot_bring_back_what_a_bypassing_writer_removed() -> None:
    late = record((EPOCH, 1000), 9)
    for mirror in STATES:
        bench = Bench()
        bench.put(None, mirror)
        await settle(bench, is_fresh=True)
        await bench.mirror.apply(late)
        held = bench.held()[1]
        assert held is not None
        assert held.is_tombstone, mirror


async def test_late_mirror_writes_cannot_hide_what_a_bypassing_writer_put() -> None:
    late = record((EPOCH, 1000), 9)
    for mirror in STATES:
        bench = Bench()
        bench.put(record(content=2), mirror)
        await settle(bench, is_fresh=True)
        await bench.mirror.apply(late)
        assert are_equal(*bench.held()), mirror


async def test_a_change_between_the_reads_and_the_write_is_seen() -> None:
    bench = Bench(mirror=ShakyStore(JOBS, StoreName.DYNAMODB))
    bench.put(record((EPOCH, 3), 2), record((EPOCH, 2)))
    assert isinstance(bench.mirror, ShakyStore)
    bench.mirror.before_apply = lambda: bench.put(None, record((EPOCH, 3), 1, made_by=99))
    outcome = await settle(bench)
    assert outcome.result is Result.STAMPED
    assert are_equal(*bench.held())


async def test_a_document_that_appears_while_it_is_looked_at_is_not_buried() -> None:
    """The mirror is read first: what it has, the primary had before."""
    bench = Bench(mirror=ShakyStore(JOBS, StoreName.DYNAMODB))
    assert isinstance(bench.mirror, ShakyStore)
    bench.mirror.before_get = lambda: bench.put(record((EPOCH, 3)), record((EPOCH, 3)))
    assert (await settle(bench)).result is Result.EQUAL
    assert bench.held()[1] == record((EPOCH, 3))


async def test_a_mirror_that_took_the_same_write_with_other_content_is_looked_at_again() -> None:
    """The inline mirror write arrives first, and a bypassing writer has changed the primary since."""
    bench = Bench(mirror=ShakyStore(JOBS, StoreName.DYNAMODB))
    bench.put(record((EPOCH, 3), "bypassed"), record((EPOCH, 2)))
    assert isinstance(bench.mirror, ShakyStore)
    bench.mirror.before_apply = lambda: bench.put(None, record((EPOCH, 3), "inline"))
    assert (await settle(bench)).result is Result.STAMPED
    ours, theirs = bench.held()
    assert are_equal(ours, theirs)
    assert ours is not None
    assert ours.document is not None
    assert ours.document.fields["n"] == "bypassed"


async def test_a_poisonous_document_is_quarantined_and_the_others_go_on() -> None:
    bench = Bench()
    names = [f"k{n}" for n in range(10)]
    for name in names:
        poison = {"poison": 1} if name == "k3" else {}
        bench.put(record((EPOCH, 3), 2, name=name, **poison), None)
    outcomes = await reconcile(map(key, names), bench.pair, bench.clock)
    results = {str(o.key.values[1]): o.result for o in outcomes}
    assert results.pop("k3") is Result.QUARANTINED
    assert set(results.values()) == {Result.APPLIED}
    assert next(o for o in outcomes if o.reason).reason == "poison: it is poison"


async def test_a_mirror_that_does_not_give_back_what_it_was_given_does_not_stamp_for_ever() -> None:
    bench, quarantine = Bench(), Quarantine()
    bench.put(record((EPOCH, 3), 2, fragile=1), record((EPOCH, 3), 1))
    [first] = await reconcile([key()], bench.pair, bench.clock, quarantine=quarantine)
    stamped = bench.held()[0]
    [second] = await reconcile([key()], bench.pair, bench.clock, quarantine=quarantine)
    assert (first.result, second.result) == (Result.QUARANTINED, Result.QUARANTINED)
    assert bench.held()[0] == stamped, "it is not stamped a second time"
    bench.bypass("k", 3)
    [third] = await reconcile([key()], bench.pair, bench.clock, quarantine=quarantine)
    assert third.result is Result.STAMPED, "another content is another attempt"


async def test_what_another_replica_mirrored_after_the_next_bypassing_write_is_no_spoilt_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody writes past the proxy under the stamp that we gave, and another replica mirrors it first."""
    bench = Bench()
    bench.put(record(content=2), None)
    apply = bench.mirror.apply

    async def overtaken(given: Record) -> ApplyResult:
        monkeypatch.setattr(bench.mirror, "apply", apply)
        bench.bypass("k", 3)
        held = bench.held()[0]
        assert held is not None and held.is_same_write(given)
        await apply(held)
        return await apply(given)

    monkeypatch.setattr(bench.mirror, "apply", overtaken)
    outcome = await settle(bench, is_fresh=True)
    ours, theirs = bench.held()
    assert outcome.result is Result.EQUAL
    assert are_equal(ours, theirs) and with_content_of(theirs) == record(content=3).document


async def test_a_refusal_for_a_clash_with_another_document_is_quarantined_in_the_end() -> None:
    mirror = ShakyStore(JOBS, StoreName.MONGODB)
    bench = Bench(primary=NarrowStore(JOBS, StoreName.DYNAMODB), mirror=mirror)
    bench.put(record((EPOCH, 3)), None)

    async def clash(_: Record) -> None:
        raise AlreadyExists("another document has this name")

    mirror.apply = clash  # type: ignore[assignment, method-assign]
    outcome = await settle(bench)
    assert (outcome.result, outcome.reason) == (Result.QUARANTINED, "another document has this name")


async def test_a_store_that_does_not_answer_is_an_outcome() -> None:
    mirror = ShakyStore(JOBS, StoreName.DYNAMODB)
    bench = Bench(mirror=mirror)
    bench.put(record((EPOCH, 3)), None)

    def fail() -> None:
        mirror.error = Unavailable("down")

    mirror.before_apply = fail
    assert (await settle(bench)).result is Result.UNREACHED
    with pytest.raises(Unavailable):
        await settle(bench)


async def test_a_mirror_that_takes_only_newer_epochs_gets_an_adopted_record() -> None:
    bench = Bench(primary=NarrowStore(JOBS, StoreName.DYNAMODB), mirror=ShakyStore(JOBS, StoreName.MONGODB))
    bench.mirror.table.fence = EPOCH
    bench.put(record((EPOCH - 1, 3)), None)
    assert (await settle(bench)).result is Result.STAMPED
    ours, theirs = bench.held()
    assert are_equal(ours, theirs)
    assert ours is not None
    assert ours.version.epoch == EPOCH


async def test_a_fence_above_our_epoch_is_told() -> None:
    bench = Bench(primary=NarrowStore(JOBS, StoreName.DYNAMODB), mirror=ShakyStore(JOBS, StoreName.MONGODB))
    bench.mirror.table.fence = EPOCH + 1
    bench.put(record((EPOCH, 3)), None)
    assert (await settle(bench)).result is Result.OVERTAKEN
    bench.epoch = EPOCH + 1
    assert (await settle(bench)).result is Result.STAMPED


@pytest.mark.parametrize("primary", [None, record((EPOCH, 3))])
async def test_nothing_is_stamped_above_a_newer_epoch(primary: Record | None) -> None:
    bench = Bench()
    newer = record((EPOCH + 1, 2), 9)
    bench.put(primary, newer)
    assert (await settle(bench)).result is Result.OVERTAKEN
    assert bench.held() == (primary, newer)


async def test_what_changed_until_the_very_fence_is_adopted_as_it_is_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.put(record((EPOCH, 3)), record((EPOCH, 3), 9))
    restamp = bench.primary.restamp

    async def late(*given: Any) -> Record | None:
        bench.bypass("k", 2)
        bench.primary.table.fence = EPOCH + 1
        return await restamp(*given)

    monkeypatch.setattr(bench.primary, "restamp", late)
    pair = replace(bench.pair, is_changing=True)
    [outcome] = await reconcile([key()], pair, bench.clock, is_fresh=True)
    ours, theirs = bench.held()
    assert outcome.result is Result.ADOPTED and outcome.due_at
    assert ours is not None and ours.version == (EPOCH, 3)
    assert theirs is not None and theirs.version.epoch == EPOCH and theirs.version > ours.version
    assert theirs.document == ours.document == record(content=2).document


@pytest.mark.parametrize("left", [None, record((EPOCH + 1, 4), 5)], ids=["gone", "written by a newer epoch"])
async def test_what_is_no_more_what_was_seen_is_not_adopted(
    left: Record | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()
    bench.put(record(content=2), None)
    restamp = bench.primary.restamp

    async def late(*given: Any) -> Record | None:
        bench.primary.table.fence = EPOCH + 1
        bench.primary.table.put(key(), left)
        return await restamp(*given)

    monkeypatch.setattr(bench.primary, "restamp", late)
    pair = replace(bench.pair, is_changing=True)
    [outcome] = await reconcile([key()], pair, bench.clock, is_fresh=True)
    theirs = bench.held()[1]
    assert outcome.result is (Result.OVERTAKEN if left else Result.BURIED)
    assert theirs is None or theirs.is_tombstone


async def test_a_tombstone_of_mongodb_goes_after_its_grace() -> None:
    bench = Bench()
    deleted = tombstone((EPOCH, 3), deleted_at=bench.clock.now() + 60_000)
    bench.put(deleted, record((EPOCH, 2)))
    mirrored = await settle(bench)
    assert mirrored.result is Result.APPLIED
    assert mirrored.due_at == (deleted.deleted_at or 0) + 20
    waiting = await settle(bench)
    assert (waiting.result, waiting.due_at) == (Result.WAITING, mirrored.due_at)
    bench.clock.ahead += 60_020
    assert (await settle(bench)).result is Result.PURGED
    assert bench.held() == (None, deleted)


async def test_a_tombstone_of_dynamodb_stays() -> None:
    bench = Bench(primary=NarrowStore(JOBS, StoreName.DYNAMODB), mirror=ShakyStore(JOBS, StoreName.MONGODB))
    bench.put(tombstone((EPOCH, 3)), tombstone((EPOCH, 3)))
    assert (await settle(bench)).result is Result.EQUAL
    assert bench.held()[0] is not None


async def test_two_at_once_do_no_harm() -> None:
    for primary, mirror in PAIRS:
        bench = Bench()
        bench.put(primary, mirror)
        await asyncio.gather(*(settle(bench, is_fresh=n % 2 == 0) for n in range(4)))
        assert are_equal(*bench.held()), (primary, mirror)


async def test_a_busy_document_is_caught_up_with_in_the_end() -> None:
    bench = Bench()
    bench.put(record((EPOCH, 1)), record((EPOCH, 1)))
    busy = True

    async def write(pause: Callable[[], Awaitable[None]]) -> None:
        for number in itertools.count():
            if not busy:
                return
            bench.bypass("k", number)
            await pause()

    writer = asyncio.create_task(write(lambda: asyncio.sleep(0)))
    for _ in range(5):
        outcome = await settle(bench, is_fresh=True)
        assert outcome.result in (Result.STAMPED, Result.CONTENDED, Result.EQUAL)
    busy = False
    await writer
    assert (await settle(bench)).is_final
    assert are_equal(*bench.held())


async def test_a_key_given_twice_has_one_outcome() -> None:
    bench = Bench()
    bench.put(record((EPOCH, 3)), None)
    assert len(await reconcile([key(), key()], bench.pair, bench.clock)) == 1


def test_the_quarantine_is_bounded() -> None:
    quarantine = Quarantine(capacity=3)
    for number in range(5):
        quarantine.add(record((EPOCH, 1), name=f"k{number}"))
    assert len(quarantine) == 3
    assert key("k0") not in quarantine
    assert quarantine.holds(record((EPOCH, 1), name="k4"))
    assert not quarantine.holds(replace(record((EPOCH, 1), name="k4"), op=b"other"))
    assert quarantine.discard(key("k4"))
    assert not quarantine.discard(key("k4"))


async def test_a_pass_of_the_past_brings_over_nothing_of_a_newer_epoch() -> None:
    """It may know the wrong primary: what it takes for missing may have been deleted there since."""
    bench, newer = Bench(), record((EPOCH + 1, 3))
    bench.put(newer, None)
    assert (await settle(bench)).result is Result.OVERTAKEN
    assert bench.held() == (newer, None)
