"""A fake proxy and clients of it, in this event loop or, for the blocking ones, in a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from crossfade import AsyncClient, RetryPolicy
from tests.unit.client.fake import FakeProxy, serve

QUICK = RetryPolicy(attempts=4, first_pause=0.001, longest_pause=0.002)


@pytest.fixture
async def proxy() -> AsyncIterator[FakeProxy]:
    fake = FakeProxy()
    server = await serve(fake)
    yield fake
    await server.stop(None)


@pytest.fixture
async def client(proxy: FakeProxy) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(proxy.address, retry=QUICK, timeout=5) as client:
        yield client


@pytest.fixture
def remote_proxy() -> Iterator[FakeProxy]:
    """The fake in a thread, for clients that block theirs."""
    fake, started = FakeProxy(), threading.Event()
    loop = asyncio.new_event_loop()

    async def run(stop: asyncio.Event) -> None:
        server = await serve(fake)
        started.set()
        await stop.wait()
        await server.stop(None)

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run(stop)))
    thread.start()
    assert started.wait(10)
    yield fake
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()
