"""What an assessment asks of the outside: a reading of MongoDB, and scales for DynamoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from proxy.core.collection import Collection
from proxy.core.document import Document
from proxy.core.keys import Key
from proxy.core.survey import CollectionFacts, ProfileFacts, Rates, ServerFacts, Weight


class Source(Protocol):
    """A MongoDB that is only read."""

    async def server(self) -> ServerFacts:
        """Raises Unavailable where there is none."""
        ...

    async def databases(self) -> Sequence[str]:
        """The user's databases: not MongoDB's own, nor a proxy's control database."""
        ...

    async def collections(self, database: str) -> Sequence[CollectionFacts]: ...

    async def profile(self, database: str) -> ProfileFacts: ...

    async def rates(self) -> dict[str, Rates]:
        """By namespace; empty where MongoDB does not tell."""
        ...

    def documents(self, facts: CollectionFacts, sample: int | None) -> AsyncIterator[list[bytes]]:
        """Batches of BSON documents without Crossfade's metadata: all of them, or about `sample` at random.

        Ends early, without an error, when the time that reading may take is over.
        """
        ...


class Scales(Protocol):
    """DynamoDB's measure of one collection's documents."""

    item_limit: int

    def check(self, key: Key, document: Document) -> None:
        """Raises BadRequest naming the field where DynamoDB cannot hold the document."""
        ...

    def weigh(self, key: Key | None, document: Document) -> Weight: ...


MakeScales = Callable[[Collection], Scales]
