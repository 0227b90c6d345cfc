"""Repair: mends from the primary, closes only what both stores agree on, tells each divergence's life."""

from __future__ import annotations

from proxy.core.comparison import Kind
from proxy.core.exchange import DivergenceQuery
from proxy.core.life import State
from proxy.reconcile.repair import repair, repair_open, repair_page
from proxy.reconcile.verify import verify
from tests.fixtures.yard import EPOCH, Yard, key, record
from tests.unit.reconcile.jobs import CLOSE, found, job_of
from tests.unit.reconcile.test_verify import PLANTED, plant


async def test_repair_closes_everything_with_evidence(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    report = await repair_open(yard.site(), yard.door)
    assert await found(yard) == {}
    assert (report.looked, report.closed) == (len(PLANTED), len(PLANTED))
    assert (report.unequal, report.unnamed) == ((), 0)
    assert yard.bench().differences() == []
    again = await verify(yard.site(), yard.door, CLOSE)
    assert set(again.counts) == {"MATCH", "documents", "extras"}


async def test_a_repaired_divergence_has_a_life_with_evidence(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    await repair_open(yard.site("r7"), yard.door)
    for row in await yard.divergences.list(DivergenceQuery("jobs")):
        assert [step.state for step in row.history] == [State.RECHECKING, State.REPAIRED, State.CLOSED]
        assert {step.who for step in row.history} == {"r7"}
        assert "repaired: " in row.history[-1].evidence


async def test_repair_leaves_open_what_the_mirror_cannot_hold(yard: Yard) -> None:
    yard.mongo.put(key(), record((EPOCH, 5), 1, poison=1))
    await verify(yard.site(), yard.door, CLOSE)
    report = await repair_open(yard.site(), yard.door)
    assert report.results == {"quarantined": 1}
    assert report.unequal == (key(),)
    rows = await yard.divergences.list(DivergenceQuery("jobs", state="open"))
    assert {row.kind for row in rows} == {Kind.MISSING_IN_MIRROR, Kind.ERROR_PARITY}
    [missing] = [row for row in rows if row.kind is Kind.MISSING_IN_MIRROR]
    assert [step.state for step in missing.history] == [State.RECHECKING, State.OPEN]


async def test_repair_of_a_key_that_is_well_closes_its_divergences(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    yard.dynamo.put(key("k011"), yard.mongo.records[key("k011")])
    report = await repair(yard.site(), yard.door, [key("k011")])
    assert (report.results, report.closed) == ({"equal": 1}, 1)


async def test_only_what_the_last_verify_found_is_repaired_if_that_is_wanted(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    later = (await job_of(yard, "verify")).updated_at + 1
    assert (await repair_open(yard.site(), yard.door, since=later)).looked == 0
    began = (await job_of(yard, "verify")).started_at
    assert (await repair_open(yard.site(), yard.door, since=began)).closed == len(PLANTED)


async def test_pages_of_a_repair_go_through_all_there_is(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    query, closed, pages = DivergenceQuery("jobs", limit=4, is_unclosed=True), 0, 0
    while True:
        report = await repair_page(yard.site(), yard.door, query)
        closed, pages = closed + report.closed, pages + 1
        if report.next is None:
            break
        query = DivergenceQuery("jobs", limit=4, is_unclosed=True, before=report.next)
    assert (closed, pages) == (len(PLANTED), 3)


async def test_one_divergence_is_repaired_by_its_id(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    [row] = await yard.divergences.list(DivergenceQuery("jobs", kind="MISSING_IN_MIRROR"))
    report = await repair_page(yard.site(), yard.door, DivergenceQuery("jobs"), [row.id])
    assert (report.looked, report.closed, report.next) == (1, 1, None)
    assert len(await found(yard)) == len(PLANTED) - 1
