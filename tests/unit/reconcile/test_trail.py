"""What orders to jobs leave in the audit trail: who, why, before and after, and never a change without it."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core.errors import Refused, Unavailable
from proxy.core.flag import AuditEntry, Job
from proxy.reconcile.backfill import BACKFILL
from proxy.reconcile.charter import JobOrder, charter_of
from proxy.reconcile.job import begin, pause
from tests.fixtures.yard import Yard
from tests.unit.reconcile.jobs import fill

ADA = {"actor": "ada", "reason": "at night"}
BY_ADA = JobOrder(actor="ada", reason="at night")


async def trail_of(yard: Yard) -> list[AuditEntry]:
    """The oldest first."""
    return (await yard.control.audit("jobs", 100))[::-1]


def summary(entries: list[AuditEntry]) -> list[tuple[str, str, str]]:
    return [(one.action, one.before, one.after) for one in entries]


async def order(yard: Yard, **wishes: Any) -> Job:
    return await begin(yard.site(), yard.door, BACKFILL, JobOrder(**wishes))


async def test_every_order_that_changes_a_job_is_noted_with_who_and_why(yard: Yard) -> None:
    fill(yard, 5)
    begun = await order(yard, **ADA, max_units=100.0)
    await pause(yard.site(), "backfill", JobOrder(actor="bob", reason="too busy"))
    await order(yard, actor="carl", only_resume=True)
    await order(yard, actor="dora", rate=7.0, max_units=0.0)
    entries = await trail_of(yard)
    assert summary(entries) == [
        ("start", "none", "running"),
        ("pause", "running", "paused"),
        ("resume", "paused", "running"),
        ("limit", "running", "running"),
    ]
    assert [(one.actor, one.reason) for one in entries[:2]] == [("ada", "at night"), ("bob", "too busy")]
    charter = charter_of(begun)
    assert charter is not None
    job = {"job": "backfill", "run": charter.run}
    assert entries[0].details == {**job, "max_rate": 0.0, "max_write_units": 100.0}
    limits = {"max_rate": 7.0, "max_write_units": 0.0}
    before = {"max_rate_before": 0.0, "max_write_units_before": 100.0}
    assert entries[3].details == {**job, **limits, **before}


async def test_who_joins_in_changes_nothing_and_is_not_noted(yard: Yard) -> None:
    await order(yard, **ADA)
    await order(yard, actor="bob")
    assert len(await trail_of(yard)) == 1


async def test_a_run_that_begins_anew_is_a_start_and_not_a_resumption(yard: Yard) -> None:
    await order(yard, **ADA)
    await pause(yard.site(), "backfill")
    await order(yard, actor="bob", anew=True)
    entries = await trail_of(yard)
    assert summary(entries)[1:] == [("pause", "running", "paused"), ("start", "paused", "running")]
    assert entries[0].details["run"] != entries[2].details["run"]
    assert entries[1].actor == yard.site().replica, "an order of nobody is this process's own"


async def test_an_order_that_is_refused_is_not_noted(yard: Yard) -> None:
    with pytest.raises(Refused):
        await order(yard, **ADA, only_resume=True)
    with pytest.raises(Refused):
        await pause(yard.site(), "backfill", BY_ADA)
    assert await trail_of(yard) == []


async def test_what_is_tried_again_since_the_job_was_saved_meanwhile_is_noted_once(yard: Yard) -> None:
    await order(yard, **ADA)
    swap, tries = yard.control.swap_job, 0

    async def lose_once(known: Job, new: Job) -> bool:
        nonlocal tries
        tries += 1
        return tries > 1 and await swap(known, new)

    yard.control.swap_job = lose_once  # type: ignore[method-assign,assignment]
    await pause(yard.site(), "backfill", BY_ADA)
    assert tries == 2 and len(await trail_of(yard)) == 2


@pytest.mark.parametrize("state", ["none", "running"])
async def test_no_job_changes_without_an_entry(yard: Yard, state: str) -> None:
    if state == "running":
        await order(yard)

    async def refuse(entry: AuditEntry) -> None:
        raise Unavailable("the control store is gone")

    yard.control.record_audit = refuse  # type: ignore[method-assign]
    work = order(yard, **ADA) if state == "none" else pause(yard.site(), "backfill", BY_ADA)
    with pytest.raises(Unavailable):
        await work
    job = await yard.control.job("jobs", "backfill")
    assert (job.state if job else "none") == state
