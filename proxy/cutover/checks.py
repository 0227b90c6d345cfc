"""The gate: what must be true before a collection may move, each check with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proxy.core.assurance import assurance_of
from proxy.core.comparison import Kind
from proxy.core.errors import Reason, Refused
from proxy.core.flag import Flag, Job, Replica
from proxy.core.ports import Control, DivergenceLog
from proxy.core.stage import Stage, StoreName

VERIFY_MAX_AGE = 24 * 3600.0
"""Seconds since a verify began: what it compared first is as old as that, pauses included."""
LAG_LIMIT = 1.0
BYPASS_QUIET = 60.0
LONGEST_OPERATION = 5.0
"""Seconds: no call of a replica outlives this, so a flip is spaced from the last by it plus the lease."""


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One condition with what was found. A failed check refuses the move; one that is `overridable` can be
    overridden with a reason. Names are stable, for scripts."""

    name: str
    passed: bool
    evidence: str
    overridable: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the checks look at; times in milliseconds by the control store's clock. `unfit` is how often
    one store is known to refuse what the other does not; `canary` is what went wrong with it, empty when
    nothing did, None when none was sent."""

    flag: Flag
    target: Stage
    now: int
    lease: float
    replicas: Sequence[Replica]
    backfill: Job | None
    verify: Job | None
    feed: Job | None
    open_divergences: int
    unfit: int
    canary: str | None


async def gather_facts(
    control: Control,
    divergences: DivergenceLog,
    flag: Flag,
    target: Stage,
    lease: float,
    canary: str | None,
) -> Facts:
    """Read from the control store what the checks need."""
    name = flag.collection
    open_by_kind = await divergences.counts(name)
    return Facts(
        flag=flag,
        target=target,
        now=await control.now(),
        lease=lease,
        replicas=await control.replicas(),
        backfill=await control.job(name, "backfill"),
        verify=await control.job(name, "verify"),
        feed=await control.job(name, "feed"),
        open_divergences=sum(open_by_kind.values()),
        unfit=open_by_kind.get(Kind.ERROR_PARITY.value, 0),
        canary=canary,
    )


def check(facts: Facts) -> tuple[GateCheck, ...]:
    """All conditions of a move, in the order that an operator reads them."""
    checks = [_neighbour(facts), _idle(facts), _replicas_current(facts)]
    if facts.flag.stage.changes_primary_to(facts.target):
        checks.append(_spaced(facts))
    if facts.target.primary is StoreName.DYNAMODB:
        checks += [_verified(facts), _no_divergences(facts), _feed_close(facts)]
    if facts.target is Stage.DYNAMO_PRIMARY:
        checks += [_backfilled(facts), _no_bypass(facts), _documents_fit(facts)]
    if facts.flag.stage is Stage.DYNAMO_PRIMARY and facts.target is Stage.MONGO_PRIMARY:
        checks += [_feed_unbroken(facts), _mirror_takes_all(facts)]
    if facts.canary is not None:
        checks.append(GateCheck("canary_returned", not facts.canary, facts.canary or "through both stores"))
    return tuple(checks)


def verdict_of(checks: Sequence[GateCheck]) -> str:
    """Whether it is safe to move, and what stands in the way."""
    failed = [one.name for one in checks if not one.passed]
    return f"not safe to move: {', '.join(failed)}" if failed else "safe to move"


def pass_gate(checks: Sequence[GateCheck], override: bool, reason: str) -> None:
    """Raises Refused (GATE_CLOSED) if a check failed and is not overridden with a reason."""
    if all(one.passed for one in checks):
        return
    if not override:
        raise Refused(verdict_of(checks), Reason.GATE_CLOSED)
    if not reason.strip():
        raise Refused("an override needs a reason", Reason.GATE_CLOSED, field="reason")


def _neighbour(facts: Facts) -> GateCheck:
    stage, target = facts.flag.stage, facts.target
    return GateCheck(
        "neighbouring_stage", stage.can_move_to(target), f"{stage.value} to {target.value}", False
    )


def _idle(facts: Facts) -> GateCheck:
    change, is_final = facts.flag.change, facts.target is Stage.DYNAMO_ONLY
    evidence = "no change under way"
    if change:
        evidence = f"moving to {change.target.value} since {change.started_at}"
    elif is_final and facts.flag.is_rehearsed:
        evidence = "a rehearsal is under way, and goes back"
    idle = change is None and not (is_final and facts.flag.is_rehearsed)
    return GateCheck("no_change_under_way", idle, evidence, False)


def _replicas_current(facts: Facts) -> GateCheck:
    alive = [replica for replica in facts.replicas if replica.is_alive]
    behind = [r.id for r in alive if r.seen.get(facts.flag.collection, -1) < facts.flag.serial]
    evidence = f"{len(alive) - len(behind)} of {len(alive)} live replicas know epoch {facts.flag.epoch}"
    if behind:
        evidence += f"; behind: {', '.join(behind)}"
    return GateCheck("replicas_current", bool(alive) and not behind, evidence)


def _spaced(facts: Facts) -> GateCheck:
    since = (facts.now - facts.flag.published_at) / 1000
    needed = facts.lease + LONGEST_OPERATION
    return GateCheck(
        "spaced",
        since > needed,
        f"epoch {facts.flag.epoch} was published {since:.1f} s ago, {needed:.1f} s are needed",
    )


def _backfilled(facts: Facts) -> GateCheck:
    job = facts.backfill
    if job is None:
        return GateCheck("backfill_complete", False, "no backfill has run")
    fresh = job.epoch >= facts.flag.mirrored_since
    done = job.state == "finished" and fresh and not job.counts.get("quarantined", 0)
    evidence = f"{job.state} at epoch {job.epoch}: {_show(job)}"
    return GateCheck(
        "backfill_complete", done, evidence if fresh else f"{evidence}; the mirror was absent since"
    )


def _verified(facts: Facts) -> GateCheck:
    job = facts.verify
    if job is None:
        return GateCheck("verify_clean", False, "no verify has run")
    age, took = (facts.now - job.started_at) / 1000, (job.updated_at - job.started_at) / 1000
    proof = assurance_of(job)
    passed = (
        job.state == "finished"
        and proof.is_complete
        and proof.unequal == 0
        and age < VERIFY_MAX_AGE
        and job.epoch >= facts.flag.mirrored_since
    )
    when = f"began {age:.0f} s ago at epoch {job.epoch}, {job.state} after {took:.0f} s"
    evidence = f"{when}: {proof} ({_show(job)})"
    return GateCheck("verify_clean", passed, evidence)


def _no_divergences(facts: Facts) -> GateCheck:
    return GateCheck("no_open_divergences", facts.open_divergences == 0, f"{facts.open_divergences} open")


def _feed_close(facts: Facts) -> GateCheck:
    job = facts.feed
    if job is None:
        return GateCheck("feed_close", False, "no reconciler has reported")
    silent = max(0, facts.now - job.updated_at) / 1000
    lag = job.counts.get("lag_ms", 0) / 1000
    passed = job.state == "running" and lag < LAG_LIMIT and silent < 10.0
    evidence = f"{job.state}, lag {lag:.3f} s, reported {silent:.1f} s ago"
    return GateCheck("feed_close", passed, f"{evidence}; {job.message}" if job.message else evidence)


def _feed_unbroken(facts: Facts) -> GateCheck:
    """On the way back a lag is drained, but what a lost feed missed would be gone with DynamoDB."""
    job = facts.feed
    is_lost = job is not None and job.state == "failed"
    return GateCheck("feed_close", not is_lost, job.message if job and is_lost else "followed without a gap")


def _no_bypass(facts: Facts) -> GateCheck:
    """Direct writers must be gone: MongoDB's fence would refuse them from now on."""
    at = facts.feed.counts.get("bypass_at", 0) if facts.feed else 0
    quiet = (facts.now - at) / 1000
    evidence = f"the last write that bypassed the proxy was {quiet:.0f} s ago" if at else "none seen"
    return GateCheck("no_bypass_writes", not at or quiet > BYPASS_QUIET, evidence)


def _documents_fit(facts: Facts) -> GateCheck:
    jobs = [job for job in (facts.backfill, facts.feed) if job]
    refused = sum(job.counts.get("quarantined", 0) for job in jobs)
    return GateCheck("documents_fit", not refused, f"{refused} documents that DynamoDB cannot hold")


def _mirror_takes_all(facts: Facts) -> GateCheck:
    """What MongoDB refuses (an `_id` that another document has) would be gone after the way back."""
    evidence = f"{facts.unfit} times MongoDB refuses what DynamoDB holds"
    return GateCheck("documents_fit", not facts.unfit, evidence)


def _show(job: Job) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(job.counts.items())) or "nothing counted"
