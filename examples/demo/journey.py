"""The operator's part: every collection from MONGO_ONLY to DYNAMO_PRIMARY, back, and there again.

Each move waits until the gate is open, as an operator would: dry runs show the checks; none is overridden.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crossfade import AsyncMigrationClient, GateClosed, JobKind, Stage
from crossfade.v1 import migration_pb2 as pb

Tell = Callable[[str], None]

GATE_PATIENCE = 90.0  # seconds
_GATE_PAUSE = 0.5
_DIVERGED = "no_open_divergences"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Flip:
    """One change of the primary; times in seconds of this machine's monotonic clock."""

    collection: str
    target: Stage
    began: float
    ended: float
    hold_ms: float
    steps: str


class JourneyFailed(Exception):
    """The migration could not go on; the message says where and why."""


@dataclass(slots=True)
class Journey:
    """Drives all collections; `dwell` is how many seconds each stage is lived in under traffic."""

    operator: AsyncMigrationClient
    collections: Sequence[str]
    tell: Tell
    dwell: float
    flips: list[Flip] = field(default_factory=list)
    aborted: int = 0

    async def travel(self) -> None:
        """The whole journey. Raises JourneyFailed, and CrossfadeError where a proxy cannot be reached."""
        self.tell("MONGO_ONLY: the application runs on MongoDB alone, through the proxies")
        await asyncio.sleep(self.dwell)
        await self.move_all(Stage.MONGO_PRIMARY, "writes are mirrored to DynamoDB, reads shadowed")
        await self.run_all(JobKind.BACKFILL, "what was there before is copied")
        await self.run_all(JobKind.VERIFY, "both stores are compared completely")
        await self.move_all(Stage.DYNAMO_PRIMARY, "DynamoDB decides, MongoDB follows")
        await asyncio.sleep(self.dwell)
        await self.move_all(Stage.MONGO_PRIMARY, "the way back, as if something were wrong")
        await asyncio.sleep(self.dwell)
        await self.move_all(Stage.DYNAMO_PRIMARY, "and there again")
        await asyncio.sleep(self.dwell)

    async def run_all(self, kind: JobKind, why: str) -> None:
        """A job for every collection, one after the other. Raises JourneyFailed unless all end clean."""
        self.tell(f"{kind.name.lower()}: {why}")
        for collection in self.collections:
            await self._run(collection, kind)

    async def _run(self, collection: str, kind: JobKind) -> None:
        began = time.monotonic()
        job = await self.operator.wait_for_job(await self.operator.start_job(collection, kind))
        counts = ", ".join(f"{name.lower()} {count}" for name, count in sorted(job.counts.items()))
        if not job.clean:
            what = f"the {kind.name.lower()} of {collection}"
            raise JourneyFailed(f"{what} left something to mend: {counts} {job.message}")
        self.tell(f"  {collection}: {counts} in {time.monotonic() - began:.1f} s")

    async def move_all(self, target: Stage, why: str) -> None:
        """Move every collection, one after the other, each when its gate opens."""
        self.tell(f"{target.name}: {why}")
        for collection in self.collections:
            await self._move(collection, target, why)

    async def _move(self, collection: str, target: Stage, why: str) -> None:
        for _ in range(_TRIES):
            began, response = await self._pass_gate(collection, target, why)
            if response.collection.stage == target.value:
                self._note(collection, target, began, response)
                return
            self.aborted += 1
            self.tell(f"  {collection}: aborted, and safely where it was; once more")
        raise JourneyFailed(f"{collection} did not move to {target.name} in {_TRIES} tries")

    async def _pass_gate(
        self, collection: str, target: Stage, why: str
    ) -> tuple[float, pb.MoveStageResponse]:
        """When the gate opened, and what became of the move."""
        deadline, told = time.monotonic() + GATE_PATIENCE, set[str]()
        while True:
            look = await self.operator.move_stage(collection, target, dry_run=True)
            red, began = _red(look.checks), time.monotonic()
            if not red:
                try:
                    return began, await self.operator.move_stage(collection, target, reason=why)
                except GateClosed as closed:  # something has changed since we looked
                    red = _red(closed.checks)
            if began > deadline:
                raise JourneyFailed(f"{collection} could not move to {target.name}: {_said(red)}")
            for name in red.keys() - told:
                self.tell(f"  {collection} waits: {name}: {red[name]}")
            told |= red.keys()
            if _DIVERGED in red:  # as the runbook has it: what has healed meanwhile is closed by a verify
                await self._run(collection, JobKind.VERIFY)
            await asyncio.sleep(_GATE_PAUSE)

    def _note(self, collection: str, target: Stage, began: float, response: pb.MoveStageResponse) -> None:
        epoch = response.collection.epoch
        if not response.steps or not response.hold.ToNanoseconds():
            self.tell(f"  {collection}: epoch {epoch}, no pause")
            return
        steps = ", ".join(_timing(step) for step in response.steps)
        hold = response.hold.ToNanoseconds() / 1e6
        self.flips.append(Flip(collection, target, began, time.monotonic(), hold, steps))
        self.tell(f"  {collection}: epoch {epoch}, writes held {hold:.0f} ms ({steps})")


def _red(checks: Iterable[pb.Check]) -> dict[str, str]:
    """The failed checks with their evidence; none where all is well."""
    return {check.name: check.evidence for check in checks if check.result == pb.Check.FAILED}


def _said(red: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {evidence}" for name, evidence in red.items())


def _timing(step: pb.StepTiming) -> str:
    name = pb.Step.Name(step.step).removeprefix("STEP_").lower()
    return f"{name} {step.duration.ToNanoseconds() / 1e6:.0f}"
