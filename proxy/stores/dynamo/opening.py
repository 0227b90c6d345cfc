"""DynamoDB for a whole process: one connection pool, and a store for each collection."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from proxy.core.collection import Collection
from proxy.core.ports import Clock
from proxy.stores.dynamo.feed import DynamoFeed
from proxy.stores.dynamo.layout import Layout
from proxy.stores.dynamo.limits import DynamoLimits
from proxy.stores.dynamo.store import DynamoStore
from proxy.stores.dynamo.streams import LeanStreams
from proxy.stores.dynamo.transport import DynamoSettings, Intercept, Spent, Transport


class DynamoStores:
    """Opened once a process, inside its event loop; an async context manager that closes itself."""

    def __init__(
        self, settings: DynamoSettings, intercept: Intercept | None = None, spent: Spent | None = None
    ) -> None:
        self.transport = Transport(settings, intercept, spent)
        self.transport.warm_up()
        self._streams = LeanStreams(self.transport, settings)

    def collection(self, collection: Collection) -> DynamoStore:
        """The store of one collection. Raises ValueError where its attributes' names would collide."""
        return DynamoStore(self.transport, collection)

    def limits(self, collection: Collection) -> DynamoLimits:
        """What any primary asks before it writes a document that DynamoDB must be able to hold."""
        return DynamoLimits(collection)

    def feed(self, collection: Collection, clock: Clock) -> DynamoFeed:
        """The feed of one collection; a mark made in one feed is seen in that feed only."""
        return DynamoFeed(self._streams, collection, Layout(collection), clock)

    async def close(self) -> None:
        await self._streams.close()
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
