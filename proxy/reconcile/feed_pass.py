"""One pass over a feed, from its start to the next change of roles: what it follows, counts, and may save."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from types import MappingProxyType

from proxy.core.stage import Published, StoreName
from proxy.reconcile.checkpoint import FAILED, Health, Place
from proxy.reconcile.follower import Follower, Lag
from proxy.reconcile.settler import Settler


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """What this replica's reconciler does; the numbers are for people and gauges.

    `following` is the store whose feed is followed here, or None; `lag` is None then. `counts` as in
    `checkpoint`, since the lease was taken up here.
    """

    is_leading: bool
    following: StoreName | None
    lag: Lag | None
    quarantined: int
    bypass_at: int
    message: str
    counts: MappingProxyType[str, int]


@dataclass(slots=True)
class Pass:
    """One pass over a feed with everything it counts; `is_leading`: it was begun by who had the lease."""

    published: Published
    is_leading: bool
    follower: Follower
    settler: Settler
    health: Health
    before: Counter[str]
    bypassed_before: int
    handled: int = 0
    saved_at: float = 0.0
    blind: int = 0
    task: asyncio.Task[None] | None = None

    @property
    def store(self) -> StoreName:
        return self.published.stage.primary

    @property
    def bypass_at(self) -> int:
        return max(self.settler.bypass_at, self.bypassed_before)

    @property
    def unsettled(self) -> int:
        """Events seen so far that cannot reach the mirror."""
        return self.settler.quarantined + self.follower.blind

    @property
    def is_torn(self) -> bool:
        """Whether changes may be missing in the mirror that only a full verify can find."""
        return self.health.state == FAILED

    def place(self) -> Place:
        return Place(self.store, self.follower.applied, self.follower.purged)

    def counts(self) -> Counter[str]:
        lag = self.follower.lag
        counts = self.before + self.settler.counts
        counts["lag_ms"], counts["lag_documents"] = int(lag.seconds * 1000), lag.documents
        counts["bypass_at"] = self.bypass_at
        return counts
