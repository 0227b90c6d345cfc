"""Workers on webtasks: owners, who must always see their own writes, and many who change the same."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from crossfade import Outcome
from examples.demo.data import DEPLOYMENT, task_of
from examples.demo.ledger import Name, State
from examples.demo.workers.desk import Desk
from examples.webtasks import TaskName, Webtasks


class WebtaskOwner:
    """Creates, reads, changes, deletes and lists the webtasks of a container that nobody else writes to."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = Webtasks(desk.client)
        self._container = f"own-{desk.name}"
        names = [TaskName(DEPLOYMENT, self._container, f"task-{number}") for number in range(8)]
        self._states = {name: State("code") for name in names}
        for name, state in self._states.items():
            desk.ledger.entries["webtasks", *name.key.values()] = state

    async def step(self) -> None:
        name = self._desk.chance.choice(list(self._states))
        turn = self._desk.chance.random()
        if turn < 0.5:
            await self._write(name, self._states[name])
        elif turn < 0.8:
            await self._read(name)
        else:
            await self._list()

    async def _write(self, name: TaskName, state: State) -> None:
        token, call = self._next_write(name, state)
        outcome, answer = await self._desk.write("webtasks", call)
        if outcome is Outcome.UNKNOWN:
            state.unknown.add(token)
        elif outcome is Outcome.APPLIED and answer is not False:
            state.token = token
            self._desk.ledger.remember("webtasks")
        elif outcome is Outcome.APPLIED and not state.may_be(None):
            self._desk.complain(f"{name} was not there to be written")

    def _next_write(self, name: TaskName, state: State) -> tuple[str | None, Awaitable[bool | None]]:
        """What the webtask will be, and the call that makes it so."""
        token = next(self._desk.tokens)
        if state.token is None:
            return token, self._store.create(name, token)
        if self._desk.chance.random() < 0.25:
            return None, self._store.delete(name)
        return token, self._store.update(name, token)

    async def _read(self, name: TaskName) -> None:
        found = await self._desk.read("webtasks", self._store.read(name))
        self._look(name, found["code"] if found else None)

    async def _list(self) -> None:
        listed = await self._desk.read("webtasks", self._store.list(DEPLOYMENT, self._container))
        codes = {document["webtask_name"]: document["code"] for document in listed}
        for name in self._states:
            self._look(name, codes.get(name.name))

    def _look(self, name: TaskName, token: str | None) -> None:
        state = self._states[name]
        if state.may_be(token):
            state.token = token  # what was read once must not disappear
        else:
            self._desk.complain(f"{name} was {token} after {state.token} had been acknowledged")


class CodePusher:
    """Changes webtasks of the old application; many do the same, so only a counter can tell all writes."""

    def __init__(self, desk: Desk, names: Sequence[Name]) -> None:
        self._desk = desk
        self._store = Webtasks(desk.client)
        self._names = names

    async def step(self) -> None:
        name = self._desk.chance.choice(self._names)
        tally = self._desk.ledger.tally(name, "revision", 1)
        update = self._store.update(task_of(name), f"// {next(self._desk.tokens)}")
        outcome, was_there = await self._desk.write("webtasks", update)
        if outcome is Outcome.UNKNOWN:
            tally.unknown += 1
        elif was_there:
            tally.acknowledged += 1
            self._desk.ledger.remember("webtasks")
        elif outcome is Outcome.APPLIED:
            self._desk.complain(f"{name} was not there to be written")
