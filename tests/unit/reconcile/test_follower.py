"""Writes gather before they are settled, but never while somebody waits for a marker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from proxy.clock import SystemClock
from proxy.core.exchange import FeedBatch
from proxy.core.keys import Key
from proxy.reconcile import follower as module
from proxy.reconcile.follower import Follower
from proxy.reconcile.key import Outcome, Result
from proxy.reconcile.settler import Told

FIRST, SECOND = Key(("first",)), Key(("second",))


class Tape:
    """A feed that plays batches, and then is silent."""

    def __init__(self, *batches: FeedBatch) -> None:
        self._batches = batches

    async def tip(self) -> str:
        return ""

    async def mark(self) -> str:
        return "marker"

    async def follow(self, position: str) -> AsyncIterator[FeedBatch]:
        for batch in self._batches:
            yield batch
        await asyncio.Event().wait()


class Settling:
    """Settles everything at once, and notes what it was asked for together."""

    def __init__(self) -> None:
        self.asked: list[list[Key]] = []
        self.is_asked = asyncio.Event()

    async def settle(self, keys: Sequence[Key], is_fresh: bool, told: Told) -> list[Outcome]:
        self.asked.append(list(keys))
        self.is_asked.set()
        return [Outcome(key, Result.EQUAL) for key in keys]


def batch(*keys: Key, markers: Sequence[str] = ()) -> FeedBatch:
    return FeedBatch(keys=tuple(keys), position="p", committed_at=1, markers=frozenset(markers))


async def following(tape: Tape, settling: Settling) -> tuple[Follower, asyncio.Task[None]]:
    follower = Follower(tape, "", "", settling.settle, SystemClock())
    return follower, asyncio.create_task(follower.run())


async def test_writes_of_a_moment_are_settled_together_and_each_document_once() -> None:
    settling = Settling()
    _, task = await following(Tape(batch(FIRST), batch(SECOND, FIRST), batch(FIRST)), settling)
    async with asyncio.timeout(10):
        await settling.is_asked.wait()
    assert settling.asked == [[FIRST, SECOND]]
    task.cancel()


async def test_nothing_gathers_while_a_marker_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER", 3600.0)
    settling = Settling()
    follower, task = await following(Tape(batch(FIRST), batch(SECOND, markers=["marker"])), settling)
    await asyncio.sleep(0)  # gathering has begun
    async with asyncio.timeout(10):
        assert await follower.wait_for("marker")
    assert settling.asked == [[FIRST, SECOND]]
    task.cancel()
