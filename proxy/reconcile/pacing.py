"""How fast one process may move documents: how many at once, how many a second, and what they may cost.

What is allowed follows what the store says: it shrinks when the store throttles or its answers begin to
queue, and grows again while they do not. Invariant: it never exceeds what an operator has set.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

UNIT = 1024
"""Bytes that one write unit pays for."""

Clock = Callable[[], float]


def loop_time() -> float:
    """Seconds of the running event loop's clock."""
    return asyncio.get_running_loop().time()


class Window:
    """How many documents may be in flight, by the delay that they cause each other (as TCP Vegas does).

    The shortest mean delay seen is what an answer takes when nobody queues; the rest is queueing, and of that
    a few documents are kept: enough to keep the store busy, too few for live traffic to notice.
    """

    LOW, HIGH = 5.0, 10.0
    FORGETTING = 1.00005
    """Stores change: the shortest delay seen counts less each time, but not so fast that our own queue would
    pass for the store's slowness."""

    def __init__(self, start: int = 4, most: int = 64) -> None:
        self.limit = start
        self.in_flight = 0
        self._most = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._shortest = float("inf")
        self._sum, self._seen = 0.0, 0

    async def enter(self) -> None:
        """Wait for a place."""
        while self.in_flight >= self.limit:
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                self._wake()  # somebody else may have it
                raise
        self.in_flight += 1

    def leave(self, seconds: float | None = None) -> None:
        """Give the place back, after so long; None says nothing about the store."""
        self.in_flight -= 1
        if seconds is not None:
            self._sum, self._seen = self._sum + seconds, self._seen + 1
            if self._seen >= self.limit:
                self._adapt(self._sum / self._seen)
        self._wake()

    def shrink(self) -> None:
        """The store is overloaded."""
        self.limit = max(1, self.limit // 2)

    def _adapt(self, mean: float) -> None:
        self._sum, self._seen = 0.0, 0
        self._shortest = min(self._shortest * self.FORGETTING, mean)
        queued = self.limit * (1 - self._shortest / mean) if mean else 0.0
        if queued < self.LOW:
            self.limit = min(self._most, self.limit + 1)
        elif queued > self.HIGH:
            self.limit = max(1, self.limit - 1)

    def _wake(self) -> None:
        free = self.limit - self.in_flight
        while self._waiting and free > 0:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1


class Budget:
    """So much a second, paid in advance and corrected by what it really was. None is no limit.

    Throttling lowers the limit to seven tenths of what was spent of late, at most once a second. From there
    it rises as TCP CUBIC's does: back to where it was in RECOVERY seconds, slowly near there, and then ever
    faster, up to the `ceiling`. So a first guess that was far too low, since little had been spent when the
    store throttled, is ten times as high after twenty seconds.
    """

    RECOVERY = 5.0
    KEPT = 0.7
    LEAST, FADING = 1 / 64, 0.98
    """However long a store is in trouble, the limit falls no lower than this share of the most that was
    spent, so that the way back up stays short; what was spent long ago counts less each time."""

    def __init__(self, ceiling: float | None = None, clock: Clock = loop_time) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._knee: float | None = None  # what was spent when the store throttled last
        self._lowered_at = float("-inf")
        self._most = 0.0
        self._promised = self._earned = 0.0  # what all have paid for, and of that what time has given
        self._settled_at = self._since = clock()
        self._spent, self._recent = 0.0, 0.0

    @property
    def limit(self) -> float | None:
        """What may be spent a second now."""
        if self._knee is None:
            return self._ceiling
        late = (self._clock() - self._lowered_at) / self.RECOVERY - 1.0
        risen = self._knee * (1.0 + (1.0 - self.KEPT) * late**3)
        return risen if self._ceiling is None else min(risen, self._ceiling)

    def set_ceiling(self, ceiling: float | None) -> None:
        """An operator's limit, or this process's share of it, has changed; what the store taught us stays."""
        if ceiling != self._ceiling:
            self._settle()
            self._ceiling = ceiling

    def pay(self, amount: float) -> float:
        """Spend it; whose turn it is then: see `pause`."""
        self._watch(amount)
        self._settle()
        turn = self._promised
        self._promised += amount
        return turn

    def pause(self, turn: float) -> float:
        """How many seconds from now it is a payer's turn, if the limit stays as it is; 0 when it has come."""
        self._settle()
        limit = self.limit
        return 0.0 if limit is None else max(0.0, (turn - self._earned) / limit)

    async def wait_for(self, turn: float) -> None:
        """Wait until it has come: a limit that changes meanwhile counts from then on."""
        while (pause := self.pause(turn)) > 0:  # noqa: ASYNC110 - nobody tells that time has passed
            await asyncio.sleep(min(pause, LOOK))

    def correct(self, amount: float) -> None:
        """What was spent was so much more (or less) than was paid."""
        self._spent += amount
        self._settle()
        self._promised += amount

    def lower(self) -> None:
        """The store throttles."""
        now = self._clock()
        if now - self._lowered_at < 1.0:
            return
        self._watch(0.0)
        self._settle()
        spent = max(self._recent, self._spent / max(now - self._since, 0.1))
        limit = self.limit
        present = spent if limit is None else min(limit, spent or limit)
        self._most = max(self.FADING * self._most, present)
        self._knee = max(present, self._most * self.LEAST, 1.0)
        self._lowered_at = now

    def _settle(self) -> None:
        """Let the time since the last look earn what it may; nothing is saved up for later."""
        now, limit = self._clock(), self.limit
        gained = float("inf") if limit is None else limit * (now - self._settled_at)
        self._earned = min(self._promised, self._earned + gained)
        self._settled_at = now

    def _watch(self, amount: float) -> None:
        """Know what was spent a second of late, to have something to lower."""
        now = self._clock()
        if now - self._since >= 1.0:
            self._recent, self._since, self._spent = self._spent / (now - self._since), now, 0.0
        self._spent += amount


LOOK = 0.5
"""Seconds after which whoever waits for a budget looks at its limit again."""
CRAWL = 0.25
"""Seconds that each document, or each batch that is read, waits while clients need the replica."""
SELDOM = 16
"""One write in so many tells what it took where nothing is limited: telling takes the store its time."""


def _never() -> bool:
    return False


class Pacing:
    """What all ranges that one process works on share.

    `rate` is documents a second, `max_units` write units a second (None: no limit but the store's own).
    While `gives_way`, each step waits for CRAWL seconds.
    """

    def __init__(
        self,
        *,
        rate: float | None = None,
        max_units: float | None = None,
        window: Window | None = None,
        clock: Clock = loop_time,
        gives_way: Callable[[], bool] = _never,
    ) -> None:
        self._gives_way = gives_way
        self.documents = Budget(rate, clock)
        self.units = Budget(max_units, clock)
        self.window = window or Window()
        self.throttled = 0
        self._factor = 1.0  # units that a document takes over those of its BSON
        self._writes = 0

    async def enter(self, size: int) -> float:
        """Wait until a document of `size` bytes may be written; the units that were paid for it."""
        await self._give_way()
        units = self._factor * units_of(size)
        turn, place = self.documents.pay(1.0), self.units.pay(units)
        await self.documents.wait_for(turn)
        await self.units.wait_for(place)
        await self.window.enter()
        return units

    def asks(self) -> bool:
        """Whether the next write is to tell what it takes: under a limit each is, so that what is spent is
        known to the unit; else a few, to know what documents take once the store throttles."""
        self._writes += 1
        return self.units.limit is not None or self._writes % SELDOM == 1

    def leave(self, size: int, paid: float, took: float, seconds: float | None) -> None:
        """It was written for `took` units (0: the store did not tell) within `seconds`."""
        if took > 0:
            self.units.correct(took - paid)
            self._factor += 0.02 * (took / units_of(size) - self._factor)
        self.window.leave(seconds)

    def throttle(self) -> None:
        """The store refused a write because there were too many."""
        self.throttled += 1
        self.window.shrink()
        self.units.lower()

    async def _give_way(self) -> None:
        """Go at a crawl while clients need the replica; never stand still, for a job holds a lease."""
        if self._gives_way():
            await asyncio.sleep(CRAWL)

    async def take(self, documents: int) -> None:
        """Wait until so many documents may be read."""
        await self._give_way()
        await self.documents.wait_for(self.documents.pay(documents))


def units_of(size: int) -> int:
    """The write units of an item of so many bytes."""
    return max(1, -(-size // UNIT))
