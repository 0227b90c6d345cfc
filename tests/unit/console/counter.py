"""The console of one replica in memory, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from proxy.console.access import PROOF
from proxy.console.server import Console, open_console
from proxy.core.stage import Stage
from tests.fixtures.memory_world import World, world

OURS = {PROOF: "1", "Sec-Fetch-Site": "same-origin"}
"""The headers of the console's own page."""

NAME = "jobs"
FOR_REAL = {"dry_run": False, "actor": "Ada", "reason": "a test", "confirmation": NAME}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    data: Any

    @property
    def text(self) -> str:
        return str(self.data)


@dataclass(frozen=True, slots=True)
class Counter:
    """Where a test stands: before the console, with the replica behind it."""

    world: World
    console: Console
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> Answer:
        return await self._answer("GET", path, headers)

    async def order(self, verb: str, wish: Any = None, headers: Mapping[str, str] = OURS) -> Answer:
        path = f"api/collections/{NAME}/{verb}"
        return await self._answer("POST", path, headers, {} if wish is None else wish)

    async def _answer(self, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> Answer:
        url = self.console.url + path
        async with self.session.request(method, url, headers=dict(headers), json=body) as answer:
            is_json = answer.content_type == "application/json"
            data = await answer.json() if is_json else await answer.text()
            return Answer(answer.status, dict(answer.headers), data)


@asynccontextmanager
async def counter(stage: Stage) -> AsyncIterator[Counter]:
    """A console over a collection at `stage`."""
    async with (
        world(stage) as opened,
        open_console(opened.app.desk(), "127.0.0.1:0") as console,
        aiohttp.ClientSession() as session,
    ):
        yield Counter(opened, console, session)
