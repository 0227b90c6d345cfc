"""Where the truth about a flag lies: in MongoDB while it takes part, in DynamoDB once that is over.

Invariants: DYNAMO_ONLY is decided by one compare-and-set in MongoDB, like every stage; from then on it is
also kept in DynamoDB, and whoever sees it in either place holds it for true, since nothing follows it. A
proxy whose collections are all DYNAMO_ONLY starts, serves and shows its state with MongoDB gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from proxy.core.errors import CrossfadeError
from proxy.core.flag import AuditEntry, Flag, Job, JobRange, Replica
from proxy.core.ports import Control, Finals
from proxy.core.stage import Stage

_log = logging.getLogger("crossfade.authority")


class Authority:
    """See `core.ports.Control`; what is not about flags goes to the control store in MongoDB alone."""

    def __init__(self, control: Control, finals: Finals) -> None:
        self._control = control
        self._finals = finals
        self._known: dict[str, Flag] = {}
        self._is_loaded = False

    async def prepare(self) -> None:
        loading = asyncio.create_task(self._try_to_load(), name="authority.load")
        try:
            await self._control.prepare()
        except CrossfadeError:
            await loading
            if not await self._load():
                raise
            _log.warning("MongoDB does not answer; only collections in DYNAMO_ONLY are served")
        finally:
            await loading  # nothing goes on behind it, and DynamoDB is not asked twice at once

    async def create(self, flag: Flag) -> Flag:
        await self._try_to_load()
        if flag.collection in self._known:
            return self._known[flag.collection]
        return await self._learn(await self._control.create(flag))

    async def flags(self) -> list[Flag]:
        """All flags; only those in DYNAMO_ONLY where MongoDB does not answer but there are any."""
        try:
            found = [await self._learn(flag) for flag in await self._control.flags()]
        except CrossfadeError:
            if not await self._load():
                raise
            return list(self._known.values())
        named = {flag.collection for flag in found}
        return found + [flag for name, flag in self._known.items() if name not in named]

    async def flag(self, collection: str) -> Flag:
        if collection in self._known:
            return self._known[collection]
        return await self._learn(await self._control.flag(collection))

    async def swap(self, old: Flag, new: Flag) -> Flag | None:
        if old.stage is Stage.DYNAMO_ONLY:
            return None
        stored = await self._control.swap(old, new)
        return await self._learn(stored) if stored else None

    async def watch(self) -> AsyncIterator[Flag]:
        async for flag in self._control.watch():
            yield await self._learn(flag)

    async def _try_to_load(self) -> None:
        """MongoDB can tell alone, unless it is gone."""
        try:
            await self._load()
        except CrossfadeError as error:
            _log.warning("DynamoDB could not be asked for final flags: %s", error)

    async def _load(self) -> bool:
        """Read once what DynamoDB keeps; True when there is anything."""
        if not self._is_loaded:
            self._known |= {flag.collection: flag for flag in await self._finals.flags()}
            self._is_loaded = True
        return bool(self._known)

    async def _learn(self, flag: Flag) -> Flag:
        """Have a final flag kept in DynamoDB, whoever published it and whenever it crashed."""
        if flag.stage is not Stage.DYNAMO_ONLY or flag.collection in self._known:
            return self._known.get(flag.collection, flag)
        try:
            await self._finals.record(flag)
        except CrossfadeError as error:  # the next look tries again
            _log.error("%s is not yet kept as DYNAMO_ONLY in DynamoDB: %s", flag.collection, error)
            return flag
        self._known[flag.collection] = flag
        return flag

    async def beat(self, replica: Replica) -> None:
        await self._control.beat(replica)

    async def acknowledge(self, replica: Replica) -> None:
        await self._control.acknowledge(replica)

    async def retire(self, replica_id: str) -> None:
        await self._control.retire(replica_id)

    async def replicas(self) -> list[Replica]:
        return await self._control.replicas()

    async def now(self) -> int:
        return await self._control.now()

    async def record_audit(self, entry: AuditEntry) -> None:
        await self._control.record_audit(entry)

    async def audit(self, collection: str, limit: int, until: int | None = None) -> list[AuditEntry]:
        return await self._control.audit(collection, limit, until)

    async def save_job(self, job: Job) -> None:
        await self._control.save_job(job)

    async def job(self, collection: str, kind: str) -> Job | None:
        return await self._control.job(collection, kind)

    async def swap_job(self, old: Job, new: Job) -> bool:
        return await self._control.swap_job(old, new)

    async def running_jobs(self) -> list[Job]:
        return await self._control.running_jobs()

    async def lay_out(self, collection: str, kind: str, run: str, total: int) -> None:
        await self._control.lay_out(collection, kind, run, total)

    async def claim_range(
        self, collection: str, kind: str, run: str, holder: str, seconds: float
    ) -> JobRange | None:
        return await self._control.claim_range(collection, kind, run, holder, seconds)

    async def save_range(self, saved: JobRange, seconds: float) -> JobRange | None:
        return await self._control.save_range(saved, seconds)

    async def ranges(self, collection: str, kind: str, run: str) -> list[JobRange]:
        return await self._control.ranges(collection, kind, run)

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> bool:
        return await self._control.acquire_lease(name, holder, seconds)

    async def release_lease(self, name: str, holder: str) -> None:
        await self._control.release_lease(name, holder)
