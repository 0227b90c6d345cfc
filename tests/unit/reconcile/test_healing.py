"""A complete verify closes what has healed, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.core.comparison import Kind
from proxy.core.exchange import DivergenceQuery
from proxy.core.finding import Finding, describe
from proxy.core.keys import Key
from proxy.core.stage import Stage
from proxy.reconcile import shift as shift_module
from proxy.reconcile.key import Result, reconcile
from proxy.reconcile.rule import Cause, explain
from proxy.reconcile.verify import verify
from tests.fixtures.yard import EPOCH, JOBS, Yard, key, record, tombstone


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift_module, "CHECKPOINT", 0.005)


async def report(yard: Yard, kind: Kind, name: Key | None, at: int, message: str = "") -> None:
    finding = Finding(kind, name, "get", EPOCH, None, None, message)
    await yard.divergences.record(replace(describe(JOBS, finding, "r1", at), last_seen=at))


async def states(yard: Yard) -> dict[str, str]:
    rows = await yard.divergences.list(DivergenceQuery("jobs"))
    return {row.kind.value: row.state for row in rows}


async def test_a_verify_closes_what_it_does_not_find_any_more() -> None:
    yard = Yard()
    await yard.open()
    yard.mongo.put(key("ghost"), None)
    yard.dynamo.put(key("ghost"), record((EPOCH, 3), name="ghost"))
    now = yard.clock.now()
    await report(yard, Kind.STUCK_LAG, key("healed"), now - 1000)
    await report(yard, Kind.GHOST_IN_MIRROR, key("ghost"), now - 1000)
    await report(yard, Kind.ERROR_PARITY, key("poison"), now - 1000)
    await report(yard, Kind.QUERY_MISMATCH, None, now - 1000, "order")
    await report(yard, Kind.TRUE_MISMATCH, key("seen meanwhile"), now + 60_000)
    await verify(yard.site(), yard.door)
    assert await states(yard) == {
        "STUCK_LAG": "closed",
        "GHOST_IN_MIRROR": "open",
        "ERROR_PARITY": "open",
        "QUERY_MISMATCH": "open",
        "TRUE_MISMATCH": "open",
    }


async def test_what_a_replica_with_a_slow_clock_reported_stays_open() -> None:
    """Found by simulation: a divergence that is newer than its time says is closed only where it is gone."""
    yard = Yard()
    await yard.open()
    yard.dynamo.put(key("ghost"), record((EPOCH, 3), name="ghost"))
    await report(yard, Kind.MIRROR_AHEAD, key("ghost"), yard.clock.now() - 1000)
    await verify(yard.site(), yard.door)
    assert (await states(yard))["MIRROR_AHEAD"] == "open"


def test_a_tombstone_that_was_purged_meanwhile_bypassed_nobody() -> None:
    assert explain(None, tombstone((EPOCH, 3)), is_fresh=True) is Cause.NONE
    assert explain(None, record((EPOCH, 3)), is_fresh=True) is Cause.BYPASS
    assert explain(None, None, is_fresh=True) is Cause.BYPASS


@pytest.mark.parametrize(
    ("stage", "result", "cause"),
    [
        (Stage.MONGO_PRIMARY, Result.STAMPED, Cause.BYPASS),
        (Stage.DYNAMO_PRIMARY, Result.EQUAL, Cause.NONE),
    ],
)
async def test_the_feed_of_dynamodb_may_show_copies_of_the_backfill_again(
    stage: Stage, result: Result, cause: Cause
) -> None:
    """Its positions are older than they need be; in MongoDB's feed a legacy write is a bypassing writer's."""
    yard = Yard(stage)
    await yard.open()
    yard.mongo.put(key(), record())
    yard.dynamo.put(key(), record())
    [outcome] = await reconcile([key()], yard.bench().pair, yard.clock, is_fresh=True)
    assert (outcome.result, outcome.cause) == (result, cause)
