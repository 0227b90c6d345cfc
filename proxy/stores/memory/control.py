"""The control store and the divergence log in memory: the same promises, for tests and simulations."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from proxy.core.divergence import Divergence
from proxy.core.errors import NotFound, Reason
from proxy.core.exchange import DivergenceQuery
from proxy.core.flag import AuditEntry, Flag, Job, JobRange, Replica
from proxy.core.life import MOST_STEPS, Event, State, Step, follow, target_of


class MemoryControl:
    """See `core.ports.Control`. `clock` gives milliseconds since 1970; shared by all replicas of a test."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._flags: dict[str, Flag] = {}
        self._replicas: dict[str, tuple[Replica, int]] = {}
        self._jobs: dict[tuple[str, str], Job] = {}
        self._audit: list[AuditEntry] = []
        self._leases: dict[str, tuple[str, int]] = {}
        self._ranges: dict[tuple[str, str], list[tuple[JobRange, int]]] = {}
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

    async def acknowledge(self, replica: Replica) -> None:
        if known := self._replicas.get(replica.id):
            self._replicas[replica.id] = (replica, known[1])

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

    async def swap_job(self, old: Job, new: Job) -> bool:
        stored = self._jobs.get((old.collection, old.kind))
        is_same = stored is not None and _stand(stored) == _stand(old)
        if is_same:
            self._jobs[new.collection, new.kind] = new
        return is_same

    async def running_jobs(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.state == "running"]

    async def lay_out(self, collection: str, kind: str, run: str, total: int) -> None:
        rows = self._ranges.get((collection, kind), [])
        if not rows or rows[0][0].run != run:
            rows = [(JobRange(collection, kind, run, number), 0) for number in range(total)]
        self._ranges[collection, kind] = rows

    async def claim_range(
        self, collection: str, kind: str, run: str, holder: str, seconds: float
    ) -> JobRange | None:
        now, rows = self._clock(), self._ranges.get((collection, kind), [])
        for place, (row, until) in enumerate(rows):
            if row.run == run and not row.is_done and until <= now:
                claimed = replace(row, holder=holder, is_held=True, serial=row.serial + 1)
                rows[place] = (claimed, now + int(seconds * 1000))
                return claimed
        return None

    async def save_range(self, saved: JobRange, seconds: float) -> JobRange | None:
        now, rows = self._clock(), self._ranges.get((saved.collection, saved.kind), [])
        for place, (row, _) in enumerate(rows):
            if (row.run, row.number, row.serial) == (saved.run, saved.number, saved.serial):
                kept = replace(saved, is_held=seconds > 0, serial=row.serial + 1)
                rows[place] = (kept, now + int(seconds * 1000))
                return kept
        return None

    async def ranges(self, collection: str, kind: str, run: str) -> list[JobRange]:
        now, rows = self._clock(), self._ranges.get((collection, kind), [])
        return [replace(row, is_held=until > now) for row, until in rows if row.run == run]

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

    def __init__(self, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._clock = clock
        self._rows: dict[str, Divergence] = {}

    async def prepare(self) -> None:
        """Nothing is missing in memory."""

    async def record(self, divergence: Divergence) -> None:
        known = self._rows.get(divergence.id)
        if known is None:
            self._rows[divergence.id] = divergence
            return
        last_seen = max(known.last_seen, divergence.last_seen)
        seen = replace(known, last_seen=last_seen, count=known.count + divergence.count)
        self._rows[divergence.id] = self._moved(seen, Event.SEE, divergence.replica, divergence.operation)

    async def list(self, query: DivergenceQuery) -> list[Divergence]:
        rows = sorted(self._rows.values(), key=lambda row: (row.last_seen, row.id), reverse=True)
        return [row for row in rows if _matches(row, query)][: query.limit]

    async def get(self, ids: Sequence[str]) -> dict[str, Divergence]:
        return {one: self._rows[one] for one in ids if one in self._rows}

    async def counts(self, collection: str, state: str = "") -> dict[str, int]:
        query = DivergenceQuery(collection, state=state, is_unclosed=not state)
        return dict(Counter(row.kind.value for row in self._rows.values() if _matches(row, query)))

    async def move(self, divergence_id: str, event: Event, who: str, evidence: str) -> State | None:
        row = self._rows.get(divergence_id)
        if row is None or follow(row.state, event) is None:
            return None
        self._rows[divergence_id] = moved = self._moved(row, event, who, evidence)
        return moved.state

    async def close(self, divergence_id: str, evidence: str) -> bool:
        return await self.move(divergence_id, Event.AGREE, "", evidence) is not None

    def _moved(self, row: Divergence, event: Event, who: str, evidence: str) -> Divergence:
        state = target_of(event)
        if state is row.state:
            return row
        step = Step(self._clock(), state, who, evidence)
        return replace(row, state=state, history=(*row.history, step)[-MOST_STEPS:])


def _stand(job: Job) -> tuple[str, str, int]:
    """What a swap of a job compares."""
    return job.state, job.position, job.updated_at


def _matches(row: Divergence, query: DivergenceQuery) -> bool:
    return (
        query.collection in ("", row.collection)
        and query.kind in ("", row.kind.value)
        and query.state in ("", row.state)
        and not (query.is_unclosed and row.state is State.CLOSED)
        and row.last_seen >= query.since
        and (query.before is None or (row.last_seen, row.id) < query.before)
    )
