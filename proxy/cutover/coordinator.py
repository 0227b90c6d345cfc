"""Drives changes of stage to their end: any replica may, one does at a time, and a crash passes the job on.

The caller's connection has no part in it: once a change is recorded it is finished or aborted by whoever
lives.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Set
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from proxy.core.errors import Contended, CrossfadeError, Reason, Refused
from proxy.core.flag import Change, Flag
from proxy.core.ports import Control, DivergenceLog, Fence, Signals
from proxy.core.stage import Stage
from proxy.cutover.checks import GateCheck, check, gather_facts, pass_gate, verdict_of
from proxy.cutover.guard import FenceGuard
from proxy.cutover.machine import HOLD_LIMIT, Observation, Step, next_step
from proxy.cutover.rehearsal import end_early, is_due, is_told, length_in_ms, write_report
from proxy.cutover.trail import Trail
from proxy.faultpoint import faultpoint

_log = logging.getLogger("crossfade.cutover")

T = TypeVar("T")

POLL = 0.005
"""Seconds between two looks at the registry while waiting for replicas to hold."""

LOOK = 0.1
"""Seconds between two looks, in that time, whether somebody ended the change."""

Drain = Callable[[Flag], Awaitable[bool]]
"""Waits until the mirror has everything that the present primary took; False when that takes too long."""

MakeReady = Callable[[Flag], Awaitable[str]]
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
    """One coordinator's work on one change: what it has observed, and how long each step took (seconds).

    `began` is when the change was recorded, by this replica's monotonic clock.
    """

    change: Change
    before: Stage
    began: float
    seen: Observation = field(default_factory=Observation)
    looked_at: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)


class Coordinator:
    """Checks, begins, drives, resumes and aborts changes of stage for the collections of this proxy."""

    def __init__(
        self,
        control: Control,
        divergences: DivergenceLog,
        fences: Mapping[str, Fence],
        drain: Drain,
        make_ready: MakeReady,
        signals: Signals,
        *,
        replica_id: str,
        lease: float,
    ) -> None:
        self._control = control
        self._trail = Trail(control)
        self._divergences = divergences
        self._fences = fences
        self._drain = drain
        self._make_ready = make_ready
        self._guard = FenceGuard(control, fences, signals, replica_id, lease)
        self._signals = signals
        self._replica_id = replica_id
        self._lease = lease
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._steps: dict[str, Step] = {}

    async def move(
        self,
        collection: str,
        target: Stage,
        *,
        actor: str,
        reason: str,
        dry_run: bool,
        override: bool,
        rehearse_for: float = 0.0,
    ) -> MoveReport:
        """Move a collection to a neighbouring stage, or with `dry_run` only say what stands in the way.

        With `rehearse_for` seconds (only to DYNAMO_PRIMARY) it goes back by itself after that time. Raises
        Refused (GATE_CLOSED) naming the failed checks, unless `override` is given with a reason.
        """
        rehearse_ms = length_in_ms(rehearse_for, self._lease) if rehearse_for else 0
        flag = await self._control.flag(collection)
        canary = await self._make_ready(flag) if flag.stage.changes_primary_to(target) else None
        facts = await gather_facts(self._control, self._divergences, flag, target, self._lease, canary)
        checks = check(facts)
        if dry_run:
            return MoveReport(flag, checks, executed=False, message=verdict_of(checks))
        change = self._change(target, actor, reason, facts.now, rehearse_ms)
        flag.begin(change)  # refuses what no override may allow
        pass_gate(checks, override, reason)
        change = replace(change, is_overridden=not all(check.passed for check in checks))
        await self._trail.began(flag, change, checks)  # first: nothing is changed without a record
        try:
            task = await self._begin(flag, change)
        except Contended:
            await self._trail.refused(flag, change)
            raise
        return replace(await asyncio.shield(task), checks=checks)

    async def preview(self, flag: Flag, target: Stage) -> tuple[GateCheck, ...]:
        """The checks of a move without the canary, which costs the stores two writes."""
        facts = await gather_facts(self._control, self._divergences, flag, target, self._lease, None)
        return check(facts)

    async def abort(self, collection: str, *, actor: str, reason: str) -> Flag:
        """End a running change by publishing the old stage anew, or have a rehearsal go back now.

        What came first counts: the flag says whether the change was published already. Raises Refused when
        neither is under way.
        """
        flag = await self._control.flag(collection)
        change = flag.change
        if change is None and not flag.is_rehearsed:
            raise Refused(f"no change of {collection} is under way", Reason.STAGE_NOT_ALLOWED)
        after = flag.stage if change else Stage.MONGO_PRIMARY
        await self._trail.note("abort", collection, flag.stage, after, actor, reason)
        while _is_under_way(flag, change):
            now = await self._control.now()
            new = flag.publish(flag.stage, now) if change else end_early(flag, now)
            if swapped := await self._control.swap(flag, new):
                return swapped
            flag = await self._control.flag(collection)
        return flag

    async def look_after(self) -> None:
        """Called with every heartbeat: take over what nobody drives, end due rehearsals, mind the fences.

        These are not looked at while writes wait for a change, so that its own steps need not queue behind.
        """
        now, flags = await self._control.now(), await self._control.flags()
        alive = await self._living() if any(flag.change for flag in flags) else frozenset()
        is_waited_for = any(flag.holds_writes for flag in flags)
        for flag in flags:
            if flag.collection in self._tasks.values():
                continue
            if not is_waited_for:
                self._guard.look(flag)
            if flag.change is not None and _is_orphaned(flag.change, now, alive):
                await self._resume(flag, flag.change, now)
            elif is_due(flag, now, self._lease):
                self._spawn(flag.collection, self._bring_back(flag))
            elif flag.change is None and flag.rehearsal and flag.rehearsal.is_over:
                self._spawn(flag.collection, self._report(flag, now))

    async def _living(self) -> frozenset[str]:
        return frozenset(one.id for one in await self._control.replicas() if one.is_alive)

    def step_of(self, flag: Flag) -> Step:
        """The step that a running change is at, as far as this replica knows; the first where it does not."""
        return self._steps.get(flag.collection, Step.AWAIT_HOLD if flag.holds_writes else Step.PUBLISH)

    async def stop(self) -> None:
        """Leave running changes to the other replicas."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._guard.stop(), return_exceptions=True)

    @property
    def _coordination_ms(self) -> int:
        return int((HOLD_LIMIT + self._lease) * 1000)

    async def _resume(self, flag: Flag, change: Change, now: int) -> None:
        taken = replace(change, coordinator=self._replica_id, coordinator_until=now + self._coordination_ms)
        if mine := await self._control.swap(flag, replace(flag, change=taken)):
            _log.warning("resuming the change of %s after %s", flag.collection, change.coordinator)
            began = _seconds() - (now - change.started_at) / 1000
            self._spawn(flag.collection, self._run(mine, _Drive(taken, flag.stage, began)))

    async def _bring_back(self, flag: Flag) -> None:
        """End a rehearsal that is due, unless another replica is at it or the way back is not open: a later
        heartbeat tries again then."""
        name, rehearsal = flag.collection, flag.rehearsal
        assert rehearsal is not None
        if not await self._control.acquire_lease(f"rehearsal/{name}", self._replica_id, self._lease):
            return
        if complaint := await self._make_ready(flag):
            _log.warning("the rehearsal of %s cannot go back yet: %s", name, complaint)
            return
        now, began = await self._control.now(), _seconds()
        reason = f"end of the rehearsal: {rehearsal.reason}"
        change = self._change(Stage.MONGO_PRIMARY, rehearsal.actor, reason, now)
        await self._run(await self._record(flag, change), _Drive(change, flag.stage, began))

    async def _report(self, flag: Flag, now: int) -> None:
        """Write what came of a rehearsal once every replica told what it compared, and forget it."""
        rehearsal = flag.rehearsal
        assert rehearsal is not None
        is_late = now > rehearsal.returned_at + self._lease * 1000
        if not is_late and not is_told(flag, await self._control.replicas()):
            return
        report = await write_report(self._control, self._divergences, flag)
        if await self._control.swap(flag, replace(flag, rehearsal=None)):
            actor, reason, stage = rehearsal.actor, rehearsal.reason, flag.stage
            await self._trail.note("rehearsed", flag.collection, stage, stage, actor, reason, asdict(report))

    def _change(self, target: Stage, actor: str, reason: str, now: int, rehearse_ms: int = 0) -> Change:
        return Change(
            id=uuid.uuid4().hex,
            target=target,
            actor=actor,
            reason=reason,
            started_at=now,
            coordinator=self._replica_id,
            coordinator_until=now + self._coordination_ms,
            rehearse_ms=rehearse_ms,
        )

    async def _begin(self, flag: Flag, change: Change) -> asyncio.Task[MoveReport]:
        """Record a change as of now, and begin to drive it: writes are held from here on."""
        now, began = await self._control.now(), _seconds()
        until = now + self._coordination_ms
        begun = await self._record(flag, replace(change, started_at=now, coordinator_until=until))
        return self._spawn(flag.collection, self._run(begun, _Drive(change, flag.stage, began)))

    async def _record(self, flag: Flag, change: Change) -> Flag:
        begun = await self._control.swap(flag, flag.begin(change))
        if begun is None:
            raise Contended(f"{flag.collection} was changed by somebody else just now")
        return begun

    def _spawn(self, collection: str, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Work on a collection's flag in the background."""
        task = asyncio.create_task(work, name=f"cutover.{collection}")

        def end(_: object) -> None:
            self._tasks.pop(task, None)
            self._steps.pop(collection, None)
            if not task.cancelled() and (error := task.exception()):
                _log.warning("work on the flag of %s ended: %s", collection, error)

        self._tasks[task] = collection
        task.add_done_callback(end)
        return task

    async def _run(self, flag: Flag, drive: _Drive) -> MoveReport:
        """Drive a change to its end."""
        while flag.change is not None and flag.change.id == drive.change.id:
            flag = await self._advance(flag, drive)
        held = (_seconds() - drive.began) if Step.AWAIT_HOLD.value in drive.steps else 0.0
        steps = {name: round(seconds * 1000, 3) for name, seconds in drive.steps.items()}
        executed = flag.stage is drive.change.target
        message = f"{flag.stage.value} is published at epoch {flag.epoch}" + ("" if executed else ": aborted")
        report = MoveReport(flag, (), executed, round(held * 1000, 3), steps, message)
        self._measure(flag.collection, drive, held, "published" if executed else "aborted")
        if held:
            await self._note_end(drive, report)
        await self._guard.settle(flag)
        return report

    def _measure(self, name: str, drive: _Drive, held: float, outcome: str) -> None:
        target = drive.change.target.value
        self._signals.count("crossfade.cutover.moves", collection=name, stage=target, outcome=outcome)
        for step, seconds in drive.steps.items():
            self._signals.time("crossfade.cutover.step", seconds, collection=name, step=step)
        if held:
            self._signals.time("crossfade.cutover.hold", held, collection=name)

    async def _advance(self, flag: Flag, drive: _Drive) -> Flag:
        """Take one step and say what the flag is afterwards."""
        assert flag.change is not None
        drive.seen = replace(drive.seen, elapsed=_seconds() - drive.began)
        self._steps[flag.collection] = step = next_step(flag, drive.seen)
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
                return flag if drive.seen.is_held else await self._wait_for_replicas(flag, drive)
            case Step.RAISE_FENCE:
                await self._fences[flag.collection].raise_to(flag.epoch + 1)
                drive.seen = replace(drive.seen, fence=flag.epoch + 1)
            case Step.DRAIN:
                drive.seen = replace(drive.seen, is_drained=await self._drain(flag))
            case Step.PUBLISH:
                if not await self._is_fenced(flag, flag.change):
                    drive.seen = replace(drive.seen, fence=0, is_drained=False)
                    return flag
                return await self._publish(flag, flag.change, flag.change.target, drive)
            case Step.ABORT:
                return await self._publish(flag, flag.change, flag.stage, drive)
        return flag

    async def _is_fenced(self, flag: Flag, change: Change) -> bool:
        """Look once more: collMod knows no condition, so a coordinator that was away for long, or an operator
        with a validator of their own, may have lowered the fence meanwhile."""
        if not flag.stage.changes_primary_to(change.target):
            return True
        return await self._fences[flag.collection].current() > flag.epoch

    async def _publish(self, flag: Flag, change: Change, stage: Stage, drive: _Drive) -> Flag:
        """Now, by the control store's clock: it told when the change began."""
        now = change.started_at + int(drive.seen.elapsed * 1000)
        published = await self._control.swap(flag, flag.publish(stage, now))
        return published or await self._control.flag(flag.collection)

    async def _is_held(self, flag: Flag, change: Change) -> bool:
        """True when every replica has acknowledged the hold or lost its lease."""
        replicas = await self._control.replicas()
        return all(one.held.get(flag.collection) == change.id for one in replicas if one.is_alive)

    async def _wait_for_replicas(self, flag: Flag, drive: _Drive) -> Flag:
        """A moment; the flag itself, which costs a majority to read, is looked at again from time to time."""
        await asyncio.sleep(POLL)
        if _seconds() - max(drive.looked_at, drive.began) < LOOK:
            return flag
        drive.looked_at = _seconds()
        return await self._control.flag(flag.collection)

    async def _look_again(self, flag: Flag) -> Flag:
        await asyncio.sleep(POLL)
        return await self._control.flag(flag.collection)

    async def _note_end(self, drive: _Drive, report: MoveReport) -> None:
        """Put into the audit what became of a change that held writes; it does not wait for that."""
        flag = report.flag
        details = {"epoch": flag.epoch, "hold_ms": report.hold_ms, "steps_ms": dict(report.steps_ms)}
        try:
            await self._trail.ended(flag, drive.before, drive.change, details)
        except CrossfadeError as error:
            _log.warning("the end of the change of %s is not in the audit: %s", flag.collection, error)


def _is_orphaned(change: Change, now: int, alive: Set[str]) -> bool:
    """Whether its coordinator is dead, or has not come to an end in its time."""
    return change.coordinator not in alive or now > change.coordinator_until


def _is_under_way(flag: Flag, change: Change | None) -> bool:
    """True while this change is running, or for None while a rehearsal waits for its end."""
    if change is None or flag.change is None:
        return change is flag.change and flag.is_rehearsed
    return flag.change.id == change.id


def _seconds() -> float:
    return asyncio.get_running_loop().time()
