"""The end of the demo: what was promised, what was found, and whether that is good."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crossfade import AsyncMigrationClient, DivergenceKind, DivergenceState
from crossfade.v1 import migration_pb2 as pb
from examples.demo.checker import Findings
from examples.demo.journey import Journey
from examples.demo.meter import quantile
from examples.demo.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Comparisons:
    """What the proxies' shadow reads found, of all replicas.

    `healed` are divergences that were lag, and that a complete verify did not find any more.
    """

    compared: int
    dropped: int
    divergences: Counter[str]
    healed: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures, by the names that `--json` prints. Times in milliseconds unless they say seconds."""

    acknowledged_writes: int
    lost_writes: int
    doubled_writes: int
    unknown_writes: int
    reads: int
    stale_reads: int
    failed_calls: int
    reservations: int
    overlapping_reservations: int
    shadow_reads_compared: int
    shadow_reads_dropped: int
    divergences: int
    divergences_by_kind: dict[str, int]
    healed_lag: int
    documents: int
    unequal_documents: int
    unequal_by_kind: dict[str, int]
    flips: int
    aborted_flips: int
    holds_ms: list[float]
    median_hold_ms: float
    longest_hold_ms: float
    calls_during_flips: int
    median_stall_ms: float
    p99_stall_ms: float
    longest_stall_ms: float
    seconds: float

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing applied twice, nothing owned twice, and both stores equal."""
        faults = self.lost_writes + self.doubled_writes + self.stale_reads + self.overlapping_reservations
        return faults + self.unequal_documents + self.divergences == 0

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "is_good": self.is_good}


async def count_comparisons(addresses: Sequence[str], collections: Sequence[str]) -> Comparisons:
    """Ask every replica, since each knows its own shadow reads only; the log of divergences is shared."""
    counts = [await _counts(address, name) for address in addresses for name in collections]
    async with AsyncMigrationClient(list(addresses)) as operator:
        divergences = await operator.list_divergences(limit=10_000)
    standing = [one for one in divergences if not _is_healed_lag(one)]
    return Comparisons(
        compared=sum(one.shadow_compared for one in counts),
        dropped=sum(one.shadow_dropped for one in counts),
        divergences=Counter(DivergenceKind(one.kind).name for one in standing),
        healed=len(divergences) - len(standing),
    )


def _is_healed_lag(divergence: pb.Divergence) -> bool:
    """The mirror was behind for longer than rechecks wait, as on a busy machine, and caught up."""
    is_lag = divergence.kind in (DivergenceKind.STUCK_LAG.value, DivergenceKind.MISSING_IN_MIRROR.value)
    return is_lag and divergence.state == DivergenceState.CLOSED.value


async def _counts(address: str, collection: str) -> pb.Counts:
    async with AsyncMigrationClient(address) as operator:
        return (await operator.get_collection(collection)).counts


def summarise(
    traffic: Traffic, journey: Journey, comparisons: Comparisons, findings: Findings, seconds: float
) -> Summary:
    holds = [flip.hold_ms for flip in journey.flips]
    stalls = [
        took
        for flip in journey.flips
        for took in traffic.meter.during(flip.collection, flip.began, flip.ended)
    ]
    return Summary(
        acknowledged_writes=traffic.ledger.acknowledged.total(),
        lost_writes=findings.lost,
        doubled_writes=findings.doubled,
        unknown_writes=traffic.ledger.unknown.total(),
        reads=traffic.meter.reads.total(),
        stale_reads=len(traffic.ledger.stale_reads),
        failed_calls=traffic.meter.failures.total(),
        reservations=len(traffic.ledger.owned),
        overlapping_reservations=traffic.ledger.collisions(),
        shadow_reads_compared=comparisons.compared,
        shadow_reads_dropped=comparisons.dropped,
        divergences=comparisons.divergences.total(),
        divergences_by_kind=dict(comparisons.divergences),
        healed_lag=comparisons.healed,
        documents=findings.documents,
        unequal_documents=len(findings.unequal),
        unequal_by_kind=dict(findings.kinds),
        flips=len(holds),
        aborted_flips=journey.aborted,
        holds_ms=[round(hold, 1) for hold in holds],
        median_hold_ms=round(quantile(holds, 0.5), 1),
        longest_hold_ms=round(max(holds, default=0.0), 1),
        calls_during_flips=len(stalls),
        median_stall_ms=round(quantile(stalls, 0.5), 1),
        p99_stall_ms=round(quantile(stalls, 0.99), 1),
        longest_stall_ms=round(max(stalls, default=0.0), 1),
        seconds=round(seconds, 1),
    )
