"""The whole picture as plain JSON values: what the page shows, gathered at once.

Times are milliseconds since 1970; what is not known is null, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from proxy.console.desk import Desk
from proxy.console.history import count_comparisons
from proxy.console.verdict import GATES, judge
from proxy.core.assurance import is_clean
from proxy.core.collection import Collection
from proxy.core.comparison import Kind
from proxy.core.divergence import Divergence
from proxy.core.flag import AuditEntry, Flag, Job, Replica
from proxy.core.stage import Stage
from proxy.core.version import Version
from proxy.cutover.checks import GateCheck, verdict_of
from proxy.cutover.coordinator import MoveReport
from proxy.cutover.overview import CollectionStatus, MirrorHealth
from proxy.cutover.rehearsal import report_in

Json = dict[str, Any]


async def paint(desk: Desk) -> Json:
    """Everything that the page shows of all collections and replicas. Raises the stores' errors."""
    statuses = await desk.overview.collections()
    replicas = await desk.overview.replicas()
    flags = {status.flag.collection: status.flag for status in statuses}
    return {
        "at": desk.clock.now(),
        "replica": desk.replica_id,
        "stages": [stage.value for stage in Stage],
        "kinds": [kind.value for kind in Kind if kind.is_recorded],
        "collections": [await paint_collection(desk, status) for status in statuses],
        "replicas": [_replica(one, flags) for one in sorted(replicas, key=lambda one: one.id)],
    }


def limit(picture: Json, may_see: Callable[[str], bool]) -> Json:
    """A picture of those collections alone that somebody may see."""
    collections = [one for one in picture["collections"] if may_see(one["name"])]
    replicas = [
        one | {"epochs": {name: epoch for name, epoch in one["epochs"].items() if may_see(name)}}
        for one in picture["replicas"]
    ]
    return picture | {"collections": collections, "replicas": replicas}


async def paint_collection(desk: Desk, status: CollectionStatus) -> Json:
    """One collection, its verdict and its gates."""
    flag, now = status.flag, desk.clock.now()
    gates = {target: await desk.steering.preview(status, target) for target in GATES[flag.stage]}
    checks = next(iter(gates.values()), ())
    verdict = judge(status, checks, desk.step_of(flag), now)
    return {
        "name": flag.collection,
        "verdict": {"tone": verdict.tone.value, "word": verdict.word, "sentence": verdict.sentence},
        "stage": flag.stage.value,
        "epoch": flag.epoch,
        "publishedAt": flag.published_at,
        "primary": flag.stage.primary.value,
        "mirror": flag.stage.mirror.value if flag.stage.mirror else None,
        "change": _change(flag, desk),
        "rehearsal": asdict(flag.rehearsal) if flag.rehearsal else None,
        "lastRehearsal": _rehearsed(status.jobs.get("rehearsal")),
        "gates": [_gate(flag.stage, target, checks) for target, checks in gates.items()],
        "health": _health(status.mirror),
        "feed": _job(status.jobs.get("feed")),
        "jobs": {kind: _job(status.jobs.get(kind)) for kind in ("backfill", "verify")},
        "documents": {store.value: count for store, count in status.estimates.items()},
        "divergences": dict(status.divergences),
        "comparisons": _comparisons(status.mirror.shadow_outcomes),
        "declaration": _declaration(status.collection),
    }


def show_checks(checks: Sequence[GateCheck]) -> list[Json]:
    return [asdict(check) for check in checks]


def show_report(report: MoveReport) -> Json:
    """What a move did, or would do."""
    return {
        "executed": report.executed,
        "checks": show_checks(report.checks),
        "holdMs": report.hold_ms,
        "stepsMs": dict(report.steps_ms),
        "message": report.message,
        "stage": report.flag.stage.value,
        "epoch": report.flag.epoch,
    }


def told(checks: tuple[GateCheck, ...], *, executed: bool = False, message: str = "") -> Json:
    """What became of an order that moves no stage."""
    return {"executed": executed, "checks": show_checks(checks), "message": message}


def has_mirror(status: CollectionStatus) -> GateCheck:
    """Whether there is a mirror to work on."""
    mirror = status.flag.stage.mirror
    evidence = f"mirrored to {mirror.value}" if mirror else f"no mirror in {status.flag.stage.value}"
    return GateCheck("has_mirror", mirror is not None, evidence, overridable=False)


def show_divergence(row: Divergence) -> Json:
    """A row of the divergence log; what is redacted was so before it was kept."""
    return {
        "id": row.id,
        "collection": row.collection,
        "kind": row.kind.value,
        "key": row.key,
        "operation": row.operation,
        "epoch": row.epoch,
        "primaryVersion": _version(row.primary_version),
        "mirrorVersion": _version(row.mirror_version),
        "differences": [asdict(one) for one in row.differences],
        "firstSeen": row.first_seen,
        "lastSeen": row.last_seen,
        "replica": row.replica,
        "traceId": row.trace_id,
        "count": row.count,
        "state": str(row.state),
    }


def show_entry(entry: AuditEntry) -> Json:
    """An entry of the audit trail."""
    return asdict(entry)


def _gate(stage: Stage, target: Stage, checks: Sequence[GateCheck]) -> Json:
    return {
        "target": target.value,
        "verdict": verdict_of(checks),
        "checks": show_checks(checks),
        "sendsCanary": stage.changes_primary_to(target),
    }


def _change(flag: Flag, desk: Desk) -> Json | None:
    change = flag.change
    if change is None:
        return None
    return {
        "target": change.target.value,
        "step": desk.step_of(flag).value,
        "holdsWrites": flag.holds_writes,
        "startedAt": change.started_at,
        "actor": change.actor,
        "reason": change.reason,
        "coordinator": change.coordinator,
    }


def _rehearsed(job: Job | None) -> Json | None:
    report = report_in(job)
    return asdict(report) if report else None


def _health(health: MirrorHealth) -> Json:
    return {
        "breaker": health.breaker,
        "applied": health.applied,
        "deferred": health.deferred,
        "lastError": health.last_error,
        "lastErrorAt": health.last_error_at or None,
    }


def _job(job: Job | None) -> Json | None:
    if job is None:
        return None
    return {
        "state": job.state,
        "isClean": is_clean(job),
        "epoch": job.epoch,
        "startedAt": job.started_at,
        "updatedAt": job.updated_at,
        "counts": dict(job.counts),
        "message": job.message,
        "total": job.total,
        "done": job.done,
        "rate": job.rate,
        "workers": job.workers,
    }


def _comparisons(outcomes: Mapping[str, int]) -> Json:
    judged, matched = count_comparisons(outcomes)
    return {"judged": judged, "matched": matched, "outcomes": dict(outcomes)}


def _declaration(collection: Collection) -> Json:
    return {
        "mongo": f"{collection.mongo_database}.{collection.mongo_collection}",
        "table": collection.table,
        "key": [field.name for field in collection.key_fields],
        "shadowRate": collection.settings.shadow_rate,
        "redacted": list(collection.settings.redact),
    }


def _replica(replica: Replica, flags: Mapping[str, Flag]) -> Json:
    """A replica; the epoch that it acts upon is known where it has seen the newest flag."""
    known = {
        name: flags[name].epoch if serial >= flags[name].serial else None
        for name, serial in sorted(replica.seen.items())
        if name in flags
    }
    return {
        "id": replica.id,
        "address": replica.address,
        "isAlive": replica.is_alive,
        "age": replica.age,
        "epochs": known,
        "holds": sorted(name for name in replica.held if name in flags and flags[name].change),
    }


def _version(version: Version | None) -> str | None:
    return f"{version.epoch}.{version.revision}" if version else None
