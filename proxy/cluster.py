"""One collection's stores, feeds and jobs, opened by a process that is no replica: a command, an executor.

It serves nobody and is in no registry; it learns of a new stage by asking for the flag every so often. That
is enough, because nothing that it writes is written over a newer version or past a fence.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from proxy.config import ProxyConfig
from proxy.core.collection import Collection
from proxy.core.errors import CrossfadeError, NotFound, Reason
from proxy.core.flag import Flag
from proxy.core.silence import SilentSignals
from proxy.core.stage import Published
from proxy.reconcile.site import Site
from proxy.wiring import open_parts, sites_of

LOOK = 1.0
"""Seconds between two looks at the flag."""


class Watch:
    """What is known of a collection's flag (`reconcile.site.Outlook`)."""

    def __init__(self, flag: Flag) -> None:
        self.published: Published = flag.published

    def learn(self, flag: Flag) -> None:
        self.published = flag.published


@asynccontextmanager
async def open_site(
    config: ProxyConfig, name: str, collections: tuple[Collection, ...] | None = None
) -> AsyncIterator[tuple[Site, Watch]]:
    """A collection's site and an outlook on it. `collections` stand for the file where there is none.

    Raises NotFound for a collection that is not declared, or that no proxy has served yet.
    """
    parts = open_parts(config, SilentSignals(), collections)
    try:
        site = sites_of(parts).get(name)
        if site is None:
            raise NotFound(f"there is no collection named {name!r}", Reason.UNKNOWN_COLLECTION)
        watch = Watch(await site.control.flag(name))
        looking = asyncio.create_task(_look(site, watch))
        try:
            yield site, watch
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
    finally:
        await parts.close()


def own_name(role: str) -> str:
    """A name for this process among those who hold leases."""
    return f"{role}/{socket.gethostname()}/{os.getpid()}/{os.urandom(3).hex()}"


async def _look(site: Site, watch: Watch) -> None:
    while True:
        await asyncio.sleep(LOOK)
        with contextlib.suppress(CrossfadeError):
            watch.learn(await site.control.flag(site.name))
