"""Some replicas and coordinators on one control store in memory, for tests of cutovers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from proxy.core.flag import Flag, Job
from proxy.core.silence import SilentSignals
from proxy.core.stage import Stage
from proxy.cutover.coordinator import Coordinator, MoveReport
from proxy.cutover.replica import CollectionDoor, Membership
from proxy.stores.memory.control import MemoryControl, MemoryDivergences

LEASE = 0.6


class RecordingFence:
    def __init__(self) -> None:
        self.height = 0
        self.raised: list[int] = []

    async def raise_to(self, epoch: int) -> None:
        self.raised.append(epoch)
        self.height = max(self.height, epoch)

    async def current(self) -> int:
        return self.height

    async def lift(self) -> None:
        self.height = 0


class Town:
    """Some replicas, one control store, one collection named `jobs`."""

    def __init__(self, stage: Stage) -> None:
        self.control = MemoryControl(lambda: time.time_ns() // 1_000_000)
        self.fence = RecordingFence()
        self.divergences = MemoryDivergences()
        self.members: list[Membership] = []
        self.coordinators: list[Coordinator] = []
        self.outcomes: Counter[str] = Counter()
        self.flag = Flag("jobs", 3, stage, 0, mirrored_since=2)

    async def join(self, name: str, *, tended: bool = False) -> CollectionDoor:
        """A replica; a tended one looks after running changes and rehearsals with every heartbeat."""
        tend = self.coordinator(name).look_after if tended else None
        member = Membership(self.control, name, f"{name}:1", LEASE, tend, lambda _: self.outcomes)
        member.admit([await self.control.create(self.flag)])
        await member.start()
        self.members.append(member)
        return member.doors["jobs"]

    def coordinator(self, name: str = "r0") -> Coordinator:
        async def drained(_: Flag) -> bool:
            return True

        async def returned(_: Flag) -> str:
            return ""

        coordinator = Coordinator(
            self.control,
            self.divergences,
            {"jobs": self.fence},
            drained,
            returned,
            SilentSignals(),
            replica_id=name,
            lease=LEASE,
        )
        self.coordinators.append(coordinator)
        return coordinator

    async def crash(self, number: int) -> None:
        """A replica is gone without a farewell, with whatever it was driving."""
        for task in self.members[number]._tasks:
            task.cancel()
        await self.coordinators[number].stop()

    async def make_evidence(self) -> None:
        now = await self.control.now()
        for kind, state in (("backfill", "finished"), ("verify", "finished"), ("feed", "running")):
            await self.control.save_job(Job("jobs", kind, state, 3, now, now, {"MATCH": 5}))


@asynccontextmanager
async def town(
    stage: Stage, replicas: int = 2, *, tended: bool = False
) -> AsyncIterator[tuple[Town, list[CollectionDoor]]]:
    place = Town(stage)
    doors = [await place.join(f"r{number}", tended=tended) for number in range(replicas)]
    await place.make_evidence()
    try:
        yield place, doors
    finally:
        for member in place.members:
            await member.stop()
        for coordinator in place.coordinators:
            await coordinator.stop()


async def move(place: Town, target: Stage, **options: Any) -> MoveReport:
    wanted: dict[str, Any] = {"dry_run": False, "override": False, **options}
    return await place.coordinator().move("jobs", target, actor="ann", reason="test", **wanted)
