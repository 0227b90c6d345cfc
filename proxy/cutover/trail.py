"""The audit trail of changes of stage: who asked for what and why, and what became of it.

Two entries for a change that holds writes: "move" or "override" before it begins, "published" or "aborted"
when it has ended; one for the others. Besides: "refused" (it met another change, and did not begin), "abort"
(by an operator) and "rehearsed" (the end of a rehearsal).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxy.core.flag import AuditEntry, Change, Flag
from proxy.core.ports import Control
from proxy.core.stage import Stage
from proxy.cutover.checks import GateCheck


class Trail:
    """Writes entries about changes of flags."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def began(self, flag: Flag, change: Change, checks: Sequence[GateCheck]) -> None:
        """Somebody begins a change; failed checks mean that they were overridden."""
        details: dict[str, object] = {one.name: one.evidence for one in checks if not one.passed}
        action = "override" if details else "move"
        if change.rehearse_ms:
            details["rehearse_ms"] = change.rehearse_ms
        actor, reason = change.actor, change.reason
        await self.note(action, flag.collection, flag.stage, change.target, actor, reason, details)

    async def refused(self, flag: Flag, change: Change) -> None:
        """A change that was noted did not begin."""
        stage = flag.stage
        await self.note("refused", flag.collection, stage, stage, change.actor, change.reason)

    async def ended(self, flag: Flag, before: Stage, change: Change, details: Mapping[str, object]) -> None:
        """A change has left the flag as it is now."""
        action = "published" if flag.stage is change.target else "aborted"
        await self.note(action, flag.collection, before, flag.stage, change.actor, change.reason, details)

    async def note(
        self,
        action: str,
        collection: str,
        before: Stage,
        after: Stage,
        actor: str,
        reason: str,
        details: Mapping[str, object] | None = None,
    ) -> None:
        now = await self._control.now()
        entry = AuditEntry(now, actor, action, collection, reason, before.value, after.value, details or {})
        await self._control.record_audit(entry)
