"""Serves the console within the proxy's own event loop, beside gRPC and never in its way.

An address that cannot be had is said in the log, and the proxy goes on without a console: serving clients
comes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from proxy.console.access import Access, OpenAccess, SignedIn
from proxy.console.desk import Desk
from proxy.console.history import History
from proxy.console.pages import Pages
from proxy.console.sessions import Sessions
from proxy.console.watching import Lookout
from proxy.core.identity import Doorkeeper
from proxy.core.place import host_of, is_loopback

_log = logging.getLogger("crossfade.console")

GRACE = 1
"""Seconds that answers in hand may take at the end."""


class _Server(uvicorn.Server):
    """A server that leaves signals to the process that it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Config(uvicorn.Config):
    """A configuration that takes the proxy's own context, whose certificate is replaced as it runs."""

    def __init__(self, tls: ssl.SSLContext | None, app: ASGIApp, **settings: Any) -> None:
        super().__init__(app, **settings)
        self._tls = tls

    def load(self) -> None:
        super().load()
        self.ssl = self._tls


class Console:
    """The console of one replica. `port` is known once `start` returned; 0 where it is not served."""

    def __init__(
        self,
        desk: Desk,
        address: str,
        *,
        door: Doorkeeper | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """With a `door` people sign in; with `tls` they come by https."""
        self._address = address
        self._history = History(desk.outcomes, desk.clock)
        self._lookout = Lookout(desk)
        self._scheme = "https" if tls else "http"
        pages = Pages(desk, _access(address, door), self._history, self._lookout)
        self._server = _Server(
            _Config(
                tls,
                pages.application(),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._tasks: list[asyncio.Task[None]] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where a browser finds it; empty where it is not served."""
        host = host_of(self._address)
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/" if self.port else ""

    async def start(self) -> None:
        """Listen and serve, or say why not."""
        try:
            listener = _listen(self._address)
        except OSError as error:
            reason = error.strerror or str(error)
            _log.warning("no console: %s cannot be had (%s); choose another --console", self._address, reason)
            return
        self.port = listener.getsockname()[1]
        self._tasks = [
            asyncio.create_task(self._server.serve([listener]), name="console.server"),
            asyncio.create_task(self._history.run(), name="console.history"),
        ]
        _log.info("console at %s", self.url, extra={"console": self.url})

    async def stop(self) -> None:
        """End the streams, then the server."""
        await self._lookout.close()
        if not self._tasks:
            return
        server, history = self._tasks
        history.cancel()
        self._server.should_exit = True
        await asyncio.gather(server, history, return_exceptions=True)


def _access(address: str, door: Doorkeeper | None) -> Access:
    everybody = OpenAccess(any_name=not is_loopback(host_of(address)))
    return SignedIn(everybody, Sessions(time.monotonic), door) if door else everybody


def _listen(address: str) -> socket.socket:
    host, port = host_of(address), int(address.rpartition(":")[2])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


@contextlib.asynccontextmanager
async def open_console(
    desk: Desk, address: str, *, door: Doorkeeper | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Console]:
    """A console that is served within the block, where its address can be had."""
    console = Console(desk, address, door=door, tls=tls)
    await console.start()
    try:
        yield console
    finally:
        await console.stop()
