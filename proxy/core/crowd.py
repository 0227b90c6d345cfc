"""How many calls are in hand, whose they are, and what gives way when there are too many.

What is shed, in this order: shadow reads, then the pace of backfills and verifies, then calls. Invariants:
no more calls than `most` are ever in hand; once half of them are, nobody who has their fair share (of all
clients that have calls in hand, or of all collections) gets more: a flood leaves room for everybody else.
"""

from __future__ import annotations

from collections import Counter

from proxy.core.errors import Overloaded
from proxy.core.ports import Signals
from proxy.core.silence import SilentSignals

BUSY, CROWDED = 0.5, 0.75
"""Shares of what fits, in calls or in memory, at which shadow reads and then jobs give way."""

RETRY_AFTER = 0.2
"""Seconds after which a call that was shed may be tried again."""

WORK = ("shadow_read", "job_step", "call")
"""What is shed, in this order, as the metric names it."""


class Crowd:
    """The calls about documents that one process has in hand; `most` 0 is no limit.

    What is shed is counted.
    """

    def __init__(self, most: int = 0, signals: Signals | None = None) -> None:
        self._most = most
        self._signals = signals or SilentSignals()
        self._held = 0
        self._memory = 0.0
        self._clients: Counter[str] = Counter()
        self._collections: Counter[str] = Counter()

    def enter(self, client: str, collection: str) -> None:
        """Take a call in hand; `leave` must follow. Raises Overloaded, and nothing must follow then."""
        if self._most and (self._held >= self._most or self._memory >= 1.0):
            raise self._refusal("the proxy has as many calls in hand as it takes")
        if self._most and self._held >= self._most * BUSY:
            self._check_share(self._clients, client, "this client has")
            self._check_share(self._collections, collection, "this collection has")
        self._held += 1
        self._clients[client] += 1
        self._collections[collection] += 1

    def leave(self, client: str, collection: str) -> None:
        """The call is done."""
        self._held -= 1
        for counter, name in ((self._clients, client), (self._collections, collection)):
            counter[name] -= 1
            if not counter[name]:
                del counter[name]

    def note_memory(self, share: float) -> None:
        """How much of the memory that it may use the process uses; 1 is all of it."""
        self._memory = share

    @property
    def held(self) -> int:
        """Calls in hand."""
        return self._held

    def sheds_shadow_read(self) -> bool:
        """Whether the shadow read that asks gives way; then it must."""
        return self._sheds("shadow_read", BUSY)

    def slows_job(self) -> bool:
        """Whether the step of a backfill or verify that asks gives way; then it must."""
        return self._sheds("job_step", CROWDED)

    def _sheds(self, work: str, limit: float) -> bool:
        if self._load() < limit:
            return False
        self._signals.count("crossfade.shed", work=work)
        return True

    def _load(self) -> float:
        return max(self._held / self._most if self._most else 0.0, self._memory)

    def _check_share(self, counter: Counter[str], name: str, who: str) -> None:
        sharers = len(counter) + (name not in counter)
        if sharers > 1 and counter[name] >= max(1, self._most // sharers):
            raise self._refusal(f"{who} its share of calls in hand, and others wait")

    def _refusal(self, message: str) -> Overloaded:
        self._signals.count("crossfade.shed", work="call")
        return Overloaded(message, retry_after=RETRY_AFTER)
