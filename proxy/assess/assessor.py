"""The journey of an assessment: what there is, a look at some documents, a proposal, then all the documents.

Reads once or twice and writes never. One collection is held at a time, and of it no more than a sample.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from proxy.assess.calls import fates_of
from proxy.assess.costs import reckon
from proxy.assess.evidence import Evidence, Examiner
from proxy.assess.fields import Sample
from proxy.assess.inspection import inspect
from proxy.assess.judgement import of_calls, of_collection, of_deployment, of_evidence, verdict_of
from proxy.assess.ports import MakeScales, Source
from proxy.assess.prices import Prices
from proxy.assess.proposal import Proposal, propose
from proxy.assess.report import CollectionReport, Report
from proxy.core.collection import Collection
from proxy.core.declaration import declare
from proxy.core.survey import CollectionFacts, Place, ProfileFacts, Rates, Shapes

FIRST_LOOK = 1_000
"""Documents that tell the types and spread of fields, before anything is proposed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to assess: all databases and collections, or those named (`database` or `database.collection`);
    every document, or about `sample` of each collection."""

    only: tuple[str, ...] = ()
    sample: int | None = None

    def database(self, name: str) -> bool:
        return not self.only or any(each.partition(".")[0] == name for each in self.only)

    def collection(self, facts: CollectionFacts) -> bool:
        return not self.only or facts.database in self.only or facts.namespace in self.only


class Assessor:
    """One assessment; `tell` is called with a line of progress now and then."""

    def __init__(
        self, source: Source, make_scales: MakeScales, prices: Prices, wish: Wish, tell: Callable[[str], None]
    ) -> None:
        self._source, self._make_scales, self._prices = source, make_scales, prices
        self._wish, self._tell = wish, tell
        self._taken: set[str] = set()

    async def run(self, made_at: str) -> Report:
        """Raises Unavailable where MongoDB is, and Refused where it does not let this user read."""
        server = await self._source.server()
        rates = await self._source.rates()
        profiles: dict[str, str] = {}
        collections = []
        for database in await self._source.databases():
            if self._wish.database(database):
                profile = await self._source.profile(database)
                profiles[database] = profile.told
                collections += [each async for each in self._assess_all(database, profile, rates)]
        return Report(
            made_at, server, tuple(of_deployment(server)), profiles, tuple(collections), self._prices
        )

    async def _assess_all(
        self, database: str, profile: ProfileFacts, rates: dict[str, Rates]
    ) -> AsyncIterator[CollectionReport]:
        for facts in await self._source.collections(database):
            if self._wish.collection(facts):
                self._tell(f"{facts.namespace}: {facts.documents:,} documents")
                yield await self._assess(
                    facts, profile.shapes.get(facts.name, {}), rates.get(facts.namespace)
                )

    async def _assess(self, facts: CollectionFacts, shapes: Shapes, rates: Rates | None) -> CollectionReport:
        proposal, evidence = Proposal(None, {}, {}, ()), Evidence()
        if facts.place is Place.COLLECTION:
            proposal = propose(facts, await self._look(facts), shapes, self._taken)
            self._taken.add(proposal.name)
            evidence = await self._examine(facts, proposal)
        costs = reckon(facts, evidence, rates, shapes, self._prices)
        calls = fates_of(proposal.collection, shapes)
        scale = max(1.0, facts.documents / evidence.read) if evidence.read else 1.0
        findings = (
            *of_collection(facts, proposal),
            *of_evidence(proposal, evidence, costs, scale),
            *of_calls(calls),
        )
        return CollectionReport(
            facts,
            verdict_of(findings, evidence),
            proposal,
            findings,
            evidence,
            calls,
            costs,
            is_complete=evidence.read >= facts.documents,
        )

    async def _look(self, facts: CollectionFacts) -> Sample:
        number = min(FIRST_LOOK, self._wish.sample or FIRST_LOOK)
        found = [inspect(raw).document async for raw in self._each(facts, number)]
        return Sample(document for document in found if document is not None)

    async def _examine(self, facts: CollectionFacts, proposal: Proposal) -> Evidence:
        examiner = Examiner(proposal.collection, self._make_scales(proposal.collection or _stand_in(facts)))
        async for raw in self._each(facts, self._wish.sample):
            examiner.examine(raw)
        return examiner.evidence

    async def _each(self, facts: CollectionFacts, sample: int | None) -> AsyncIterator[bytes]:
        """One by one; a sample as large as the collection is a reading of all of it."""
        bounded = None if sample is not None and sample >= facts.documents else sample
        batch: Sequence[bytes]
        async for batch in self._source.documents(facts, bounded):
            for raw in batch:
                yield raw


def _stand_in(facts: CollectionFacts) -> Collection:
    """A collection to weigh documents by where none can be proposed: their size hardly depends on the key."""
    return declare("unkeyed", {"mongodb": facts.namespace, "partition": "_id"})
