"""The sentence on which an operator decides: never safe while a check fails, and every reason named."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from proxy.console.verdict import GATES, Tone, judge, span
from proxy.core.flag import Change, Flag, Job, Rehearsal
from proxy.core.stage import Stage, StoreName
from proxy.cutover.checks import Facts, GateCheck, check
from proxy.cutover.machine import Step
from proxy.cutover.overview import CollectionStatus, MirrorHealth
from tests.fixtures.memory_world import jobs

NOW = 1_000_000_000_000
HOUR = 3_600_000


def job(kind: str, state: str = "finished", age_ms: int = 1000, **counts: int) -> Job:
    return Job("jobs", kind, state, 2, NOW - age_ms, NOW - age_ms, counts)


GOOD = {
    "backfill": job("backfill"),
    "verify": job("verify", MATCH=9),
    "feed": job("feed", "running", lag_ms=1),
}


def status(stage: Stage = Stage.MONGO_PRIMARY, breaker: str = "closed", **found: Any) -> CollectionStatus:
    flag = Flag("jobs", 3, stage, NOW - HOUR, mirrored_since=2)
    kept = {name: one for name, one in (GOOD | found.get("jobs", {})).items() if one}
    return CollectionStatus(
        jobs(),
        found.get("flag", flag),
        MirrorHealth(breaker, 0, {}),
        {StoreName.MONGODB: 9},
        found.get("divergences", {}),
        kept,
    )


def checks_of(one: CollectionStatus, target: Stage) -> tuple[GateCheck, ...]:
    """The gate's own checks of what the status shows, replicas aside."""
    from proxy.core.flag import Replica

    replica = Replica("r1", "", 3.0, {"jobs": one.flag.serial}, {})
    facts = Facts(
        flag=one.flag,
        target=target,
        now=NOW,
        lease=3.0,
        replicas=[replica],
        backfill=one.jobs.get("backfill"),
        verify=one.jobs.get("verify"),
        feed=one.jobs.get("feed"),
        open_divergences=sum(one.divergences.values()),
        unfit=0,
        canary=None,
    )
    return check(facts)


def verdict(one: CollectionStatus) -> tuple[Tone, str]:
    targets = GATES[one.flag.stage]
    checks = checks_of(one, targets[0]) if targets else ()
    found = judge(one, checks, Step.DRAIN, NOW)
    return found.tone, found.sentence


@pytest.mark.parametrize(
    ("one", "tone", "sentence"),
    [
        (status(), Tone.SAFE, "safe to cut over"),
        (status(Stage.MONGO_ONLY), Tone.SAFE, "not mirrored; ready to start mirroring"),
        (status(Stage.DYNAMO_PRIMARY), Tone.SAFE, "cut over to DynamoDB; safe to roll back"),
        (status(Stage.DYNAMO_ONLY), Tone.DONE, "finished: MongoDB is out of use"),
        (
            status(jobs={"verify": job("verify", age_ms=30 * HOUR)}, divergences={"STUCK_LAG": 2}),
            Tone.WAIT,
            "not yet: verify is 30 h old, 2 open divergences",
        ),
        (status(jobs={"verify": None}), Tone.WAIT, "not yet: no verify has run"),
        (status(jobs={"verify": job("verify", "running")}), Tone.WAIT, "not yet: verify is running"),
        (
            status(jobs={"verify": job("verify", TRUE_MISMATCH=1)}),
            Tone.WAIT,
            "not yet: verify found 1 difference",
        ),
        (status(jobs={"backfill": None}), Tone.WAIT, "not yet: no backfill has run"),
        (status(breaker="open"), Tone.WAIT, "not yet: the mirror does not answer this replica"),
        (
            status(jobs={"feed": replace(job("feed", "failed", lag_ms=1), message="lost")}),
            Tone.ALARM,
            "not yet: the feed has failed (lost)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_sentence_says_what_stands_in_the_way(one: CollectionStatus, tone: Tone, sentence: str) -> None:
    assert verdict(one) == (tone, sentence)


def test_it_is_never_safe_while_a_check_fails() -> None:
    """Every way in which the checks of a gate can come out, with every breaker."""
    names = [one.name for one in checks_of(status(), Stage.DYNAMO_PRIMARY)]
    assert len(names) > 8
    for results in itertools.product((True, False), repeat=len(names)):
        checks = [GateCheck(name, passed, name) for name, passed in zip(names, results, strict=True)]
        found = judge(status(), checks, Step.DRAIN, NOW)
        assert (found.tone is Tone.SAFE) is all(results)
        assert found.sentence.count(",") == max(0, results.count(False) - 1)


def test_a_change_and_a_rehearsal_come_first() -> None:
    change = Change("c", Stage.DYNAMO_PRIMARY, "Ada", "", NOW, "r1", NOW)
    moving = Flag("jobs", 3, Stage.MONGO_PRIMARY, NOW, change=change)
    assert verdict(status(flag=moving)) == (Tone.BUSY, "moving to DYNAMO_PRIMARY: drain")
    rehearsal = Rehearsal("r", "Ada", "", NOW, NOW + 42_000, 9)
    rehearsed = Flag("jobs", 3, Stage.DYNAMO_PRIMARY, NOW, rehearsal=rehearsal)
    assert verdict(status(flag=rehearsed)) == (
        Tone.BUSY,
        "rehearsing DynamoDB as primary; goes back in 42 s",
    )


def test_durations_are_said_as_people_say_them() -> None:
    said = [span(seconds) for seconds in (0, 40, 119, 120, 7199, 7200, 172_799, 172_800)]
    assert said == ["0 s", "40 s", "119 s", "2 min", "120 min", "2 h", "48 h", "2 days"]
