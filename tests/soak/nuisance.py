"""What should not be sent: malformed bytes, operators in the wrong place, forged tokens, messages too large.

Each must be refused by name (or by gRPC itself, where a message is over the limit), and nothing else may come
of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import grpc

from crossfade.v1 import document_pb2, migration_pb2
from crossfade.v1 import storage_pb2 as pb
from tests.faults.site import TASKS
from tests.fuzz.calls import NEVER
from tests.fuzz.grammar import WICKED, document_of, equal
from tests.fuzz.twins import refusal

PACE = 0.2
OVERSIZE_EVERY, LARGE_EVERY = 40, 8
"""One message in so many is above gRPC's limit, or a document above DynamoDB's."""

MOST_TOLD = 10
"""Complaints that are kept."""

_STORAGE, _MIGRATION = "/crossfade.v1.StorageService/", "/crossfade.v1.MigrationService/"
_PASSING = frozenset(
    ("STORE_UNAVAILABLE", "DEADLINE", "HELD", "OVERLOADED", "bare UNAVAILABLE", "bare DEADLINE_EXCEEDED")
)
"""What a good request may be told as well, while a store or a proxy is away."""


class Nuisance:
    """A client that sends nothing good, at work within `async with`: a call each `pace` seconds on average.

    Without a pace it sends only what `send` is told to.
    """

    def __init__(self, addresses: Sequence[str], seed: int = 11, pace: float | None = PACE) -> None:
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._addresses = addresses
        self._pace = pace
        self._chance = random.Random(seed)
        self._channels: list[grpc.aio.Channel] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        options = [("grpc.max_send_message_length", -1)]
        self._channels = [grpc.aio.insecure_channel(one, options=options) for one in self._addresses]
        if self._pace is not None:
            self._task = asyncio.create_task(self._work(self._pace))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for channel in self._channels:
            await channel.close(None)

    async def _work(self, pace: float) -> None:
        for number in itertools.count(1):
            await self.send(number)
            await asyncio.sleep(self._chance.random() * 2 * pace)

    async def send(self, number: int) -> None:
        """Send one thing, which depends on its number, and note the answer."""
        await self._send(*self._make(number))

    async def _send(self, what: str, path: str, data: bytes) -> None:
        call = self._chance.choice(self._channels).unary_unary(path, _same, _same)
        try:
            await call(data, timeout=10)
        except grpc.RpcError as failure:
            self._note(what, refusal(failure).reason)
        else:
            self._complain(f"{what} was taken for a good request")

    def _note(self, what: str, reason: str) -> None:
        if what == "oversize" and reason == "bare RESOURCE_EXHAUSTED":
            reason = "MESSAGE_TOO_LARGE"
        is_wrong = reason in NEVER - _PASSING or (reason.startswith("bare") and reason not in _PASSING)
        if is_wrong:
            self._complain(f"{what} was answered with {reason}")
        self.refused[what if reason not in _PASSING else "bad input, no answer"] += 1

    def _complain(self, sentence: str) -> None:
        if len(self.wrong) < MOST_TOLD:
            self.wrong.append(sentence)

    def _make(self, number: int) -> tuple[str, str, bytes]:
        if number % OVERSIZE_EVERY == 0:
            return "oversize", f"{_STORAGE}Insert", _insert({"text": "x" * (17 << 20)})
        if number % LARGE_EVERY == 0:
            return "large documents", f"{_STORAGE}Insert", _insert({"text": "x" * (1 << 20)})
        path, data = self._chance.choice(_MAKERS)(self._chance)
        return "bad input", path, data


_KEY = {"deployment_key": "nuisance", "webtask_container": "c", "webtask_name": "n"}


def _same(data: bytes) -> bytes:
    return data


def _insert(more: dict[str, Any]) -> bytes:
    return pb.InsertRequest(collection=TASKS, document=document_of({**_KEY, **more})).SerializeToString()


def _junk(chance: random.Random) -> tuple[str, bytes]:
    """Bytes that are no message: they end within a field."""
    return f"{_STORAGE}Get", b"\x0a\xff" + chance.randbytes(chance.randrange(60))


def _operator(chance: random.Random) -> tuple[str, bytes]:
    filter = equal("$where", chance.choice(WICKED))
    return f"{_STORAGE}Query", pb.QueryRequest(collection=TASKS, filter=filter).SerializeToString()


def _stranger(chance: random.Random) -> tuple[str, bytes]:
    """A collection that there is not, under ever another name."""
    name = f"made-up-{chance.getrandbits(64):x}"
    return f"{_STORAGE}Count", pb.CountRequest(collection=name).SerializeToString()


def _keyless(chance: random.Random) -> tuple[str, bytes]:
    document = document_of({"webtask_name": chance.choice(WICKED)})
    return f"{_STORAGE}Insert", pb.InsertRequest(collection=TASKS, document=document).SerializeToString()


def _crooked(chance: random.Random) -> tuple[str, bytes]:
    """A value that no store can hold."""
    bad = document_pb2.Value(decimal_value="x" * chance.randrange(1, 9))
    request = pb.UpdateRequest(collection=TASKS, key=document_of(_KEY))
    request.update.operators.add(path="a").set.CopyFrom(bad)
    return f"{_STORAGE}Update", request.SerializeToString()


def _forged(chance: random.Random) -> tuple[str, bytes]:
    token = "A" * chance.randrange(4, 400)
    where = pb.Filter(
        all_of=pb.FilterList(filters=[equal("deployment_key", "x"), equal("webtask_container", "c")])
    )
    request = pb.QueryRequest(collection=TASKS, filter=where, page_token=token)
    return f"{_STORAGE}Query", request.SerializeToString()


def _list_of_strangers(chance: random.Random) -> tuple[str, bytes]:
    request = migration_pb2.ListDivergencesRequest(page_token=f"W{chance.getrandbits(200):x}")
    return f"{_MIGRATION}ListDivergences", request.SerializeToString()


_MAKERS = (_junk, _operator, _stranger, _keyless, _crooked, _forged, _list_of_strangers)
