"""Turns what comparisons found into counts, log lines and rows of the divergence log, off the request's path.

A finding is never lost silently: the queue to the log is bounded, and what does not fit is counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from proxy.core.collection import Collection
from proxy.core.comparison import Kind
from proxy.core.divergence import REDACTED, Divergence, FieldDifference, diff
from proxy.core.errors import CrossfadeError
from proxy.core.keys import Key
from proxy.core.ports import Clock, DivergenceLog, Signals
from proxy.core.version import Record

_log = logging.getLogger("crossfade.divergence")


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that survived; `key` is None when it belongs to a query rather than to one document."""

    kind: Kind
    key: Key | None
    operation: str
    epoch: int
    primary: Record | None
    mirror: Record | None
    message: str = ""
    trace_id: str = ""


class Reporter:
    """The outcomes of one collection's comparisons on one replica."""

    def __init__(
        self,
        collection: Collection,
        log: DivergenceLog,
        replica: str,
        clock: Clock,
        signals: Signals,
        queue_size: int = 1000,
    ) -> None:
        self._collection = collection
        self._log = log
        self._replica = replica
        self._clock = clock
        self._signals = signals
        self._queue: asyncio.Queue[Divergence] = asyncio.Queue(queue_size)
        self._task: asyncio.Task[None] | None = None
        self._outcomes: Counter[str] = Counter()

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How often each outcome was seen since this process started."""
        return self._outcomes

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
        divergence = self._describe(finding)
        _log.warning("divergence", extra={"divergence": divergence})
        try:
            self._queue.put_nowait(divergence)
        except asyncio.QueueFull:
            self.count("REPORT_DROPPED")

    def _describe(self, finding: Finding) -> Divergence:
        now = self._clock.now()
        key = self._key_text(finding.key)
        return Divergence(
            id=_identity(self._collection.name, key, finding),
            collection=self._collection.name,
            kind=finding.kind,
            key=key,
            operation=finding.operation,
            epoch=finding.epoch,
            primary_version=finding.primary.version if finding.primary else None,
            mirror_version=finding.mirror.version if finding.mirror else None,
            differences=self._differences(finding),
            first_seen=now,
            last_seen=now,
            replica=self._replica,
            trace_id=finding.trace_id,
        )

    def _differences(self, finding: Finding) -> tuple[FieldDifference, ...]:
        if finding.message:
            return (FieldDifference("", finding.message, None),)
        primary = finding.primary.document if finding.primary else None
        mirror = finding.mirror.document if finding.mirror else None
        return diff(primary, mirror, self._collection.settings.redact)

    def _key_text(self, key: Key | None) -> str:
        if key is None:
            return ""
        hidden = self._collection.settings.redact
        names = [field.name for field in self._collection.key_fields]
        shown = {
            name: REDACTED if name in hidden or "*" in hidden else _plain(value)
            for name, value in zip(names, key.values, strict=True)
        }
        return json.dumps(shown, ensure_ascii=False)

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


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _identity(collection: str, key: str, finding: Finding) -> str:
    """Stable over replicas and repetitions: the same difference is one row. Hidden keys stay distinct."""
    values = finding.key.values if finding.key else ()
    text = json.dumps([collection, key, [str(v) for v in values], finding.kind.value, finding.message])
    return hashlib.sha256(text.encode()).hexdigest()[:24]
