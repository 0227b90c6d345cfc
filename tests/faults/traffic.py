"""Clients on hot documents that keep books: of every call what it asked, when, and how it ended.

Four trades: registers (a linearizable history a key), journals (every token once), births and deaths (what
was promised exists, what was deleted stays so) and reservations (one owner at a time).
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from crossfade import AsyncClient, CrossfadeError, DeadlineExceeded, Outcome
from crossfade.results import Mirror
from examples.cron_jobs import CronJobs
from examples.demo.ledger import Journal, Ledger, Owned, State
from examples.webtasks import TaskName
from tests.faults.site import JOBS, TASKS, Site
from tests.simulation.history import Call, Fate, History, Verb

Result = TypeVar("Result")

PATIENCE = 10.0
"""Seconds that a client gives a call, its own retries included: longer than any hold."""
LONGEST_REST = 1.0
"""Seconds that a client rests on average after a call that took long."""
REGISTERS, JOURNALS, QUEUED = 5, 3, 8
RESERVED_FOR = 9_000
"""Milliseconds: longer than writes may be held."""


@dataclass(slots=True)
class Sample:
    """One call's time: when it began (monotonic) and how long it took, in seconds."""

    began: float
    took: float
    is_write: bool


@dataclass(slots=True)
class Books:
    """What all clients of a scenario wrote down."""

    history: History = field(default_factory=History)
    ledger: Ledger = field(default_factory=Ledger)
    samples: list[Sample] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    deferred: int = 0
    stories: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    @property
    def acknowledged(self) -> int:
        return sum(self.ledger.acknowledged.values())

    @property
    def refused(self) -> int:
        """Failed calls that were told why; on a machine that is slow enough others just run out of time."""
        return sum(count for what, count in self.failures.items() if not what.startswith("DEADLINE "))

    @property
    def unknown(self) -> int:
        return sum(self.ledger.unknown.values())


class Traffic:
    """All clients of one scenario, at work between `start` and `stop`."""

    def __init__(self, site: Site, *, pace: float = 0.02, seed: int = 7) -> None:
        self.books = Books()
        self.began_at = time.time()
        self.deployment = f"d{uuid.uuid4().hex[:6]}"
        self._client = AsyncClient(site.addresses, timeout=PATIENCE)
        self._tasks = self._client[TASKS]
        self._jobs = CronJobs(self._client)
        self._pace = pace
        self._chance = random.Random(seed)
        self._numbers = itertools.count(1)
        self._is_over = asyncio.Event()
        self._seen: dict[str, int] = {}
        self._running: list[asyncio.Task[None]] = []

    async def prepare(self) -> None:
        """Put there what is worked on; must succeed."""
        for number in range(JOURNALS):
            await self._tasks.insert_one({**self.key(f"journal-{number}"), "tokens": []})
            self.books.ledger.entries[self._name(f"journal-{number}")] = Journal(("tokens",), exists=True)
        for number in range(QUEUED):
            name = TaskName(self.deployment, "hot", f"job-{number}")
            await self._jobs.create(name, "* * * * *", int(time.time() * 1000))

    def start(self) -> None:
        self._running = [asyncio.create_task(self._keep_on(trade)) for trade in self.trades()]

    def trades(self) -> list[Callable[[], Awaitable[None]]]:
        """What each client does again and again."""
        trades = [self._work_on_registers] * 4 + [self._write_journals] * 2 + [self._give_birth] * 2
        return [*trades, *[self._run_jobs] * 3]

    def registers(self) -> list[str]:
        return [f"register-{number}" for number in range(REGISTERS)]

    def pick_register(self) -> str:
        return f"register-{self._chance.randrange(REGISTERS)}"

    async def pick_journal(self) -> str:
        """One that exists, and is in the ledger."""
        return f"journal-{self._chance.randrange(JOURNALS)}"

    async def stop(self) -> None:
        """Let every call end by itself. Raises what went wrong in the clients themselves."""
        self._is_over.set()
        async with asyncio.timeout(PATIENCE + 10):
            await asyncio.gather(*self._running)

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._client.close()

    async def finals(self) -> dict[str, int | None]:
        """What the registers hold at the end, by name."""
        found: dict[str, int | None] = {}
        for key in self.registers():
            document = await self._tasks.find_one(self.key(key))
            found[key] = document["n"] if document else None
        return found

    async def _keep_on(self, trade: Callable[[], Awaitable[None]]) -> None:
        """Work and rest in turns, so that a slow machine is not driven to its knees."""
        while not self._is_over.is_set():
            began = time.monotonic()
            await trade()
            took = min(time.monotonic() - began, LONGEST_REST)
            await asyncio.sleep(self._chance.random() * 2 * max(self._pace, took))

    async def _timed(self, call: Awaitable[Result], *, is_write: bool) -> tuple[Outcome, Result | None]:
        """The call's outcome and result; a failed call is in the books, and raises nothing."""
        began = time.monotonic()
        try:
            result = await call
        except CrossfadeError as error:
            why = "DEADLINE" if isinstance(error, DeadlineExceeded) else error.reason.name
            self.books.failures[f"{why} {error.outcome.name}"] += 1
            if is_write and error.outcome is Outcome.UNKNOWN:
                self.books.ledger.doubt(TASKS)
            return error.outcome, None
        finally:
            self.books.samples.append(Sample(began, time.monotonic() - began, is_write))
        if is_write:
            self.books.ledger.remember(TASKS)
            self.books.deferred += getattr(result, "mirror", None) is Mirror.DEFERRED
        return Outcome.APPLIED, result

    async def _work_on_registers(self) -> None:
        key = self.pick_register()
        roll = self._chance.random()
        if roll < 0.4:
            await self._read(key)
        elif roll < 0.65:
            await self._put(key)
        elif roll < 0.9:
            await self._change(key)
        else:
            await self._delete(key)

    async def _read(self, key: str) -> None:
        call = self._call(Verb.READ, key)
        outcome, found = await self._timed(self._tasks.find_one(self.key(key)), is_write=False)
        call.value = found["n"] if found else None
        if call.value is not None:
            self._seen[key] = call.value
        self._close(call, outcome, None)

    async def _put(self, key: str) -> None:
        call = self._call(Verb.PUT, key, next(self._numbers))
        put = self._tasks.replace_one(self.key(key), {**self.key(key), "n": call.value}, upsert=True)
        outcome, _ = await self._timed(put, is_write=True)
        self._close(call, outcome, None)

    async def _change(self, key: str) -> None:
        call = self._call(Verb.CHANGE, key, next(self._numbers))
        call.expected = self._seen.get(key, 0)
        wanted = {**self.key(key), "n": call.expected}
        outcome, result = await self._timed(
            self._tasks.update_one(wanted, {"$set": {"n": call.value}}), is_write=True
        )
        self._close(call, outcome, result.matched_count == 1 if result else None)

    async def _delete(self, key: str) -> None:
        call = self._call(Verb.DELETE, key)
        outcome, result = await self._timed(self._tasks.delete_one(self.key(key)), is_write=True)
        self._close(call, outcome, result.deleted_count == 1 if result else None)

    def _call(self, verb: Verb, key: str, value: int | None = None) -> Call:
        return self.books.history.begin(Call("", verb, key, time.monotonic(), value))

    def _close(self, call: Call, outcome: Outcome, matched: bool | None) -> None:
        call.matched = matched
        call.fate = _FATES[outcome]
        if call.fate is Fate.OK:
            call.returned = time.monotonic()

    async def _write_journals(self) -> None:
        name = await self.pick_journal()
        journal = self.books.ledger.entries[self._name(name)]
        assert isinstance(journal, Journal)
        token = f"{next(self._numbers):x}"
        outcome, _ = await self._timed(
            self._tasks.update_one(self.key(name), {"$push": {"tokens": token}}), is_write=True
        )
        if outcome is Outcome.APPLIED:
            journal.acknowledged.append(token)
        elif outcome is Outcome.UNKNOWN:
            journal.unknown += 1

    async def _give_birth(self) -> None:
        """A document of one's own: born, sometimes changed, sometimes deleted and born again."""
        name = f"life-{next(self._numbers)}"
        state = self.books.ledger.entries[self._name(name)] = State("mark")
        key = self.key(name)
        mark = f"{name}-a"
        await self._note(name, state, mark, self._tasks.insert_one({**key, "mark": mark}))
        if self._chance.random() < 0.5:
            await self._note(name, state, None, self._tasks.delete_one(key))
            if self._chance.random() < 0.3:
                mark = f"{name}-b"
                again = self._tasks.replace_one(key, {**key, "mark": mark}, upsert=True)
                await self._note(name, state, mark, again)

    async def _note(self, name: str, state: State, token: str | None, write: Awaitable[Any]) -> None:
        began = time.time()
        outcome, result = await self._timed(write, is_write=True)
        story = self.books.stories.setdefault(self._name(name), [])
        story.append(f"{token or 'deleted'} {began:.3f} to {time.time():.3f} {outcome.name} {result}")
        if outcome is Outcome.APPLIED:
            state.token = token  # what is unknown stays so: it may be on its way still
        elif outcome is Outcome.UNKNOWN:
            state.unknown.add(token)

    async def _run_jobs(self) -> None:
        asked = _milliseconds()
        reserve = self._jobs.reserve(self.deployment, int(asked), RESERVED_FOR)
        _, reservation = await self._timed(reserve, is_write=True)
        if reservation is None:
            return
        told = _milliseconds()
        await asyncio.sleep(self._chance.random() * 0.02)  # the job runs
        released = _milliseconds()
        complete = self._jobs.complete(reservation, int(released), "")
        outcome, still_owned = await self._timed(complete, is_write=True)
        if outcome is Outcome.APPLIED and not still_owned and _milliseconds() < reservation.until:
            self.books.complaints.append(f"{reservation.name} was taken from its owner")
        name = (JOBS, *reservation.name.key.values())
        ended = reservation.until if outcome is Outcome.NOT_APPLIED else released
        self.books.ledger.owned.append(Owned(name, asked, told, ended, reservation.until))

    def key(self, name: str) -> dict[str, str]:
        return {"deployment_key": self.deployment, "webtask_container": "hot", "webtask_name": name}

    def _name(self, name: str) -> tuple[str, ...]:
        return (TASKS, *self.key(name).values())


_FATES = {Outcome.APPLIED: Fate.OK, Outcome.UNKNOWN: Fate.UNKNOWN, Outcome.NOT_APPLIED: Fate.REFUSED}


@asynccontextmanager
async def traffic_on(site: Site, **options: Any) -> AsyncIterator[Traffic]:
    """Clients at work on a site, until `stop` or the end of the block."""
    traffic = Traffic(site, **options)
    try:
        await traffic.prepare()
        traffic.start()
        yield traffic
    finally:
        await traffic.close()


def _milliseconds() -> float:
    return time.time() * 1000
