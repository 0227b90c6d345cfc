"""The process in the background that owns the stack: when it ends, everything it started ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

from examples.demo.data import example_data, load
from examples.demo.stack import ProxyFailed, Stack, open_stack
from examples.playground.place import LOG, Running, forget, write
from proxy.embedded.missing import MissingPart

DOCUMENTS = 3000
FAILED, MISSING = 1, 2


async def keep(port: int) -> int:
    """Start the stack, write down that it runs, and stop it when told by a signal."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with open_stack() as stack:
            await _fill(stack, port)
            write(_described(stack))
            await stopped.wait()
    except MissingPart as missing:
        print(missing, file=sys.stderr)
        return MISSING
    except ProxyFailed as failure:
        print(failure, file=sys.stderr)
        return FAILED
    finally:
        forget()
    return 0


async def _fill(stack: Stack, port: int) -> None:
    data = example_data(DOCUMENTS, time.time_ns() // 1_000_000)
    await load(stack.stores.mongodb.address, stack.collections, data)
    await stack.start_proxy(port)
    await stack.start_proxy(port + 1)


def _described(stack: Stack) -> Running:
    return Running(
        pid=os.getpid(),
        mongodb=stack.stores.mongodb.address,
        database=stack.collections[0].mongo_database,
        dynamodb=stack.stores.dynamodb.address,
        proxies=stack.addresses,
        consoles=[proxy.console for proxy in stack.proxies],
        log=str(LOG),
    )
