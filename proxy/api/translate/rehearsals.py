"""Rehearsals and their reports, as protobuf."""

from __future__ import annotations

from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate.operations import DROPPED, duration, moment
from proxy.core.comparison import Kind
from proxy.core.flag import Job, Rehearsal
from proxy.cutover.rehearsal import RehearsalReport, report_in

_COMPARED = frozenset(kind.value for kind in Kind if kind is not Kind.UNAVAILABLE)


def write_rehearsal(target: pb.Collection, rehearsal: Rehearsal | None, job: Job | None) -> None:
    """Fill in a collection's latest rehearsal: the one that its flag knows, else the one last reported."""
    if rehearsal is not None:
        state = pb.Rehearsal.RETURNED if rehearsal.is_over else pb.Rehearsal.RUNNING
        _write(target.rehearsal, rehearsal, state)
    elif report := report_in(job):
        _write(target.rehearsal, report.rehearsal, pb.Rehearsal.REPORTED)
        _write_report(target.rehearsal, report)


def _write(target: pb.Rehearsal, rehearsal: Rehearsal, state: pb.Rehearsal.State) -> None:
    target.id = rehearsal.id
    target.state = state
    target.actor = rehearsal.actor
    target.reason = rehearsal.reason
    target.start_time.CopyFrom(moment(rehearsal.started_at))
    target.return_time.CopyFrom(moment(rehearsal.return_at))
    target.hold_there.CopyFrom(duration(rehearsal.hold_there_ms))
    target.failed_returns = rehearsal.failed_returns
    if rehearsal.is_over:
        target.end_time.CopyFrom(moment(rehearsal.returned_at))
        target.hold_back.CopyFrom(duration(rehearsal.hold_back_ms))


def _write_report(target: pb.Rehearsal, report: RehearsalReport) -> None:
    outcomes = report.outcomes
    target.shadow_compared = sum(count for name, count in outcomes.items() if name in _COMPARED)
    target.shadow_matched = outcomes.get(Kind.MATCH.value, 0)
    target.shadow_dropped = sum(outcomes.get(name, 0) for name in (*DROPPED, Kind.UNAVAILABLE.value))
    for name, count in report.divergences.items():
        target.divergences[name] = count
