"""What an assessment finds, whole; everything that is printed or drawn is made of this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from proxy.assess.calls import CallFate
from proxy.assess.costs import Costs
from proxy.assess.evidence import Evidence
from proxy.assess.filing import collections_file
from proxy.assess.findings import Finding, Severity, Verdict
from proxy.assess.prices import Prices
from proxy.assess.proposal import Proposal
from proxy.core.survey import CollectionFacts, ServerFacts


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """One collection. `is_complete` when every document was read, not a part of them."""

    facts: CollectionFacts
    verdict: Verdict
    proposal: Proposal
    findings: tuple[Finding, ...]
    evidence: Evidence
    calls: tuple[CallFate, ...]
    costs: Costs
    is_complete: bool

    @property
    def partitions(self) -> int:
        """About how many partitions the documents that were read are in."""
        return min(self.evidence.partitions.estimate, self.evidence.read)

    @property
    def scale(self) -> float:
        """How many documents one that was read stands for."""
        return max(1.0, self.facts.documents / self.evidence.read) if self.evidence.read else 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """A deployment; `made_at` is a moment in ISO 8601, `profiles` tells whether each profiler is on."""

    made_at: str
    server: ServerFacts
    findings: tuple[Finding, ...]
    profiles: Mapping[str, str]
    collections: tuple[CollectionReport, ...]
    prices: Prices

    @property
    def is_ready(self) -> bool:
        """Whether every collection, and the deployment, can move as it is."""
        blocked = any(finding.severity is Severity.BLOCKS for finding in self.findings)
        return not blocked and all(each.verdict is Verdict.READY for each in self.collections)

    @property
    def declarations(self) -> str:
        """The collections file that is proposed."""
        heading = (
            f"Proposed by `crossfade assess` on {self.made_at[:10]}, from indexes, documents and calls.",
            "Read it, change it, try it with `python -m proxy plan`; docs/settings.md describes every word.",
        )
        able = [each.proposal for each in self.collections if each.verdict is not Verdict.CANNOT]
        return collections_file(able, heading)
