"""Drives changes of stage to their end: any replica may, one does at a time, and a crash passes the job on.

The caller's connection has no part in it: once a change is recorded it is finished or aborted by whoever
lives.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from proxy.core.errors import Contended, CrossfadeError, Outcome, Reason, Refused, Unavailable
from proxy.core.flag import AuditEntry, Change, Flag
from proxy.core.ports import Control, DivergenceLog, Fence, Signals
from proxy.core.stage import Stage
from proxy.cutover.checks import GateCheck, check, gather_facts
from proxy.cutover.machine import HOLD_LIMIT, Observation, Step, fence_after, next_step
from proxy.faultpoint import faultpoint

_log = logging.getLogger("crossfade.cutover")

POLL = 0.005
"""Seconds between two looks at the registry while waiting for replicas to hold."""

FENCE_ATTEMPTS = 10
FENCE_PAUSE = 0.5
"""How often, and after how many seconds each, the fence is set anew after a publication."""

Drain = Callable[[Flag], Awaitable[bool]]
"""Waits until the mirror has everything that the present primary took; False when that takes too long."""

Rehearse = Callable[[Flag], Awaitable[str]]
"""Sends a canary there and back, and has what drains stand ready; what went wrong, or an empty string."""


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What a move did, or would do. `steps_ms` has the milliseconds of each step, in order."""

    flag: Flag
    checks: tuple[GateCheck, ...]
    executed: bool
    hold_ms: float = 0.0
    steps_ms: Mapping[str, float] = field(default_factory=dict)
    message: str = ""


@dataclass(slots=True)
class _Drive:
    """One coordinator's work on one change: what it has observed, and how long each step took (seconds)."""

    change_id: str
    seen: Observation = field(default_factory=Observation)
    steps: dict[str, float] = field(default_factory=dict)


class Coordinator:
    """Checks, begins, drives, resumes and aborts changes of stage for the collections of this proxy."""

    def __init__(
        self,
        control: Control,
        divergences: DivergenceLog,
        fences: Mapping[str, Fence],
        drain: Drain,
        rehearse: Rehearse,
        signals: Signals,
        *,
        replica_id: str,
        lease: float,
    ) -> None:
        self._control = control
        self._divergences = divergences
        self._fences = fences
        self._drain = drain
        self._rehearse = rehearse
        self._signals = signals
        self._replica_id = replica_id
        self._lease = lease
        self._tasks: dict[str, asyncio.Task[MoveReport]] = {}

    async def move(
        self, collection: str, target: Stage, *, actor: str, reason: str, dry_run: bool, override: bool
    ) -> MoveReport:
        """Move a collection to a neighbouring stage, or with `dry_run` only say what stands in the way.

        Raises Refused (GATE_CLOSED) naming the failed checks, unless `override` is given with a reason.
        """
        flag = await self._control.flag(collection)
        canary = await self._rehearse(flag) if flag.stage.changes_primary_to(target) else None
        facts = await gather_facts(self._control, self._divergences, flag, target, self._lease, canary)
        checks = check(facts)
        if dry_run:
            return MoveReport(flag, checks, executed=False, message=_summary(checks))
        flag.begin(self._change(target, actor, reason, facts.now))  # refuses what no override may allow
        failed = [one.name for one in checks if not one.passed]
        _require(failed, override, reason)
        begun = await self._begin(flag, self._change(target, actor, reason, facts.now))
        await self._audit("override" if failed else "move", flag, target.value, actor, reason, checks)
        report = await asyncio.shield(self._start(begun))
        return replace(report, checks=checks)

    async def abort(self, collection: str, *, actor: str, reason: str) -> Flag:
        """End a running change by publishing the old stage anew. Raises Refused when none is running."""
        flag = await self._control.flag(collection)
        if flag.change is None:
            raise Refused(f"no change of {collection} is under way", Reason.STAGE_NOT_ALLOWED)
        await self._audit("abort", flag, flag.stage.value, actor, reason, ())
        published = await self._control.swap(flag, flag.publish(flag.stage, await self._control.now()))
        return published or await self._control.flag(collection)

    async def resume_orphans(self) -> None:
        """Take over the changes whose coordinator has not been heard of; called with every heartbeat."""
        now = await self._control.now()
        for flag in await self._control.flags():
            change = flag.change
            if change is None or flag.collection in self._tasks or now <= change.coordinator_until:
                continue
            taken = replace(
                change, coordinator=self._replica_id, coordinator_until=now + self._coordination_ms
            )
            if mine := await self._control.swap(flag, replace(flag, change=taken)):
                _log.warning("resuming the change of %s after %s", flag.collection, change.coordinator)
                self._start(mine)

    async def stop(self) -> None:
        """Leave running changes to the other replicas."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _coordination_ms(self) -> int:
        return int((HOLD_LIMIT + self._lease) * 1000)

    def _change(self, target: Stage, actor: str, reason: str, now: int) -> Change:
        return Change(
            id=uuid.uuid4().hex,
            target=target,
            actor=actor,
            reason=reason,
            started_at=now,
            coordinator=self._replica_id,
            coordinator_until=now + self._coordination_ms,
        )

    async def _begin(self, flag: Flag, change: Change) -> Flag:
        begun = await self._control.swap(flag, flag.begin(change))
        if begun is None:
            raise Contended(f"{flag.collection} was changed by somebody else just now")
        return begun

    def _start(self, flag: Flag) -> asyncio.Task[MoveReport]:
        task = asyncio.create_task(self._run(flag), name=f"cutover.{flag.collection}")
        self._tasks[flag.collection] = task
        task.add_done_callback(lambda _: self._tasks.pop(flag.collection, None))
        return task

    async def _run(self, flag: Flag) -> MoveReport:
        assert flag.change is not None
        target = flag.change.target
        drive = _Drive(flag.change.id)
        began = _seconds()
        while flag.change is not None and flag.change.id == drive.change_id:
            flag = await self._advance(flag, drive)
        held = (_seconds() - began) if Step.AWAIT_HOLD.value in drive.steps else 0.0
        self._signals.time("crossfade.cutover.hold", held, collection=flag.collection)
        await self._settle_fence(flag)
        steps = {name: round(seconds * 1000, 3) for name, seconds in drive.steps.items()}
        executed = flag.stage is target
        message = f"{flag.stage.value} is published at epoch {flag.epoch}" + ("" if executed else ": aborted")
        return MoveReport(flag, (), executed, round(held * 1000, 3), steps, message)

    async def _advance(self, flag: Flag, drive: _Drive) -> Flag:
        """Take one step and say what the flag is afterwards."""
        assert flag.change is not None
        now = await self._control.now()
        drive.seen = replace(drive.seen, elapsed=(now - flag.change.started_at) / 1000)
        step = next_step(flag, drive.seen)
        await faultpoint(f"cutover.{step.value}")
        began = _seconds()
        try:
            flag = await self._perform(step, flag, drive)
        except CrossfadeError as error:
            _log.warning("%s of %s failed, trying again: %s", step.value, flag.collection, error)
            flag = await self._look_again(flag)
        drive.steps[step.value] = drive.steps.get(step.value, 0.0) + _seconds() - began
        return flag

    async def _perform(self, step: Step, flag: Flag, drive: _Drive) -> Flag:
        assert flag.change is not None
        match step:
            case Step.AWAIT_HOLD:
                drive.seen = replace(drive.seen, is_held=await self._is_held(flag, flag.change))
                return flag if drive.seen.is_held else await self._look_again(flag)
            case Step.RAISE_FENCE:
                await self._fences[flag.collection].raise_to(flag.epoch + 1)
                drive.seen = replace(drive.seen, fence=flag.epoch + 1)
            case Step.DRAIN:
                drive.seen = replace(drive.seen, is_drained=await self._drain(flag))
            case Step.PUBLISH:
                return await self._publish(flag, flag.change.target)
            case Step.ABORT:
                return await self._publish(flag, flag.stage)
        return flag

    async def _publish(self, flag: Flag, stage: Stage) -> Flag:
        now = await self._control.now()
        published = await self._control.swap(flag, flag.publish(stage, now))
        return published or await self._control.flag(flag.collection)

    async def _is_held(self, flag: Flag, change: Change) -> bool:
        """True when every replica has acknowledged the hold or lost its lease."""
        replicas = await self._control.replicas()
        return all(one.held.get(flag.collection) == change.id for one in replicas if one.is_alive)

    async def _look_again(self, flag: Flag) -> Flag:
        await asyncio.sleep(POLL)
        return await self._control.flag(flag.collection)

    async def _settle_fence(self, flag: Flag) -> None:
        height = fence_after(flag)
        if height is None:
            return None
        fence = self._fences[flag.collection]
        for _ in range(FENCE_ATTEMPTS):
            try:
                return await (fence.raise_to(height) if height else fence.lift())
            except CrossfadeError as error:
                _log.warning("the fence of %s is not settled yet: %s", flag.collection, error)
                await asyncio.sleep(FENCE_PAUSE)
        raise Unavailable(
            f"{flag.stage.value} is published, but MongoDB's fence could not be set", outcome=Outcome.APPLIED
        )

    async def _audit(
        self,
        action: str,
        flag: Flag,
        after: str,
        actor: str,
        reason: str,
        checks: tuple[GateCheck, ...],
    ) -> None:
        failed = {one.name: one.evidence for one in checks if not one.passed}
        now = await self._control.now()
        await self._control.record_audit(
            AuditEntry(now, actor, action, flag.collection, reason, flag.stage.value, after, failed)
        )


def _require(failed: list[str], override: bool, reason: str) -> None:
    if not failed:
        return
    if not override:
        raise Refused(f"not safe to move: {', '.join(failed)}", Reason.GATE_CLOSED)
    if not reason.strip():
        raise Refused("an override needs a reason", Reason.GATE_CLOSED, field="reason")


def _summary(checks: tuple[GateCheck, ...]) -> str:
    failed = [one.name for one in checks if not one.passed]
    return f"not safe to move: {', '.join(failed)}" if failed else "safe to move"


def _seconds() -> float:
    return asyncio.get_running_loop().time()
