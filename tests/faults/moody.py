"""A DynamoDB with moods: a reverse proxy that speaks its HTTP and fails as the service does under stress.

Each mood befalls a share of the calls. What DynamoDB Local answers is passed on to the byte.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Collection
from enum import Enum
from typing import Any, Self

import aiohttp
from aiohttp import web

_HEADERS = ("x-amz-crc32", "Content-Type")
_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_SILENCE = 6.0  # seconds: longer than any attempt waits


class Mood(Enum):
    """What befalls a call."""

    THROTTLED = "throttled"  # 400, not applied
    BROKEN_BEFORE = "500 before"  # 500, not applied
    BROKEN_AFTER = "500 after"  # 500, and applied
    LOST_AFTER = "reply lost"  # applied, and the connection reset
    SILENT_AFTER = "timeout after"  # applied, and no answer until nobody waits
    SMALL_PAGES = "small pages"  # queries and scans stop after two items
    TRIMMED = "trimmed"  # the stream no longer holds what its reader has not read


class MoodyDynamo:
    """Stands before a DynamoDB; an async context manager. `struck` counts what befell calls."""

    def __init__(self, endpoint: str, seed: int = 1) -> None:
        self.struck: Counter[Mood] = Counter()
        self.moods: dict[Mood, float] = {}
        self.port = 0
        self._endpoint = endpoint
        self._chance = random.Random(seed)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=32 << 20)
        app.router.add_route("*", "/{anything:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._session = aiohttp.ClientSession(auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    def be(self, share: float, moods: Collection[Mood]) -> None:
        """From now on each of `moods` befalls that share of the calls; none: all is well."""
        self.moods = dict.fromkeys(moods, share)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers.get("X-Amz-Target", "").partition(".")[2]
        body = await request.read()
        mood = self._mood_for(operation)
        if mood is not None:
            self.struck[mood] += 1
        match mood:
            case Mood.THROTTLED:
                return _refusal(400, "ProvisionedThroughputExceededException", "slow down")
            case Mood.TRIMMED:
                return _refusal(400, "TrimmedDataAccessException", "beyond the trim horizon")
            case Mood.BROKEN_BEFORE:
                return _refusal(500, "InternalServerError", "broken")
            case Mood.SMALL_PAGES:
                body = json.dumps({**json.loads(body), "Limit": 2}).encode()
        answer = await self._forward(request, body)
        if mood is Mood.BROKEN_AFTER:
            return _refusal(500, "InternalServerError", "broken, though it was done")
        if mood is Mood.SILENT_AFTER:
            await asyncio.sleep(_SILENCE)
        if mood in (Mood.LOST_AFTER, Mood.SILENT_AFTER) and request.transport is not None:
            request.transport.abort()
        return answer

    def _mood_for(self, operation: str) -> Mood | None:
        for mood, share in self.moods.items():
            if _befalls(mood, operation) and self._chance.random() < share:
                return mood
        return None

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        assert self._session is not None
        headers = {
            name: value for name, value in request.headers.items() if name not in ("Content-Length", "Host")
        }
        async with self._session.post(self._endpoint, data=body, headers=headers) as reply:
            kept = {name: reply.headers[name] for name in _HEADERS if name in reply.headers}
            return web.Response(status=reply.status, body=await reply.read(), headers=kept)


def _befalls(mood: Mood, operation: str) -> bool:
    if mood is Mood.SMALL_PAGES:
        return operation in ("Query", "Scan")
    if mood is Mood.TRIMMED:
        return operation == "GetRecords"
    if mood in (Mood.THROTTLED, Mood.BROKEN_BEFORE):
        return operation in _WRITES | {"GetItem", "BatchGetItem", "Query"}
    return operation in _WRITES


def _refusal(status: int, name: str, message: str) -> web.Response:
    payload: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": message}
    return web.json_response(payload, status=status, content_type="application/x-amz-json-1.0")
