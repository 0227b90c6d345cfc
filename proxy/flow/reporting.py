"""Turns what comparisons found into counts, log lines and rows of the divergence log, off the request's path.

A finding is never lost silently: the queue to the log is bounded, and what does not fit is counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping

from proxy.core.collection import Collection
from proxy.core.divergence import Divergence
from proxy.core.errors import CrossfadeError
from proxy.core.finding import Finding, describe
from proxy.core.ports import Clock, DivergenceLog, Signals

_log = logging.getLogger("crossfade.divergence")


class Reporter:
    """The outcomes of one collection's comparisons on one replica."""

    def __init__(
        self,
        collection: Collection,
        log: DivergenceLog,
        replica: str,
        clock: Clock,
        signals: Signals,
    ) -> None:
        self._collection = collection
        self._log = log
        self._replica = replica
        self._clock = clock
        self._signals = signals
        self._queue: asyncio.Queue[Divergence] = asyncio.Queue(collection.settings.report_queue)
        self._task: asyncio.Task[None] | None = None
        self._outcomes: Counter[str] = Counter()

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How often each outcome was seen since this process started."""
        return self._outcomes

    @property
    def waiting(self) -> int:
        """Divergences that wait to be recorded."""
        return self._queue.qsize()

    def start(self) -> None:
        self._task = asyncio.create_task(self._drain(), name=f"reporting.{self._collection.name}")

    async def stop(self, timeout: float = 2.0) -> None:
        """Write out what is queued, for at most `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._queue.join()
        except TimeoutError:
            self.count("REPORT_DROPPED", self._queue.qsize())
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until everything reported so far is in the log."""
        await self._queue.join()

    def count(self, outcome: str, amount: int = 1) -> None:
        """Count one outcome of a comparison."""
        self._outcomes[outcome] += amount
        self._signals.count(
            "crossfade.shadow.outcomes", amount, collection=self._collection.name, outcome=outcome
        )

    def report(self, finding: Finding) -> None:
        """Count, log and keep a divergence; returns at once."""
        self.count(finding.kind.value)
        divergence = describe(self._collection, finding, self._replica, self._clock.now())
        _log.warning("divergence", extra={"divergence": divergence})
        try:
            self._queue.put_nowait(divergence)
        except asyncio.QueueFull:
            self.count("REPORT_DROPPED")

    async def _drain(self) -> None:
        while True:
            divergence = await self._queue.get()
            try:
                await self._log.record(divergence)
            except CrossfadeError as error:
                _log.error("divergence not stored: %s", error)
                self.count("REPORT_DROPPED")
            finally:
                self._queue.task_done()
