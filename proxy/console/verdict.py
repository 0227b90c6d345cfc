"""One sentence for each collection: whether it is safe to move, and if not, what stands in the way.

A verdict never says more than the checks: where a check fails, it is not safe. The canary is sent by a dry
run only; until then a mirror whose breaker is open counts as one that does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from proxy.core.assurance import assurance_of
from proxy.core.stage import Stage
from proxy.cutover.checks import VERIFY_MAX_AGE, GateCheck
from proxy.cutover.machine import Step
from proxy.cutover.overview import CollectionStatus


class Tone(Enum):
    """What an operator shall feel."""

    SAFE = "safe"
    WAIT = "wait"
    BUSY = "busy"
    ALARM = "alarm"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`word` stands beside the icon, `sentence` follows the collection's name."""

    tone: Tone
    word: str
    sentence: str


GATES: dict[Stage, tuple[Stage, ...]] = {
    Stage.MONGO_ONLY: (Stage.MONGO_PRIMARY,),
    Stage.MONGO_PRIMARY: (Stage.DYNAMO_PRIMARY,),
    Stage.DYNAMO_PRIMARY: (Stage.MONGO_PRIMARY, Stage.DYNAMO_ONLY),
    Stage.DYNAMO_ONLY: (),
}
"""The gates whose checks are shown at a stage; the first is what the verdict is about."""

_SAFE = {
    Stage.MONGO_ONLY: ("Ready", "not mirrored; ready to start mirroring"),
    Stage.MONGO_PRIMARY: ("Safe", "safe to cut over"),
    Stage.DYNAMO_PRIMARY: ("Safe", "cut over to DynamoDB; safe to roll back"),
}
_WAIT = {
    Stage.MONGO_ONLY: "not mirrored; mirroring cannot start yet",
    Stage.MONGO_PRIMARY: "not yet",
    Stage.DYNAMO_PRIMARY: "cut over to DynamoDB; a rollback has to wait",
}


def judge(status: CollectionStatus, checks: Sequence[GateCheck], step: Step, now: int) -> Verdict:
    """The verdict on the first gate of the collection's stage; `now` in milliseconds since 1970."""
    flag = status.flag
    if flag.change is not None:
        return Verdict(Tone.BUSY, "Moving", f"moving to {flag.change.target.value}: {step.value}")
    if flag.rehearsal is not None and not flag.rehearsal.is_over:
        left = max(0.0, (flag.rehearsal.return_at - now) / 1000)
        return Verdict(Tone.BUSY, "Rehearsing", f"rehearsing DynamoDB as primary; goes back in {span(left)}")
    if flag.stage is Stage.DYNAMO_ONLY:
        return Verdict(Tone.DONE, "Finished", "finished: MongoDB is out of use")
    reasons = reasons_against(status, checks, now)
    if not reasons:
        return Verdict(Tone.SAFE, *_SAFE[flag.stage])
    tone, word = (Tone.ALARM, "Alarm") if _is_alarming(status) else (Tone.WAIT, "Not yet")
    return Verdict(tone, word, f"{_WAIT[flag.stage]}: {', '.join(reasons)}")


def reasons_against(status: CollectionStatus, checks: Sequence[GateCheck], now: int) -> list[str]:
    """What stands in the way, a clause each."""
    reasons = [_clause(check, status, now) for check in checks if not check.passed]
    if status.flag.stage.mirror is not None and status.mirror.breaker == "open":
        reasons.append("the mirror does not answer this replica")
    return reasons


def span(seconds: float) -> str:
    """A duration as people say it: 40 s, 3 min, 3 h, 2 days."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= 120):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _is_alarming(status: CollectionStatus) -> bool:
    feed = status.jobs.get("feed")
    return feed is not None and feed.state == "failed"


def _clause(check: GateCheck, status: CollectionStatus, now: int) -> str:
    say = _CLAUSES.get(check.name)
    return say(check, status, now) if say else check.evidence


def _verify(check: GateCheck, status: CollectionStatus, now: int) -> str:
    job = status.jobs.get("verify")
    if job is None:
        return "no verify has run"
    age = (now - job.started_at) / 1000
    unequal = assurance_of(job).unequal
    if job.state != "finished":
        return f"verify is {job.state}"
    if unequal:
        return f"verify found {unequal} {_plural(unequal, 'difference')}"
    return f"verify is {span(age)} old" if age >= VERIFY_MAX_AGE else "verify is older than the mirror"


def _backfill(check: GateCheck, status: CollectionStatus, now: int) -> str:
    job = status.jobs.get("backfill")
    if job is None:
        return "no backfill has run"
    if job.state != "finished":
        return f"backfill is {job.state}"
    refused = job.counts.get("quarantined", 0)
    return f"backfill left out {refused}" if refused else "backfill is older than the mirror"


def _spaced(check: GateCheck, status: CollectionStatus, now: int) -> str:
    return f"too soon after the last change ({span((now - status.flag.published_at) / 1000)} ago)"


def _open(check: GateCheck, status: CollectionStatus, now: int) -> str:
    count = sum(status.divergences.values())
    return f"{count} open {_plural(count, 'divergence')}"


def _feed(check: GateCheck, status: CollectionStatus, now: int) -> str:
    job = status.jobs.get("feed")
    if job is None:
        return "no reconciler has reported"
    if job.state == "failed":
        return f"the feed has failed ({job.message or 'no reason given'})"
    return f"the feed is behind ({check.evidence})"


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


_CLAUSES: dict[str, Callable[[GateCheck, CollectionStatus, int], str]] = {
    "spaced": _spaced,
    "verify_clean": _verify,
    "backfill_complete": _backfill,
    "no_open_divergences": _open,
    "feed_close": _feed,
}
"""The checks whose evidence is not yet a clause."""
