"""A rehearsal goes back by itself whoever dies, keeps to the spacing of flips, and tells what came of it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from proxy.core.comparison import Kind
from proxy.core.divergence import Divergence
from proxy.core.errors import BadRequest, Refused
from proxy.core.flag import AuditEntry, Change, Flag, Rehearsal
from proxy.core.life import State
from proxy.core.stage import Stage
from proxy.core.version import Version
from proxy.cutover import checks, rehearsal
from proxy.cutover.rehearsal import KIND, RehearsalReport, Tally, is_due, length_in_ms, report_in
from proxy.faultpoint import armed
from tests.fixtures.waiting import until
from tests.unit.cutover.town import LEASE, Town, move, town

LONGEST_OPERATION = 0.2
LENGTH = LEASE + LONGEST_OPERATION + 0.1


@pytest.fixture(autouse=True)
def short_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (checks, rehearsal):
        monkeypatch.setattr(module, "LONGEST_OPERATION", LONGEST_OPERATION)


async def rehearse(place: Town, seconds: float = LENGTH) -> Flag:
    report = await place.coordinators[0].move(
        "jobs",
        Stage.DYNAMO_PRIMARY,
        actor="ann",
        reason="friday",
        dry_run=False,
        override=False,
        rehearse_for=seconds,
    )
    assert report.executed
    return report.flag


async def report_of(place: Town) -> RehearsalReport | None:
    return report_in(await place.control.job("jobs", KIND))


async def is_reported(place: Town) -> bool:
    return await report_of(place) is not None and not (await place.control.flag("jobs")).rehearsal


async def all_count(place: Town) -> bool:
    """Every replica has learned of the rehearsal, and told the registry."""
    return all(replica.compared for replica in await place.control.replicas())


def divergence(last_seen: int) -> Divergence:
    version = Version(4, 1)
    return Divergence(
        id=f"d{last_seen}",
        collection="jobs",
        kind=Kind.TRUE_MISMATCH,
        key="{}",
        operation="get",
        epoch=4,
        primary_version=version,
        mirror_version=version,
        differences=(),
        first_seen=last_seen,
        last_seen=last_seen,
        replica="r0",
    )


async def test_a_rehearsal_goes_back_by_itself_and_reports() -> None:
    async with town(Stage.MONGO_PRIMARY, tended=True) as (place, doors):
        place.outcomes.update(MATCH=100)
        await place.divergences.record(replace(divergence(1), state=State.CLOSED))
        began = time.monotonic()
        flag = await rehearse(place)
        assert flag.is_rehearsed and doors[0].published.stage is Stage.DYNAMO_PRIMARY
        await until(lambda: all_count(place))
        place.outcomes.update(MATCH=7, TRUE_MISMATCH=1)
        await place.divergences.record(divergence(await place.control.now()))
        await until(lambda: doors[0].published.stage is Stage.MONGO_PRIMARY)
        assert time.monotonic() - began > LENGTH
        await until(lambda: is_reported(place))
        report = await report_of(place)
        assert report is not None
        assert report.outcomes == {"MATCH": 14, "TRUE_MISMATCH": 2}, "both told what they compared since"
        assert report.divergences == {"TRUE_MISMATCH": 1}, "the old one is not of this rehearsal"
        assert report.rehearsal.returned_at >= report.rehearsal.return_at
        assert report.rehearsal.failed_returns == 0
        assert (await place.control.flag("jobs")).epoch == 5


async def test_every_step_of_a_rehearsal_is_in_the_audit() -> None:
    async with town(Stage.MONGO_PRIMARY, replicas=1, tended=True) as (place, _):
        await rehearse(place)
        await until(lambda: is_reported(place))
        entries: list[AuditEntry] = []

        async def is_complete() -> bool:
            entries[:] = await place.control.audit("jobs", 9)
            return len(entries) == 4

        await until(is_complete)
        assert [entry.action for entry in entries] == ["rehearsed", "published", "published", "move"]
        assert {entry.actor for entry in entries} == {"ann"}
        assert entries[1].reason == "end of the rehearsal: friday"
        assert entries[3].details == {"rehearse_ms": round(LENGTH * 1000)}


async def test_another_replica_ends_what_a_dead_one_began() -> None:
    async with town(Stage.MONGO_PRIMARY, tended=True) as (place, doors):
        await rehearse(place)
        await place.crash(0)
        await until(lambda: doors[1].published.stage is Stage.MONGO_PRIMARY)
        await until(lambda: is_reported(place))


async def test_a_crash_on_the_way_back_leaves_it_to_another() -> None:
    async with town(Stage.MONGO_PRIMARY, tended=True) as (place, doors):
        await rehearse(place)
        crashed: list[str] = []

        async def crash_the_driver() -> None:
            flag = await place.control.flag("jobs")
            if not crashed and flag.change:
                crashed.append(flag.change.coordinator)
                taken = replace(flag.change, coordinator_until=0)  # as if its time were over already
                assert await place.control.swap(flag, replace(flag, change=taken))
                raise RuntimeError("killed")

        with armed("cutover.drain", crash_the_driver):
            await until(lambda: doors[1].published.epoch == 5)
        assert crashed
        assert doors[1].published.stage is Stage.MONGO_PRIMARY
        await until(lambda: is_reported(place))


async def test_a_way_back_that_is_aborted_is_tried_again_after_the_spacing() -> None:
    async with town(Stage.MONGO_PRIMARY, replicas=1, tended=True) as (place, doors):
        await rehearse(place)
        aborted_at: list[float] = []

        async def abort_once() -> None:
            flag = await place.control.flag("jobs")
            if not aborted_at:
                aborted_at.append(time.monotonic())
                assert await place.control.swap(flag, flag.publish(flag.stage, await place.control.now()))

        with armed("cutover.fence", abort_once):
            await until(lambda: doors[0].published.stage is Stage.MONGO_PRIMARY)
        assert time.monotonic() - aborted_at[0] > LEASE + LONGEST_OPERATION
        await until(lambda: is_reported(place))
        report = await report_of(place)
        assert report is not None and report.rehearsal.failed_returns == 1


async def test_an_operator_may_end_it_early_but_not_finish_it() -> None:
    async with town(Stage.MONGO_PRIMARY, tended=True) as (place, doors):
        await rehearse(place, 60.0)
        with pytest.raises(Refused, match="goes back"):
            await move(place, Stage.DYNAMO_ONLY, override=True)
        report = await move(place, Stage.DYNAMO_ONLY, dry_run=True)
        assert [one.passed for one in report.checks if one.name == "no_change_under_way"] == [False]
        flag = await place.coordinators[1].abort("jobs", actor="bob", reason="seen enough")
        assert flag.stage is Stage.DYNAMO_PRIMARY and flag.is_rehearsed
        await until(lambda: doors[0].published.stage is Stage.MONGO_PRIMARY)
        await until(lambda: is_reported(place))


async def test_a_rollback_by_hand_ends_it_too() -> None:
    async with town(Stage.MONGO_PRIMARY, tended=True) as (place, _):
        await rehearse(place, 60.0)
        assert (await move(place, Stage.MONGO_PRIMARY, override=True)).executed
        await until(lambda: is_reported(place))


async def test_one_that_is_too_short_or_endless_is_refused() -> None:
    async with town(Stage.MONGO_PRIMARY, tended=True) as (place, _):
        for seconds in (LEASE + LONGEST_OPERATION, 24 * 3600.0 + 1, float("nan"), -1.0):
            with pytest.raises(BadRequest, match="takes more than"):
                await rehearse(place, seconds)
        assert (await place.control.flag("jobs")).epoch == 3
    assert length_in_ms(1.5, LEASE) == 1500


def test_a_way_back_is_due_at_its_time_and_no_sooner_than_the_spacing() -> None:
    lease = 0.3
    planned = Rehearsal("c1", "ann", "", 1_000, 2_000, 9)
    flag = Flag("jobs", 4, Stage.DYNAMO_PRIMARY, 1_000, rehearsal=planned)
    assert [now for now in (1_999, 2_000, 2_001) if is_due(flag, now, lease)] == [2_000, 2_001]
    late = replace(flag, published_at=1_900)
    assert [now for now in (2_000, 2_400, 2_401) if is_due(late, now, lease)] == [2_401]
    change = Change("c2", Stage.MONGO_PRIMARY, "ann", "", 0, "r1", 0)
    assert not is_due(replace(flag, change=change), 9_000, lease)
    assert not is_due(replace(flag, rehearsal=replace(planned, returned_at=2_100)), 9_000, lease)


def test_a_tally_counts_from_when_it_learned_of_a_rehearsal() -> None:
    outcomes: dict[str, int] = {}
    flag = Flag("jobs", 4, Stage.DYNAMO_PRIMARY, 0)
    tally = Tally(lambda _: outcomes)
    assert tally.count([flag]) == {}
    begun = replace(flag, rehearsal=Rehearsal("c1", "ann", "", 0, 1, 2))
    assert tally.count([begun]) == {"c1": {}}
    outcomes["MATCH"] = 3
    assert tally.count([begun]) == {"c1": {"MATCH": 3}}
    assert tally.count([flag]) == {}
    next_one = replace(flag, rehearsal=Rehearsal("c2", "ann", "", 0, 1, 2))
    assert tally.count([next_one]) == {"c2": {}}
