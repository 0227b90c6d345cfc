"""What operators do about divergences: repairs that are audited, explanations that keep secrets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.core.errors import NotFound, Refused
from proxy.core.exchange import DivergenceQuery
from proxy.core.stage import Stage
from proxy.reconcile.mender import Mender
from proxy.reconcile.verify import verify
from tests.fixtures.yard import EPOCH, JOBS, SETTINGS, Yard, key, record
from tests.unit.reconcile.jobs import CLOSE, followed_yard
from tests.unit.reconcile.test_verify import PLANTED, plant

ALL = DivergenceQuery("jobs")


def mender(yard: Yard) -> Mender:
    return Mender({"jobs": yard.site()}, {"jobs": yard.door}, yard.divergences)


async def one_of(yard: Yard, kind: str) -> str:
    [row] = await yard.divergences.list(DivergenceQuery("jobs", kind=kind))
    return row.id


async def test_a_repair_is_audited_with_what_it_did(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    report = await mender(yard).repair(ALL, (), by_verify=True, actor="ada")
    [entry, started] = await yard.control.audit("jobs", 10)
    assert started.action == "start"
    assert report.closed == len(PLANTED)
    assert (entry.actor, entry.action, entry.details["closed"]) == ("ada", "repair", len(PLANTED))


async def test_a_repair_of_nothing_leaves_no_entry(yard: Yard) -> None:
    await mender(yard).repair(ALL, (), by_verify=False, actor="ada")
    assert await yard.control.audit("jobs", 10) == []


async def test_a_repair_of_the_last_verify_needs_one(yard: Yard) -> None:
    with pytest.raises(Refused, match="no verify of jobs has run"):
        await mender(yard).repair(ALL, (), by_verify=True, actor="ada")


async def test_a_repair_needs_a_mirror_and_a_collection(quick: None) -> None:
    yard = await followed_yard(Yard(Stage.MONGO_ONLY))
    with pytest.raises(Refused, match="no mirror"):
        await mender(yard).repair(ALL, (), by_verify=False, actor="ada")
    with pytest.raises(NotFound):
        await mender(yard).repair(DivergenceQuery("nothing"), (), by_verify=False, actor="ada")


async def test_an_explanation_shows_both_sides_and_the_cause(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    found = await mender(yard).explain("jobs", await one_of(yard, "TRUE_MISMATCH"))
    assert (found.has_looked, found.agrees) == (True, False)
    assert found.primary is not None and found.mirror is not None
    assert [one.path for one in found.differences] == ["n", "more"]
    assert "bypasses the proxy" in found.cause.text


async def test_an_explanation_says_what_has_healed(yard: Yard) -> None:
    plant(yard)
    await verify(yard.site(), yard.door, CLOSE)
    yard.dynamo.put(key("k011"), yard.mongo.records[key("k011")])
    found = await mender(yard).explain("jobs", await one_of(yard, "MISSING_IN_MIRROR"))
    assert (found.agrees, found.differences) == (True, ())


@pytest.mark.parametrize("redact", [("n",), ("*",), ("b",)])
async def test_an_explanation_keeps_what_is_redacted(quick: None, redact: tuple[str, ...]) -> None:
    collection = replace(JOBS, settings=replace(SETTINGS, redact=redact))
    yard = await followed_yard(Yard(collection=collection))
    for table, content in ((yard.mongo, "secret-1"), (yard.dynamo, "secret-2")):
        table.put(key("hidden"), record((EPOCH, 5), content, name="hidden"))
    await verify(yard.site(), yard.door, CLOSE)
    found = await mender(yard).explain("jobs", await one_of(yard, "TRUE_MISMATCH"))
    assert "secret" not in str(found.differences)
    assert ("secret" in str(found.row.differences)) is (redact == ("b",))
    assert ("hidden" in found.row.key) is (redact == ("n",))
    assert found.has_looked is (redact == ("n",)), "a hidden key leads to no document"


async def test_what_is_not_recorded_is_not_explained(yard: Yard) -> None:
    with pytest.raises(NotFound):
        await mender(yard).explain("jobs", "nothing")
