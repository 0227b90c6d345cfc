"""Ports of the loopback address: the one asked for, or a free one, tried until one is ours."""

import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

from proxy.embedded.missing import PortTaken

T = TypeVar("T")
_TRIES = 5


async def run_on_port(wanted: int | None, run: Callable[[int], Awaitable[T]]) -> T:
    """Await `run(port)` on the wanted port, or on free ports while others are quicker to take them.

    PortTaken when the wanted port, or five free ones in a row, went to somebody else.
    """
    if wanted is not None:
        return await run(wanted)
    for _ in range(_TRIES - 1):
        try:
            return await run(free_port())
        except PortTaken:
            continue
    return await run(free_port())


def free_port() -> int:
    """A port that nobody listened on just now; another process may still be quicker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def is_listening(host: str, port: int, timeout: float = 2.0) -> bool:
    """Whether anything accepts connections there (blocking)."""
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError:
        return False
    return True
