"""Everything that one collection's documents are moved with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from proxy.core.collection import Collection
from proxy.core.confirmed import Confirmed
from proxy.core.finding import Finding, describe
from proxy.core.ports import Clock, CollectionStore, Control, DivergenceLog, Feed, Signals
from proxy.core.stage import Published, StoreName
from proxy.reconcile.key import Pair


class Outlook(Protocol):
    """What whoever moves documents sees of a collection's flag."""

    @property
    def published(self) -> Published:
        """The newest published stage that is known here."""
        ...


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Site:
    """One collection on one replica: both stores, both feeds, and where to report."""

    collection: Collection
    stores: Mapping[StoreName, CollectionStore]
    feeds: Mapping[StoreName, Feed]
    control: Control
    divergences: DivergenceLog
    clock: Clock
    signals: Signals
    replica: str
    gives_way: Callable[[], bool] = _never
    """Whether the replica has too many calls in hand for jobs to go at their pace."""
    confirmed: Confirmed = field(default_factory=Confirmed)

    @property
    def name(self) -> str:
        return self.collection.name

    def pair(self, published: Published) -> Pair | None:
        """The stores in the roles of a published stage; None where it has no mirror."""
        mirror = published.stage.mirror
        if mirror is None:
            return None
        grace = self.collection.settings.tombstone_grace
        return Pair(self.stores[published.stage.primary], self.stores[mirror], published.epoch, grace)

    async def report(self, finding: Finding) -> None:
        """Put a finding into the divergence log. Raises the log's errors."""
        row = describe(self.collection, finding, self.replica, self.clock.now())
        await self.divergences.record(row)
