"""Keeps MongoDB's fence where the published stage wants it, whoever crashed and whatever else moved it.

A fence is settled after a publication by whoever published, and looked at with every heartbeat by everybody:
the publisher may have died in between, and collMod knows no condition, so that a process which stood still
for long, or an operator who sets a validator, may lower it (docs/decisions/0005). While DynamoDB is primary a
low fence lets a replica of the past acknowledge what DynamoDB never gets: it is raised again, and that is
counted and audited.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from proxy.core.errors import CrossfadeError, Outcome, Unavailable
from proxy.core.flag import Flag
from proxy.core.ports import Control, Fence, Signals
from proxy.core.stage import Stage
from proxy.cutover.machine import fence_after
from proxy.cutover.trail import Trail

_log = logging.getLogger("crossfade.cutover")

ATTEMPTS = 10
PAUSE = 0.5
"""How often, and after how many seconds each, the fence is set anew after a publication."""

RESTORED = "fence_restored"
"""The audit's word for a fence that was found lower than it must be."""


class FenceGuard:
    """Minds the fences of all collections on behalf of one replica; `lease` is in seconds."""

    def __init__(
        self, control: Control, fences: Mapping[str, Fence], signals: Signals, replica_id: str, lease: float
    ) -> None:
        self._control = control
        self._trail = Trail(control)
        self._fences = fences
        self._signals = signals
        self._replica_id = replica_id
        self._lease = lease
        self._settled: dict[str, int] = {}
        self._seen: dict[str, int] = {}  # how high fences stood here while DynamoDB is primary
        self._looking: dict[str, asyncio.Task[None]] = {}

    async def settle(self, flag: Flag) -> None:
        """Bring the fence to what a stage that was just published wants. Raises Unavailable (APPLIED)."""
        height = fence_after(flag)
        if height is None:
            return None
        for _ in range(ATTEMPTS):
            try:
                return await self._set(flag, height)
            except CrossfadeError as error:
                _log.warning("the fence of %s is not settled yet: %s", flag.collection, error)
                await asyncio.sleep(PAUSE)
        text = f"{flag.stage.value} is published, but MongoDB's fence could not be set"
        raise Unavailable(text, outcome=Outcome.APPLIED)

    def look(self, flag: Flag) -> None:
        """Mend the fence of a collection that is at rest, if it is not what it should be; beside the caller,
        whose heartbeat must not wait for that."""
        name = flag.collection
        is_settled = self._settled.get(name) == flag.epoch
        if flag.change is not None or is_settled or name in self._looking:
            return
        task = self._looking[name] = asyncio.create_task(self._look(flag), name=f"fence.{name}")
        task.add_done_callback(lambda _: self._looking.pop(name, None))

    async def stop(self) -> None:
        tasks = list(self._looking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, flag: Flag) -> None:
        try:
            if flag.stage is Stage.DYNAMO_PRIMARY:
                await self._look_for_a_fall(flag)
            elif not await self._is_settled(flag) and await self._may_mend(flag):
                await self._set(flag, fence_after(flag) or 0)
        except CrossfadeError as error:
            _log.warning("the fence of %s cannot be looked at: %s", flag.collection, error)

    async def _look_for_a_fall(self, flag: Flag) -> None:
        """A fence may well be lower than the epoch: a way back that was aborted before its fence publishes
        without one. Only one that was seen higher before has fallen."""
        name = flag.collection
        height, seen = await self._fences[name].current(), self._seen.get(name, 0)
        self._seen[name] = max(height, seen)
        if height < flag.epoch and await self._may_mend(flag):
            await self._fences[name].raise_to(flag.epoch)
            self._seen[name] = flag.epoch
            if height < seen:
                await self._sound_alarm(flag, seen)

    async def _is_settled(self, flag: Flag) -> bool:
        self._seen.pop(flag.collection, None)
        wanted = fence_after(flag)
        height = 0 if wanted is None else await self._fences[flag.collection].current()
        is_settled = wanted is None or (height >= wanted if wanted else height == 0)
        if is_settled:
            self._settled[flag.collection] = flag.epoch
        return is_settled

    async def _may_mend(self, flag: Flag) -> bool:
        """One replica at a time, and only while the flag is what it was."""
        name = flag.collection
        if not await self._control.acquire_lease(f"fence/{name}", self._replica_id, self._lease):
            return False
        return (await self._control.flag(name)).serial == flag.serial

    async def _sound_alarm(self, flag: Flag, seen: int) -> None:
        text = f"MongoDB's fence had fallen below epoch {seen}; run a verify"
        _log.error("%s was in danger: %s", flag.collection, text)
        self._signals.count("crossfade.fence.restored", collection=flag.collection)
        stage = flag.stage
        await self._trail.note(RESTORED, flag.collection, stage, stage, self._replica_id, text)

    async def _set(self, flag: Flag, height: int) -> None:
        fence = self._fences[flag.collection]
        await (fence.raise_to(height) if height else fence.lift())
