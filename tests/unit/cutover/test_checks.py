"""The gate: every check of the protocol refuses for its own reason alone, and says what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from proxy.core.flag import Change, Flag, Job, Rehearsal, Replica
from proxy.core.stage import Stage
from proxy.cutover.checks import Facts, check, verdict_of

NOW = 1_700_000_000_000
SECOND = 1000
Spoil = Callable[[Facts], Facts]


def job(kind: str, state: str = "finished", age: float = 60.0, epoch: int = 4, **counts: int) -> Job:
    at = NOW - int(age * SECOND)
    return Job("jobs", kind, state, epoch, at, at, counts)


def replica(name: str = "r1", seen: int = 9, age: float = 0.1) -> Replica:
    return Replica(name, f"{name}:1", 2.0, {"jobs": seen}, {}, age)


def facts(stage: Stage, target: Stage) -> Facts:
    """Nothing stands in the way."""
    return Facts(
        flag=Flag("jobs", 4, stage, NOW - 3600 * SECOND, mirrored_since=3, serial=9),
        target=target,
        now=NOW,
        lease=2.0,
        replicas=(replica("r1"), replica("r2")),
        backfill=job("backfill", COPIED=5),
        verify=job("verify", MATCH=5),
        feed=job("feed", "running", age=0.5, lag_ms=20),
        open_divergences=0,
        unfit=0,
        canary="" if stage.changes_primary_to(target) else None,
    )


def failed(found: Facts) -> dict[str, str]:
    return {one.name: one.evidence for one in check(found) if not one.passed}


THERE = facts(Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY)
BACK = facts(Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY)
END = facts(Stage.DYNAMO_PRIMARY, Stage.DYNAMO_ONLY)


@pytest.mark.parametrize("found", [THERE, BACK, END], ids=["there", "back", "the end"])
def test_a_gate_is_open_when_nothing_stands_in_the_way(found: Facts) -> None:
    assert failed(found) == {}
    assert verdict_of(check(found)) == "safe to move"
    assert all(one.evidence for one in check(found))


def test_every_check_of_the_protocol_is_there() -> None:
    names = {"neighbouring_stage", "no_change_under_way", "replicas_current"}
    verified = {"verify_clean", "no_open_divergences", "feed_close"}
    documents = {"backfill_complete", "no_bypass_writes", "documents_fit"}
    flip = {"spaced", "canary_returned"}
    assert {one.name for one in check(THERE)} == names | verified | documents | flip
    assert {one.name for one in check(BACK)} == names | flip | {"feed_close", "documents_fit"}
    assert {one.name for one in check(END)} == names | verified


def with_feed(**changes: object) -> Spoil:
    return lambda found: replace(found, feed=replace(found.feed, **changes))  # type: ignore[type-var]


def with_counts(**counts: int) -> Spoil:
    return lambda found: with_feed(counts={**_counts(found.feed), **counts})(found)


def _counts(found: Job | None) -> Mapping[str, int]:
    assert found is not None
    return found.counts


def with_flag(**changes: object) -> Spoil:
    return lambda found: replace(found, flag=replace(found.flag, **changes))  # type: ignore[arg-type]


CHANGE = Change("c1", Stage.DYNAMO_PRIMARY, "ann", "", NOW - 7, "r1", NOW)
SPOILED: dict[str, tuple[Facts, Spoil, str, str]] = {
    "a stage that is no neighbour": (
        THERE,
        lambda found: replace(found, target=Stage.MONGO_PRIMARY),
        "neighbouring_stage",
        "MONGO_PRIMARY to MONGO_PRIMARY",
    ),
    "a change": (THERE, with_flag(change=CHANGE), "no_change_under_way", "moving to DYNAMO_PRIMARY"),
    "a rehearsal": (
        END,
        with_flag(rehearsal=Rehearsal("c1", "ann", "", NOW, NOW, 9)),
        "no_change_under_way",
        "a rehearsal is under way",
    ),
    "a replica of the past": (
        THERE,
        lambda found: replace(found, replicas=(replica("r1"), replica("r2", seen=8))),
        "replicas_current",
        "1 of 2 live replicas know epoch 4; behind: r2",
    ),
    "nobody alive": (
        BACK,
        lambda found: replace(found, replicas=(replica(age=3.0),)),
        "replicas_current",
        "0 of 0 live replicas",
    ),
    "a flip just now": (BACK, with_flag(published_at=NOW - 6 * SECOND), "spaced", "6.0 s ago, 7.0 s are"),
    "no verify": (THERE, lambda found: replace(found, verify=None), "verify_clean", "no verify has run"),
    "an old verify": (
        THERE,
        lambda found: replace(found, verify=job("verify", age=25 * 3600.0)),
        "verify_clean",
        "began 90000 s ago",
    ),
    "a verify that was resumed and finished just now, and began long ago": (
        THERE,
        lambda found: replace(
            found, verify=replace(job("verify", age=1.0), started_at=NOW - 25 * 3600 * SECOND)
        ),
        "verify_clean",
        "began 90000 s ago at epoch 4, finished after 89999 s",
    ),
    "a verify from before the mirror": (
        END,
        lambda found: replace(found, verify=job("verify", epoch=2)),
        "verify_clean",
        "at epoch 2",
    ),
    "a verify that found something": (
        THERE,
        lambda found: replace(found, verify=job("verify", MATCH=5, TRUE_MISMATCH=1)),
        "verify_clean",
        "TRUE_MISMATCH 1",
    ),
    "a verify that is not done": (
        END,
        lambda found: replace(found, verify=job("verify", "running")),
        "verify_clean",
        "running",
    ),
    "a divergence": (
        THERE,
        lambda found: replace(found, open_divergences=2),
        "no_open_divergences",
        "2 open",
    ),
    "no backfill": (THERE, lambda found: replace(found, backfill=None), "backfill_complete", "no backfill"),
    "a backfill that is not done": (
        THERE,
        lambda found: replace(found, backfill=job("backfill", "paused")),
        "backfill_complete",
        "paused",
    ),
    "a backfill from before the mirror": (
        THERE,
        lambda found: replace(found, backfill=job("backfill", epoch=2)),
        "backfill_complete",
        "the mirror was absent since",
    ),
    "no reconciler": (THERE, lambda found: replace(found, feed=None), "feed_close", "no reconciler"),
    "a mirror that is behind": (THERE, with_counts(lag_ms=1000), "feed_close", "lag 1.000 s"),
    "a silent reconciler": (
        THERE,
        with_feed(updated_at=NOW - 11 * SECOND),
        "feed_close",
        "reported 11.0 s ago",
    ),
    "a lost feed": (THERE, with_feed(state="failed", message="lost"), "feed_close", "; lost"),
    "a lost feed before the end": (END, with_feed(state="failed", message="lost"), "feed_close", "; lost"),
    "a lost feed on the way back": (BACK, with_feed(state="failed", message="lost"), "feed_close", "lost"),
    "a service past the proxy": (
        THERE,
        with_counts(bypass_at=NOW - 59 * SECOND),
        "no_bypass_writes",
        "59 s ago",
    ),
    "a document that does not fit": (THERE, with_counts(quarantined=1), "documents_fit", "1 documents"),
    "a document that MongoDB refuses": (
        BACK,
        lambda found: replace(found, unfit=1),
        "documents_fit",
        "1 times MongoDB refuses",
    ),
    "a canary that is gone": (
        BACK,
        lambda found: replace(found, canary="mongodb did not take the canary"),
        "canary_returned",
        "did not take",
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_each_check_refuses_for_its_own_reason(what: str) -> None:
    found, spoil, name, evidence = SPOILED[what]
    refused = failed(spoil(found))
    assert list(refused) == [name] and evidence in refused[name]
    assert name in verdict_of(check(spoil(found)))


def test_what_could_never_be_right_cannot_be_overridden() -> None:
    names = {one.name for one in check(THERE) if not one.overridable}
    assert names == {"neighbouring_stage", "no_change_under_way"}


def test_documents_that_the_backfill_could_not_copy_are_named_twice() -> None:
    spoiled = replace(THERE, backfill=job("backfill", COPIED=5, quarantined=2))
    assert set(failed(spoiled)) == {"backfill_complete", "documents_fit"}
