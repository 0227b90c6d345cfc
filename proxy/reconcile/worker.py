"""A process that serves nobody, and works at whatever backfill or verify runs, on whatever machine.

It is no replica: no change of the primary waits for it. What it writes is conditional, as of all who move
documents, so that a worker that hears late of a new stage does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from proxy.core.ports import Control
from proxy.core.stage import Published, Stage
from proxy.reconcile.site import Site
from proxy.reconcile.workshop import Workshop


class KnownFlag:
    """What a worker has last heard of a collection's flag."""

    def __init__(self) -> None:
        self.published = Published(0, Stage.MONGO_ONLY)


class Worker:
    """`run` it as a task until it is cancelled, then `stop` it."""

    def __init__(self, control: Control, sites: Mapping[str, Site]) -> None:
        self._control = control
        self._known = {name: KnownFlag() for name in sites}
        self.workshop = Workshop(control, sites, self._known)

    async def run(self) -> None:
        """Follow the flags, and join in every job, for ever."""
        for flag in await self._control.flags():
            self._learn(flag.collection, flag.published)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self.workshop.join_all())

    async def stop(self) -> None:
        """Leave what is begun to others, at its last document."""
        await self.workshop.stop()

    async def _follow(self) -> None:
        flags: Any = self._control.watch()
        async with aclosing(flags):
            async for flag in flags:
                self._learn(flag.collection, flag.published)

    def _learn(self, collection: str, published: Published) -> None:
        if collection in self._known:
            self._known[collection].published = published
