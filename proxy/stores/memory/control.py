"""The control store and the divergence log in memory: the same promises, for tests and simulations."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from proxy.core.divergence import Divergence
from proxy.core.errors import NotFound, Reason
from proxy.core.flag import AuditEntry, Flag, Job, Replica
from proxy.core.ports import DivergenceQuery


class MemoryControl:
    """See `core.ports.Control`. `clock` gives milliseconds since 1970; shared by all replicas of a test."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._flags: dict[str, Flag] = {}
        self._replicas: dict[str, tuple[Replica, int]] = {}
        self._jobs: dict[tuple[str, str], Job] = {}
        self._audit: list[AuditEntry] = []
        self._leases: dict[str, tuple[str, int]] = {}
        self._watchers: list[asyncio.Queue[Flag]] = []

    async def prepare(self) -> None:
        """Nothing is missing in memory."""

    async def create(self, flag: Flag) -> Flag:
        return self._flags.setdefault(flag.collection, flag)

    async def flags(self) -> list[Flag]:
        return list(self._flags.values())

    async def flag(self, collection: str) -> Flag:
        if collection not in self._flags:
            raise NotFound(f"there is no flag of {collection!r}", Reason.UNKNOWN_COLLECTION)
        return self._flags[collection]

    async def swap(self, old: Flag, new: Flag) -> Flag | None:
        if self._flags[old.collection].serial != old.serial:
            return None
        stored = replace(new, serial=old.serial + 1)
        self._flags[old.collection] = stored
        for watcher in self._watchers:
            watcher.put_nowait(stored)
        return stored

    async def watch(self) -> AsyncIterator[Flag]:
        queue: asyncio.Queue[Flag] = asyncio.Queue()
        self._watchers.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watchers.remove(queue)

    async def beat(self, replica: Replica) -> None:
        self._replicas[replica.id] = (replica, self._clock())

    async def retire(self, replica_id: str) -> None:
        self._replicas.pop(replica_id, None)

    async def replicas(self) -> list[Replica]:
        now = self._clock()
        return [replace(replica, age=(now - beat) / 1000) for replica, beat in self._replicas.values()]

    async def now(self) -> int:
        return self._clock()

    async def record_audit(self, entry: AuditEntry) -> None:
        self._audit.append(entry)

    async def audit(self, collection: str, limit: int, until: int | None = None) -> list[AuditEntry]:
        newest_first = self._audit[::-1]
        newest_first.sort(key=lambda entry: entry.at, reverse=True)
        entries = [entry for entry in newest_first if collection in ("", entry.collection)]
        return [entry for entry in entries if until is None or entry.at <= until][:limit]

    async def save_job(self, job: Job) -> None:
        self._jobs[job.collection, job.kind] = job

    async def job(self, collection: str, kind: str) -> Job | None:
        return self._jobs.get((collection, kind))

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> bool:
        present, until = self._leases.get(name, (holder, 0))
        if present != holder and until > self._clock():
            return False
        self._leases[name] = (holder, self._clock() + int(seconds * 1000))
        return True

    async def release_lease(self, name: str, holder: str) -> None:
        if self._leases.get(name, ("", 0))[0] == holder:
            del self._leases[name]


class MemoryDivergences:
    """See `core.ports.DivergenceLog`."""

    def __init__(self) -> None:
        self._rows: dict[str, Divergence] = {}

    async def record(self, divergence: Divergence) -> None:
        known = self._rows.get(divergence.id)
        if known is not None:
            divergence = replace(known, last_seen=divergence.last_seen, count=known.count + 1, state="open")
        self._rows[divergence.id] = divergence

    async def list(self, query: DivergenceQuery) -> list[Divergence]:
        rows = sorted(self._rows.values(), key=lambda row: (row.last_seen, row.id), reverse=True)
        return [row for row in rows if _matches(row, query)][: query.limit]

    async def counts(self, collection: str, state: str = "open") -> dict[str, int]:
        rows = self._rows.values()
        return dict(
            Counter(row.kind.value for row in rows if row.collection == collection and row.state == state)
        )

    async def close(self, divergence_id: str, evidence: str) -> bool:
        row = self._rows.get(divergence_id)
        if row is None or row.state != "open":
            return False
        self._rows[divergence_id] = replace(row, state="closed")
        return True


def _matches(row: Divergence, query: DivergenceQuery) -> bool:
    return (
        query.collection in ("", row.collection)
        and query.kind in ("", row.kind.value)
        and query.state in ("", row.state)
        and (query.before is None or (row.last_seen, row.id) < query.before)
    )
