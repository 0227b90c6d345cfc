"""The stream of pictures, the history of the match rate, and a port that is taken."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter as Tally

import aiohttp
import orjson
import pytest

from proxy.console.history import EVERY, KEPT, History, Sample
from proxy.console.server import open_console
from proxy.core.errors import Unavailable
from proxy.core.stage import Stage
from tests.fixtures import memory_world
from tests.fixtures.memory_world import world
from tests.unit.console.counter import FOR_REAL, NAME, counter


async def frames(answer: aiohttp.ClientResponse, event: str, count: int) -> list[dict[str, object]]:
    """The data of the next events of a kind."""
    found: list[dict[str, object]] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            line = await answer.content.readline()
            if line.startswith(b"event: " + event.encode()):
                data = await answer.content.readline()
                found.append(orjson.loads(data.removeprefix(b"data: ")))
    return found


async def test_a_change_is_seen_by_whoever_watches() -> None:
    async with counter(Stage.MONGO_ONLY) as stand, stand.session.get(f"{stand.console.url}api/live") as live:
        (first,) = await frames(live, "picture", 1)
        await stand.order("mirror", FOR_REAL)
        stages = {one["collections"][0]["stage"] for one in await frames(live, "picture", 2)}  # type: ignore[index]
    assert first["collections"][0]["stage"] == "MONGO_ONLY"  # type: ignore[index]
    assert "MONGO_PRIMARY" in stages


async def test_a_control_store_that_is_silent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:

        async def fail(name: str) -> None:
            raise Unavailable("the control store does not answer")

        monkeypatch.setattr(stand.world.app.control, "flag", fail)
        async with stand.session.get(f"{stand.console.url}api/live") as live:
            (trouble,) = await frames(live, "trouble", 1)
    assert trouble == {"message": "the control store does not answer"}


async def test_the_end_of_the_proxy_ends_the_streams_soon() -> None:
    async with (
        world(Stage.MONGO_ONLY) as opened,
        aiohttp.ClientSession() as session,
        asyncio.timeout(10),
    ):
        async with open_console(opened.app.desk(), "127.0.0.1:0") as console:
            live = await session.get(f"{console.url}api/live")
            await frames(live, "picture", 1)
        rest = await live.content.read()
        assert b"event: trouble" not in rest


async def test_a_taken_port_is_said_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with world(Stage.MONGO_ONLY) as opened:
        with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            async with open_console(opened.app.desk(), address) as console:
                assert console.url == ""
                assert await opened.app.overview.collections()
    assert f"no console: {address} cannot be had" in caplog.text


def test_the_history_keeps_rates_of_intervals_and_forgets_the_oldest() -> None:
    outcomes: dict[str, Tally[str]] = {NAME: Tally()}
    history = History(lambda: outcomes, memory_world.TestClock())
    history.sample()
    assert history.of(NAME) == ()
    outcomes[NAME].update(MATCH=9, TRUE_MISMATCH=1, LAG=50, DROPPED=7, UNAVAILABLE=3)
    history.sample()
    history.sample()
    (sample,) = history.of(NAME)
    assert sample == Sample(sample.at, 10, 9)
    for _ in range(KEPT + 5):
        outcomes[NAME]["MATCH"] += 1
        history.sample()
    assert len(history.of(NAME)) == KEPT and history.of(NAME)[0].judged == 1
    assert KEPT * EVERY == 1800
