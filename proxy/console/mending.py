"""Repairs one divergence on an operator's word: what the log has of it, what can be done, what came of it."""

from __future__ import annotations

from proxy.console.desk import Desk
from proxy.console.picture import Json, has_mirror, told
from proxy.core.divergence import Divergence
from proxy.core.errors import NotFound, Reason
from proxy.core.exchange import DivergenceQuery
from proxy.core.finding import key_named
from proxy.core.keys import Key
from proxy.cutover.checks import GateCheck
from proxy.cutover.overview import CollectionStatus


async def mend(
    desk: Desk, status: CollectionStatus, divergence: str, *, is_trial: bool, actor: str, reason: str
) -> Json:
    """Repair it, which is audited, or for trial only say whether that can be done. Raises NotFound where it
    is not logged."""
    row = await _row_of(desk, status.flag.collection, divergence)
    key = key_named(status.collection, row.key) if row.key else None
    checks = (has_mirror(status), _is_open(row), _names_a_document(row, key))
    if is_trial or key is None or not all(check.passed for check in checks):
        return told(checks)
    query = DivergenceQuery(status.flag.collection)
    report = await desk.mender.repair(query, [row.id], by_verify=False, actor=actor, reason=reason)
    done = ", ".join(sorted(report.results)) or "nothing to do"
    if report.closed:
        return told(checks, executed=True, message=f"{done}; both stores agree, and it is closed")
    return told(checks, message=f"{done}; the stores do not agree yet: repair again, or look at the key")


async def _row_of(desk: Desk, name: str, divergence: str) -> Divergence:
    """The row of the log that has this id."""
    row = (await desk.divergences.get([divergence])).get(divergence)
    if row is None or row.collection != name:
        raise NotFound(f"{name} has no divergence {divergence!r}", Reason.NOT_FOUND, field="divergence")
    return row


def _is_open(row: Divergence) -> GateCheck:
    return GateCheck("not_closed", row.state != "closed", f"it is {row.state}", overridable=False)


def _names_a_document(row: Divergence, key: Key | None) -> GateCheck:
    evidence = row.key if key else "its key is hidden or belongs to a query: a verify settles it"
    return GateCheck("names_a_document", key is not None, evidence, overridable=False)
