"""Workers on modules: each queues the versions of a module of its own, and records their builds."""

from __future__ import annotations

from crossfade import Outcome
from examples.demo.data import DEPLOYMENT
from examples.demo.ledger import Journal
from examples.demo.workers.desk import Desk
from examples.modules import Modules

KEPT = 20
"""Builds that the application keeps of a version."""


class ModuleBuilder:
    """Queues, builds and reads the versions of one module."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = Modules(desk.client)
        self._module = f"module-of-{desk.name}"

    async def step(self) -> None:
        version = f"1.0.{self._desk.chance.randrange(12)}"
        journal = self._journal(version)
        if not journal.exists:
            await self._queue(version, journal)
        elif self._desk.chance.random() < 0.5:
            await self._build(version, journal)
        else:
            await self._read(version, journal)

    async def _queue(self, version: str, journal: Journal) -> None:
        queue = self._store.queue(DEPLOYMENT, self._module, version)
        outcome, is_new = await self._desk.write("modules", queue)
        journal.exists = outcome is Outcome.APPLIED
        if is_new:
            self._desk.ledger.remember("modules")

    async def _build(self, version: str, journal: Journal) -> None:
        token = next(self._desk.tokens)
        artifact = f"s3://modules/{token}" if self._desk.chance.random() < 0.8 else None
        build = self._store.record_build(DEPLOYMENT, self._module, version, token, artifact)
        outcome, _ = await self._desk.write("modules", build)
        if outcome is Outcome.UNKNOWN:
            journal.unknown += 1
        elif outcome is Outcome.APPLIED:
            journal.acknowledged.append(token)
            self._desk.ledger.remember("modules")

    async def _read(self, version: str, journal: Journal) -> None:
        found = await self._desk.read("modules", self._store.read(DEPLOYMENT, self._module, version))
        if journal.judge_fields(found).lost:
            self._desk.complain(f"{self._module} {version} was read without its last builds")
        if self._desk.chance.random() < 0.2:
            await self._desk.read("modules", self._store.versions(DEPLOYMENT, self._module))

    def _journal(self, version: str) -> Journal:
        name = ("modules", DEPLOYMENT, self._module, version)
        new = Journal(("builds",), "log", KEPT)
        entry = self._desk.ledger.entries.setdefault(name, new)
        assert isinstance(entry, Journal)
        return entry
