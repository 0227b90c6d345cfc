"""Collections to assess, made up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import bson

from proxy.assess.assessor import Assessor, Wish
from proxy.assess.fields import Sample
from proxy.assess.prices import Prices, read_prices
from proxy.assess.report import Report
from proxy.core.document import Document
from proxy.core.survey import (
    CollectionFacts,
    IndexFacts,
    ProfileFacts,
    Rates,
    ServerFacts,
    Shapes,
)
from proxy.stores.dynamo.weighing import Scales

ID = IndexFacts("_id_", (("_id", 1),))
SERVER = ServerFacts("6.0.5", is_replica_set=True, is_sharded=False, uptime=86_400)


def index(*fields: str, name: str = "", **options: Any) -> IndexFacts:
    """An index on fields, `-field` for a descending one, with the name that MongoDB gives it."""
    pairs = tuple((field.lstrip("-"), -1 if field.startswith("-") else 1) for field in fields)
    return IndexFacts(name or "_".join(f"{field}_{way}" for field, way in pairs), pairs, **options)


def facts(*indexes: IndexFacts, name: str = "things", **options: Any) -> CollectionFacts:
    return CollectionFacts("shop", name, indexes=(ID, *indexes), **options)


def sample(*documents: Mapping[str, Any]) -> Sample:
    return Sample(Document(dict(document)) for document in documents)


def prices() -> Prices:
    return read_prices(files("proxy.assess").joinpath("prices.toml").read_text())


class Shelf:
    """A MongoDB with one database, in memory (`assess.ports.Source`)."""

    def __init__(
        self,
        collections: Sequence[CollectionFacts],
        documents: Mapping[str, Iterable[bytes]],
        shapes: Mapping[str, Shapes] | None = None,
        rates: Mapping[str, Rates] | None = None,
        server: ServerFacts = SERVER,
    ) -> None:
        self._collections, self._server = collections, server
        self._documents = {name: list(each) for name, each in documents.items()}
        self._shapes, self._rates = shapes or {}, rates or {}
        self.read: list[tuple[str, int | None]] = []

    async def server(self) -> ServerFacts:
        return self._server

    async def databases(self) -> Sequence[str]:
        return ["shop"]

    async def collections(self, database: str) -> Sequence[CollectionFacts]:
        return self._collections

    async def profile(self, database: str) -> ProfileFacts:
        return ProfileFacts("the profiler is a fiction", self._shapes)

    async def rates(self) -> dict[str, Rates]:
        return dict(self._rates)

    async def documents(self, facts: CollectionFacts, sample: int | None) -> AsyncIterator[list[bytes]]:
        self.read.append((facts.name, sample))
        yield self._documents.get(facts.name, [])[:sample]


async def assess(shelf: Shelf, wish: Wish | None = None) -> Report:
    assessor = Assessor(shelf, Scales, prices(), wish or Wish(), lambda line: None)
    return await assessor.run("2026-02-03T04:05:06+00:00")


def encoded(documents: Iterable[Mapping[str, Any]]) -> list[bytes]:
    return [bson.encode(document) for document in documents]
