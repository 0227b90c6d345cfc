"""The audit trail of jobs: who began, paused, went on with or limited one, and why.

An entry is written before the job changes, so that no job changes without one; where it then does not change,
since somebody else was quicker, another entry tells what happened instead.
"""

from __future__ import annotations

from proxy.core.flag import AuditEntry, Job
from proxy.reconcile.charter import JobOrder, charter_of
from proxy.reconcile.site import Site

NONE = "none"
"""The state of a job before its first run."""

_LIMITS = {"max_rate": "rate", "max_write_units": "max_units"}


class JobTrail:
    """Notes what one order does to one job; the same is noted once, however often it is tried."""

    def __init__(self, site: Site, order: JobOrder) -> None:
        self._site = site
        self._order = order
        self._noted: tuple[str, str, dict[str, object]] | None = None

    async def note(self, before: Job | None, after: Job) -> None:
        """A job is about to change. An order that names nobody is this process's own."""
        what, state, details = (
            _action(before, after),
            before.state if before else NONE,
            _details(before, after),
        )
        if (what, state, details) == self._noted:
            return
        site, order = self._site, self._order
        actor, now = order.actor or site.replica, await site.control.now()
        entry = AuditEntry(now, actor, what, site.name, order.reason, state, after.state, details)
        await site.control.record_audit(entry)
        self._noted = what, state, details


def _action(before: Job | None, after: Job) -> str:
    if before is None or _run(before) != _run(after):
        return "start"
    if before.state == after.state:
        return "limit"
    return "pause" if after.state == "paused" else "resume"


def _details(before: Job | None, after: Job) -> dict[str, object]:
    """The job, its limits (0: none), and what those that change were before."""
    was, is_now = _limits(before), _limits(after)
    changed = {f"{name}_before": limit for name, limit in was.items() if limit != is_now[name]}
    is_same_run = before is not None and _run(before) == _run(after)
    return {"job": after.kind, "run": _run(after), **is_now, **(changed if is_same_run else {})}


def _limits(job: Job | None) -> dict[str, float]:
    charter = charter_of(job)
    return {shown: getattr(charter, name) if charter else 0.0 for shown, name in _LIMITS.items()}


def _run(job: Job) -> str:
    charter = charter_of(job)
    return charter.run if charter else ""
