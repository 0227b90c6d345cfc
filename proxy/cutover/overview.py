"""What an operator sees of every collection: the flag, the mirror's health, the jobs and the numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proxy.core.collection import Collection
from proxy.core.errors import CrossfadeError, NotFound, Reason
from proxy.core.flag import AuditEntry, Flag, Job, Replica
from proxy.core.ports import CollectionStore, Control, DivergenceLog
from proxy.core.stage import Stage, StoreName

JOB_KINDS = ("backfill", "verify", "sample", "feed", "rehearsal")


@dataclass(frozen=True, slots=True)
class MirrorHealth:
    """How the mirror does on this replica since it started: the breaker's state, how many mirror writes were
    left to the reconciler, the outcomes of shadow reads by name, how many mirror writes were applied inline,
    and the last failure of one (`last_error_at` in milliseconds since 1970, 0 when there was none)."""

    breaker: str
    deferred: int
    shadow_outcomes: Mapping[str, int]
    applied: int = 0
    last_error: str = ""
    last_error_at: int = 0


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """Everything about one collection; `estimates` are documents per store, None where a store is silent."""

    collection: Collection
    flag: Flag
    mirror: MirrorHealth
    estimates: Mapping[StoreName, int | None]
    divergences: Mapping[str, int]
    jobs: Mapping[str, Job]


class Overview:
    """Reads the whole picture from the control store, the stores and this replica."""

    def __init__(
        self,
        collections: Mapping[str, Collection],
        stores: Mapping[str, Mapping[StoreName, CollectionStore]],
        health: Callable[[str], MirrorHealth],
        control: Control,
        divergences: DivergenceLog,
    ) -> None:
        self._collections = collections
        self._stores = stores
        self._health = health
        self._control = control
        self._divergences = divergences

    async def collections(self) -> list[CollectionStatus]:
        """Every configured collection, by name."""
        return [await self.collection(name) for name in sorted(self._collections)]

    async def collection(self, name: str) -> CollectionStatus:
        """One collection. Raises NotFound (UNKNOWN_COLLECTION)."""
        if name not in self._collections:
            raise NotFound(
                f"there is no collection named {name!r}", Reason.UNKNOWN_COLLECTION, field="collection"
            )
        flag = await self._control.flag(name)
        divergences, jobs, estimates = await asyncio.gather(
            self._counts(flag), self._jobs(flag), self._estimates(name)
        )
        return CollectionStatus(
            self._collections[name], flag, self._health(name), estimates, divergences, jobs
        )

    async def replicas(self) -> list[Replica]:
        """Every registered replica, dead ones until they are forgotten."""
        return await self._control.replicas()

    async def audit(self, collection: str, limit: int, until: int | None = None) -> list[AuditEntry]:
        """Who changed what, the newest first (see `core.ports.Control.audit`)."""
        return await self._control.audit(collection, limit, until)

    async def _counts(self, flag: Flag) -> dict[str, int]:
        try:
            return await self._divergences.counts(flag.collection)
        except CrossfadeError:
            if flag.stage is not Stage.DYNAMO_ONLY:
                raise
            return {}  # MongoDB may be gone, and with it the story of the migration

    async def _jobs(self, flag: Flag) -> dict[str, Job]:
        try:
            jobs = [await self._control.job(flag.collection, kind) for kind in JOB_KINDS]
        except CrossfadeError:
            if flag.stage is not Stage.DYNAMO_ONLY:
                raise
            return {}
        return {job.kind: job for job in jobs if job is not None}

    async def _estimates(self, name: str) -> dict[StoreName, int | None]:
        stores = self._stores[name]
        return {store: await _estimate(stores[store]) for store in stores}


async def _estimate(store: CollectionStore) -> int | None:
    try:
        async with asyncio.timeout(1.0):
            return await store.estimate()
    except (CrossfadeError, TimeoutError):
        return None
