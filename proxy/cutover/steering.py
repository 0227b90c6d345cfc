"""What operators may order of a collection's stage, whichever way they ask: by gRPC or in the console.

An order is checked before anything is begun: it fits the stage, the epoch that was looked at is still the
present one, and whoever overrides the gate says why. A closed gate always comes with its checks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from proxy.core.errors import BadRequest, Contended, Reason, Refused
from proxy.core.stage import Stage
from proxy.cutover.checks import GateCheck
from proxy.cutover.coordinator import Coordinator, MoveReport
from proxy.cutover.overview import CollectionStatus, Overview


class GateClosed(Refused):
    """Checks failed and were not overridden; `report` has all of them."""

    reason = Reason.GATE_CLOSED

    def __init__(self, message: str, report: MoveReport) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A change of stage that somebody wants. With an `epoch` it counts only while that is the present one;
    with `rehearse_for` seconds it goes back by itself."""

    collection: str
    target: Stage
    actor: str
    reason: str = ""
    dry_run: bool = False
    override: bool = False
    epoch: int | None = None
    rehearse_for: float = 0.0


class Steering:
    """Carries out orders by the coordinator. Every method raises NotFound for an unknown collection."""

    def __init__(self, overview: Overview, coordinator: Coordinator) -> None:
        self._overview = overview
        self._coordinator = coordinator

    async def move(self, order: Order) -> MoveReport | None:
        """Move, or with `dry_run` only say what stands in the way; None where it is there already.

        Raises GateClosed, Contended (another epoch, another change), Refused and BadRequest.
        """
        flag = (await self._overview.collection(order.collection)).flag
        if order.epoch is not None and order.epoch != flag.epoch:
            text = f"{order.collection} is at epoch {flag.epoch}, not {order.epoch}: look again"
            raise Contended(text, Reason.ETAG_MISMATCH, field="epoch")
        if order.override and not order.reason.strip():
            raise BadRequest("an override needs a reason", Reason.INVALID_ARGUMENT, field="reason")
        if flag.stage is order.target and flag.change is None and not order.rehearse_for:
            return None
        return await self._drive(order)

    async def roll_back(self, order: Order) -> MoveReport | None:
        """`move` to MONGO_PRIMARY, from DYNAMO_PRIMARY only."""
        stage = (await self._overview.collection(order.collection)).flag.stage
        if stage not in (Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY):
            text = f"{order.collection} is at {stage.value}: a rollback leads from DYNAMO_PRIMARY only"
            raise Refused(text, Reason.STAGE_NOT_ALLOWED)
        return await self.move(replace(order, target=Stage.MONGO_PRIMARY))

    async def rehearse(self, order: Order) -> MoveReport | None:
        """`move` to DYNAMO_PRIMARY for `rehearse_for` seconds."""
        if order.rehearse_for <= 0:
            raise BadRequest("a rehearsal needs a duration", Reason.INVALID_ARGUMENT, field="duration")
        return await self.move(replace(order, target=Stage.DYNAMO_PRIMARY))

    async def abort(self, collection: str, *, actor: str, reason: str) -> bool:
        """End a running change or a rehearsal; True where the stage stayed what it was."""
        if not reason.strip():
            raise BadRequest("an abort needs a reason", Reason.INVALID_ARGUMENT, field="reason")
        before = (await self._overview.collection(collection)).flag
        after = await self._coordinator.abort(collection, actor=actor, reason=reason)
        return after.stage is before.stage

    async def preview(self, status: CollectionStatus, target: Stage) -> tuple[GateCheck, ...]:
        """The gate's checks but the canary: cheap, and without any effect."""
        return await self._coordinator.preview(status.flag, target)

    async def _drive(self, order: Order) -> MoveReport:
        try:
            return await self._ask(order)
        except Refused as refusal:
            if refusal.reason is not Reason.GATE_CLOSED:
                raise
            report = await self._ask(replace(order, dry_run=True, override=False))
            raise GateClosed(refusal.message, report) from refusal

    async def _ask(self, order: Order) -> MoveReport:
        return await self._coordinator.move(
            order.collection,
            order.target,
            actor=order.actor,
            reason=order.reason,
            rehearse_for=order.rehearse_for,
            dry_run=order.dry_run,
            override=order.override,
        )
