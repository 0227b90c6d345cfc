"""Removes tombstones from MongoDB while it is the primary, so that direct readers hardly ever meet one.

A tombstone goes once the mirror holds it and `tombstone_grace` has passed, during which a repeated delete is
still recognised. What a crash leaves behind is removed by the reconciler, or by the TTL index.
"""

from __future__ import annotations

import asyncio

from proxy.core.collection import Settings
from proxy.core.errors import CrossfadeError
from proxy.core.ports import CollectionStore, Signals
from proxy.core.stage import Published, StoreName
from proxy.core.version import Record
from proxy.flow.mirror import MirrorOutcome


class Cleanup:
    """The pending removals of one collection on this replica: bounded, dropped at shutdown."""

    def __init__(self, collection: str, mongo: CollectionStore, settings: Settings, signals: Signals) -> None:
        self._collection = collection
        self._mongo = mongo
        self._grace = settings.tombstone_grace
        self._most = settings.purge_queue
        self._signals = signals
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def after(self, published: Published, record: Record | None, outcome: MirrorOutcome) -> None:
        """Note a write: if it left a tombstone that the mirror holds too, it goes after the grace."""
        if record is None or not record.is_tombstone or outcome is MirrorOutcome.DEFERRED:
            return
        if published.stage.primary is not StoreName.MONGODB or len(self._timers) >= self._most:
            return
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle = loop.call_later(self._grace, lambda: self._start(timer, record))
        self._timers.add(timer)

    @property
    def waiting(self) -> int:
        """Tombstones that wait for their grace to pass."""
        return len(self._timers)

    async def stop(self) -> None:
        """Forget what is pending and wait for what has begun."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        await asyncio.gather(*self._tasks)

    def _start(self, timer: asyncio.TimerHandle, record: Record) -> None:
        self._timers.discard(timer)
        task = asyncio.create_task(self._purge(record), name="cleanup.purge")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _purge(self, record: Record) -> None:
        try:
            purged = await self._mongo.purge(record)
        except CrossfadeError:
            purged = False
        self._signals.count("crossfade.tombstones.purged", int(purged), collection=self._collection)
