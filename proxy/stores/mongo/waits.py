"""PyMongo's waits on Python 3.11, as later Pythons wait.

Before Python 3.12 `asyncio.wait_for` runs what it waits for in a task of its own, and two things go wrong:

* PyMongo waits like that for its conditions, inside of `async with` on their lock. When a deadline and the
  end of such a wait meet, the caller leaves the block while that task is about to take the lock again, and
  nobody will give it back: every later operation of the client waits for ever. Calls that are given up while
  MongoDB is away are enough for it.
* A cancellation that meets the end of the wait is lost. PyMongo connects like that, so that who is to stop
  while a connection is made goes on for ever: a reconciler that follows the feed, and all who wait for it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from types import ModuleType
from typing import Any, TypeVar

import pymongo.lock
import pymongo.network_layer
import pymongo.pool_shared

T = TypeVar("T")


def mend_waits() -> None:
    """Have every client of this process wait without a task between; calling it again does no harm."""
    if sys.version_info < (3, 12):
        pymongo.lock.wait_for = wait_for  # type: ignore[assignment, attr-defined] # what its `_async_cond_wait` calls
        for module in (pymongo.network_layer, pymongo.pool_shared):
            module.asyncio = MendedAsyncio("asyncio")  # type: ignore[attr-defined]


async def wait_for(awaitable: Awaitable[T], timeout: float | None) -> T:
    """`asyncio.wait_for` of Python 3.12. Raises TimeoutError after `timeout` seconds."""
    async with asyncio.timeout(timeout):
        return await awaitable


class MendedAsyncio(ModuleType):
    """`asyncio` for a module that calls `asyncio.wait_for`."""

    wait_for = staticmethod(wait_for)

    def __getattr__(self, name: str) -> Any:
        value = getattr(asyncio, name)
        setattr(self, name, value)  # not to be looked for again
        return value
