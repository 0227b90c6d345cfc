"""Waits of the driver that end as they are cancelled: locks are given back, and no cancellation is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pymongo.lock
import pymongo.network_layer
import pymongo.pool_shared
import pytest

from proxy.stores.mongo.waits import mend_waits, wait_for


@pytest.fixture(autouse=True)
def mended() -> None:
    mend_waits()


async def wait_once(condition: pymongo.lock.Condition, timeout: float) -> bool:
    """As PyMongo's topology waits for a server."""
    async with condition:
        return await pymongo.lock._async_cond_wait(condition, timeout)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_wait_that_is_given_up_while_its_time_ends_gives_the_lock_back() -> None:
    condition = pymongo.lock._async_create_condition(pymongo.lock._async_create_lock())
    waiting = asyncio.create_task(wait_once(condition, 0.01))
    await turns()
    async with condition:  # so that the wait, once its time is over, has to wait for the lock
        await asyncio.sleep(0.03)
        waiting.cancel()  # and at once the lock is free
    await asyncio.gather(waiting, return_exceptions=True)
    await turns()
    assert waiting.cancelled() and not condition.locked()
    async with asyncio.timeout(1.0), condition:
        pass


async def test_a_wait_that_is_given_up_twice_gives_the_lock_back() -> None:
    condition = pymongo.lock._async_create_condition(pymongo.lock._async_create_lock())
    waiting = asyncio.create_task(wait_once(condition, 10.0))
    await turns()
    async with condition:
        waiting.cancel()
        await turns()
        waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await turns()
    assert waiting.cancelled() and not condition.locked()


async def test_a_wait_ends_when_it_is_told_or_when_its_time_is_over() -> None:
    condition = pymongo.lock._async_create_condition(pymongo.lock._async_create_lock())
    waiting = asyncio.create_task(wait_once(condition, 10.0))
    await turns()
    async with condition:
        condition.notify()
    assert await waiting
    assert not await wait_once(condition, 0.01)
    assert await wait_for(asyncio.sleep(0, "done"), None) == "done"


@pytest.mark.parametrize("module", [pymongo.pool_shared, pymongo.network_layer])
async def test_a_cancellation_that_meets_the_end_of_a_wait_is_not_lost(module: Any) -> None:
    ending: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(module.asyncio.wait_for(ending, 10.0))
    await turns()
    ending.set_result("connected")  # whoever waits is about to learn of it
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()


async def test_everything_else_is_asyncios_own() -> None:
    mended: Any = pymongo.pool_shared
    assert mended.asyncio.CancelledError is asyncio.CancelledError
    assert mended.asyncio.get_running_loop() is asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        await mended.asyncio.wait_for(asyncio.sleep(10), 0.0)
