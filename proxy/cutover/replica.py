"""This replica's part in every change of stage: it learns flags, holds, acknowledges, and keeps its lease.

What it promises: a write is let in only under the newest flag it knows and never during a hold; a write that
DynamoDB decides only while the lease says that no change can have passed this replica by, and what was read
is answered only if the lease and the flag said so from before the reading until after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from proxy.core.errors import CrossfadeError, Outcome, Reason, Unavailable
from proxy.core.flag import Flag, Replica
from proxy.core.ports import Control
from proxy.core.stage import Published, Stage
from proxy.cutover.machine import HOLD_LIMIT
from proxy.cutover.rehearsal import Tally

_log = logging.getLogger("crossfade.replica")


HOLDING_PAUSE = 0.2
"""Seconds between two heartbeats, and looks at all flags, during a hold."""


def _ignore() -> None:
    """Nobody is to be told."""


class CollectionDoor:
    """One collection's door on this replica (see `core.ports.Door`). `on_change` is called after every newer
    flag."""

    def __init__(self, flag: Flag, membership: Membership) -> None:
        self.flag = flag
        self.on_change: Callable[[], None] = _ignore
        self._membership = membership
        self._in_flight = 0
        self._changed = asyncio.Event()

    @property
    def published(self) -> Published:
        return self.flag.published

    @property
    def mirrored_since(self) -> int:
        return self.flag.mirrored_since

    @property
    def is_holding(self) -> bool:
        return self.flag.holds_writes

    @property
    def held_change(self) -> str | None:
        """The change whose hold is complete here: no write is in flight and none starts."""
        if self.flag.change is None or not self.flag.holds_writes or self._in_flight:
            return None
        return self.flag.change.id

    async def enter_write(self) -> Published:
        if self.flag.holds_writes:
            await self._wait_until(lambda: not self.flag.holds_writes, Reason.HELD, "writes are held")
        if self.flag.stage is Stage.DYNAMO_PRIMARY:  # it has no fence, and MongoDB is needed anyhow
            self.require_lease()
        self._in_flight += 1
        return self.flag.published

    def leave_write(self) -> None:
        self._in_flight -= 1
        if not self._in_flight and self.flag.holds_writes:
            self._membership.tell_soon()

    async def enter_read(self) -> Published:
        if self.flag.holds_reads:
            await self._wait_until(lambda: not self.flag.holds_reads, Reason.HELD, "reads are held")
        self.require_lease()
        return self.flag.published

    def confirms(self, published: Published) -> bool:
        self.require_lease()
        return self.flag.published == published and not self.flag.holds_reads

    def require_lease(self) -> None:
        if self.flag.stage is not Stage.DYNAMO_ONLY:  # nothing follows it: it cannot pass us by
            self._membership.require_lease()

    async def learn_beyond(self, epoch: int) -> None:
        if self.flag.epoch <= epoch:
            self.learn(await self._membership.control.flag(self.flag.collection))
        if self.flag.epoch <= epoch:
            await self._wait_until(lambda: self.flag.epoch > epoch, Reason.FENCED, "the epoch is over")

    def learn(self, flag: Flag) -> None:
        """Take a flag if it is newer than the one known; wake whoever waits for it."""
        if flag.serial <= self.flag.serial:
            return
        assert flag.epoch >= self.flag.epoch, "an epoch is never lowered"
        self.flag = flag
        self._changed.set()
        self._changed = asyncio.Event()
        self.on_change()
        if not (flag.holds_writes and self._in_flight):  # else the last write tells
            self._membership.tell_soon()

    async def _wait_until(self, is_true: Callable[[], bool], reason: Reason, what: str) -> None:
        try:
            async with asyncio.timeout(HOLD_LIMIT):
                while not is_true():
                    await self._changed.wait()
        except TimeoutError as error:
            raise Unavailable(
                f"{what} while the primary of {self.flag.collection} changes; try again",
                reason,
                outcome=Outcome.NOT_APPLIED,
                retry_after=0.2,
            ) from error


class Membership:
    """This replica in the registry: heartbeats, the flags it has seen, the holds it has acknowledged.

    `lease` is in seconds; `on_beat` is called after every regular heartbeat; `outcomes` gives those of a
    collection's shadow reads on this replica by name.
    """

    def __init__(
        self,
        control: Control,
        replica_id: str,
        address: str,
        lease: float,
        on_beat: Callable[[], Awaitable[None]] | None = None,
        outcomes: Callable[[str], Mapping[str, int]] = lambda collection: {},
    ) -> None:
        self.control = control
        self.replica_id = replica_id
        self.lease = lease
        self._address = address
        self.on_beat = on_beat
        self._tally = Tally(outcomes)
        self._doors: dict[str, CollectionDoor] = {}
        self._valid_until = 0.0
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def doors(self) -> Mapping[str, CollectionDoor]:
        return self._doors

    def admit(self, flags: Iterable[Flag]) -> None:
        """Open a door for each collection; call before `start`."""
        for flag in flags:
            self._doors[flag.collection] = CollectionDoor(flag, self)

    async def start(self) -> None:
        """Register, and follow the flags from now on. Raises where that fails, unless no flag can change."""
        try:
            await self._beat()
        except CrossfadeError:
            if any(door.flag.stage is not Stage.DYNAMO_ONLY for door in self._doors.values()):
                raise
        self._tasks = [
            asyncio.create_task(self._follow(), name="replica.follow"),
            asyncio.create_task(self._keep_beating(), name="replica.beat"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self.control.retire(self.replica_id)
        except CrossfadeError as error:
            _log.warning("could not leave the registry: %s", error)

    def tell_soon(self) -> None:
        """Tell the registry what is seen and held without waiting for the next heartbeat."""
        self._wake.set()

    def require_lease(self) -> None:
        """Raise Unavailable when this replica may have missed a change of the primary."""
        if asyncio.get_running_loop().time() > self._valid_until:
            raise Unavailable(
                "this replica has lost the control store and cannot tell which store is the primary",
                Reason.STORE_UNAVAILABLE,
                retry_after=self.lease,
            )

    async def _follow(self) -> None:
        async for flag in self.control.watch():
            self._learn(flag)

    async def _keep_beating(self) -> None:
        while True:
            regular = await self._next_beat()
            try:
                if regular:
                    await self._beat()
                    await self._catch_up()
                else:
                    await self._tell()
            except CrossfadeError as error:
                _log.warning("heartbeat failed: %s", error)

    async def _next_beat(self) -> bool:
        """Wait for the next heartbeat; False when there is something to tell before."""
        try:
            async with asyncio.timeout(self._pause):
                await self._wake.wait()
        except TimeoutError:
            return True
        return False

    @property
    def _pause(self) -> float:
        """Seconds to the next heartbeat; while writes wait we look more often who drives the change."""
        is_holding = any(door.flag.holds_writes for door in self._doors.values())
        return min(HOLDING_PAUSE, self.lease / 3) if is_holding else self.lease / 3

    async def _catch_up(self) -> None:
        """Read all flags: the watch is fast, this is certain."""
        await self._learn_all()
        if self.on_beat:
            await self.on_beat()

    async def _tell(self) -> None:
        """No heartbeat: a majority takes its time, and those that wait for the hold would wait for it too."""
        self._wake.clear()
        await self.control.acknowledge(self._describe())

    async def _beat(self) -> None:
        """A lease that had run out, or is the first, counts only with the flags read after it was taken: what
        changed without us is in them, and what changes from then on waits for us."""
        self._wake.clear()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await self.control.beat(self._describe())
        if loop.time() > self._valid_until:
            await self._learn_all()
        self._valid_until = begun + self.lease

    async def _learn_all(self) -> None:
        for flag in await self.control.flags():
            self._learn(flag)

    def _describe(self) -> Replica:
        held = {name: door.held_change for name, door in self._doors.items()}
        return Replica(
            id=self.replica_id,
            address=self._address,
            lease=self.lease,
            seen={name: door.flag.serial for name, door in self._doors.items()},
            held={name: change for name, change in held.items() if change},
            compared=self._tally.count(door.flag for door in self._doors.values()),
        )

    def _learn(self, flag: Flag) -> None:
        if door := self._doors.get(flag.collection):
            door.learn(flag)
