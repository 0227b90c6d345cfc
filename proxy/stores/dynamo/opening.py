"""DynamoDB for a whole process: one connection pool, and a store for each collection."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from proxy.core.collection import Collection
from proxy.stores.dynamo.limits import DynamoLimits
from proxy.stores.dynamo.store import DynamoStore
from proxy.stores.dynamo.transport import DynamoSettings, Intercept, Transport


class DynamoStores:
    """Opened once a process, inside its event loop; an async context manager that closes itself."""

    def __init__(self, settings: DynamoSettings, intercept: Intercept | None = None) -> None:
        self.transport = Transport(settings, intercept)

    def collection(self, collection: Collection) -> DynamoStore:
        """The store of one collection. Raises ValueError where its attributes' names would collide."""
        return DynamoStore(self.transport, collection)

    def limits(self, collection: Collection) -> DynamoLimits:
        """What any primary asks before it writes a document that DynamoDB must be able to hold."""
        return DynamoLimits(collection)

    async def close(self) -> None:
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
