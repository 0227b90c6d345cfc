"""What an operator may order in the console: each with a dry run, and for real only with a reason, a name and
the collection's name typed once more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson

from proxy.console.desk import Desk
from proxy.console.mending import mend
from proxy.console.picture import Json, has_mirror, show_report, told
from proxy.core.errors import BadRequest, NotFound, Reason
from proxy.core.stage import Stage
from proxy.cutover.checks import GateCheck
from proxy.cutover.coordinator import MoveReport
from proxy.cutover.overview import CollectionStatus
from proxy.cutover.steering import GateClosed, Order
from proxy.reconcile.charter import JobOrder

MAX_TEXT = 500
"""Characters of a name or a reason that are kept."""

MOVES = {
    "mirror": Stage.MONGO_PRIMARY,
    "unmirror": Stage.MONGO_ONLY,
    "cutover": Stage.DYNAMO_PRIMARY,
    "rehearse": Stage.DYNAMO_PRIMARY,
    "rollback": Stage.MONGO_PRIMARY,
    "finish": Stage.DYNAMO_ONLY,
}
"""Orders that move a stage, and where to."""

_KINDS: dict[str, Any] = {
    "actor": str,
    "reason": str,
    "confirmation": str,
    "dry_run": bool,
    "override": bool,
    "epoch": int | None,
    "seconds": int | float,
    "divergence": str,
}

STARTS = {"start-backfill": "backfill", "start-verify": "verify"}
STOPS = {"stop-backfill": "backfill", "stop-verify": "verify"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the page sent: who wants it, why, and how."""

    actor: str = ""
    reason: str = ""
    confirmation: str = ""
    dry_run: bool = True
    override: bool = False
    epoch: int | None = None
    seconds: float = 0.0
    divergence: str = ""


def read_wish(body: bytes) -> Wish:
    """The wish of a request's body. Raises BadRequest for anything unknown or of another type."""
    try:
        data: Any = orjson.loads(body)
        wish = Wish(**data)
    except (ValueError, TypeError) as error:
        raise BadRequest("the body must be an object of the wish's fields", field="body") from error
    for name, kind in _KINDS.items():
        if not isinstance(getattr(wish, name), kind):
            raise BadRequest(f"{name} has the wrong type", field=name)
    return replace(wish, actor=_one_line(wish.actor), reason=_one_line(wish.reason))


def check_wish(wish: Wish, name: str) -> None:
    """Raises BadRequest where an order is for real, and not all that it needs is there."""
    if wish.dry_run:
        return
    if not wish.actor:
        raise BadRequest("say who you are", field="actor")
    if not wish.reason:
        raise BadRequest("say why", field="reason")
    if wish.confirmation != name:
        raise BadRequest(f"type {name} to confirm", field="confirmation")


async def carry_out(desk: Desk, name: str, verb: str, wish: Wish, actor: str) -> Json:
    """What became of an order, or with `dry_run` what would. Raises the errors of the rooms that do it."""
    check_wish(wish, name)
    if verb in MOVES:
        return await _move(desk, name, verb, wish, actor)
    status = await desk.overview.collection(name)
    if verb == "abort":
        return await _abort(desk, status, wish, actor)
    if verb in STARTS:
        return await _start(desk, status, STARTS[verb], wish, actor)
    if verb in STOPS:
        return await _stop(desk, status, STOPS[verb], wish, actor)
    if verb == "repair":
        return await mend(
            desk, status, wish.divergence, is_trial=wish.dry_run, actor=actor, reason=wish.reason
        )
    raise NotFound(f"there is no order named {verb!r}", Reason.NOT_FOUND, field="verb")


async def _move(desk: Desk, name: str, verb: str, wish: Wish, actor: str) -> Json:
    order = Order(
        collection=name,
        target=MOVES[verb],
        actor=actor,
        reason=wish.reason,
        dry_run=wish.dry_run,
        override=wish.override,
        epoch=wish.epoch,
        rehearse_for=wish.seconds if verb == "rehearse" else 0.0,
    )
    steer = {"rehearse": desk.steering.rehearse, "rollback": desk.steering.roll_back}
    try:
        report = await steer.get(verb, desk.steering.move)(order)
    except GateClosed as closed:
        return show_report(closed.report) | {"isClosed": True}
    return show_report(report) if report else await _no_move(desk, order)


async def _no_move(desk: Desk, order: Order) -> Json:
    """Somebody else was quicker: it is there already."""
    flag = (await desk.overview.collection(order.collection)).flag
    return show_report(MoveReport(flag, (), executed=False, message=f"{flag.stage.value} already"))


async def _abort(desk: Desk, status: CollectionStatus, wish: Wish, actor: str) -> Json:
    flag = status.flag
    under_way = flag.change is not None or flag.is_rehearsed
    what = f"moving to {flag.change.target.value}" if flag.change else "a rehearsal"
    check = GateCheck("under_way", under_way, what if under_way else "nothing to abort", overridable=False)
    if wish.dry_run or not under_way:
        return told((check,))
    aborted = await desk.steering.abort(flag.collection, actor=actor, reason=wish.reason)
    ended = "it was published before it could be aborted"
    if aborted:
        ended = "aborted: the stage stays what it was" if flag.change else "the rehearsal goes back now"
    return told((check,), executed=aborted, message=ended)


async def _start(desk: Desk, status: CollectionStatus, kind: str, wish: Wish, actor: str) -> Json:
    checks = (has_mirror(status), _is_not_running(status, kind))
    if wish.dry_run or not checks[0].passed:
        return told(checks)
    order = JobOrder(actor=actor, reason=wish.reason)
    job = await desk.workshop.start_job(status.flag.collection, kind, order)
    return told(checks, executed=True, message=f"the {kind} is {job.state}")


async def _stop(desk: Desk, status: CollectionStatus, kind: str, wish: Wish, actor: str) -> Json:
    is_running, evidence = _running(status, kind)
    checks = (GateCheck("running", is_running, evidence, overridable=False),)
    if wish.dry_run or not is_running:
        return told(checks)
    order = JobOrder(actor=actor, reason=wish.reason)
    await desk.workshop.pause_job(status.flag.collection, kind, order)
    return told(checks, executed=True, message=f"the {kind} stops at its next checkpoint")


def _is_not_running(status: CollectionStatus, kind: str) -> GateCheck:
    is_running, evidence = _running(status, kind)
    return GateCheck("not_running", not is_running, evidence, overridable=False)


def _running(status: CollectionStatus, kind: str) -> tuple[bool, str]:
    job = status.jobs.get(kind)
    is_running = job is not None and job.state == "running"
    return is_running, f"the {kind} is {job.state}" if job else f"no {kind} has run"


def _one_line(text: str) -> str:
    """Printable, trimmed and bounded."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:MAX_TEXT].strip()
