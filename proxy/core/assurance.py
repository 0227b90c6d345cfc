"""What a verify's counts prove: how much was compared, and how much may differ at most."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from proxy.core.comparison import Kind
from proxy.core.flag import Job

UNEQUAL = frozenset(
    kind.value for kind in Kind if kind.is_divergence and kind not in (Kind.ERROR_PARITY, Kind.QUERY_MISMATCH)
) | {Kind.REPRESENTATION.value, Kind.LAG.value, Kind.SKEW.value, Kind.BYPASS.value}
"""The counts of a verify that say that documents differ."""

CONFIDENCE = 0.95
_Z = 1.6449
"""Standard deviations that a normal value exceeds with the chance of 1 - CONFIDENCE."""


@dataclass(frozen=True, slots=True)
class Assurance:
    """`compared` documents of both stores, `unequal` of them; `coverage` is their share of all, 0 to 1, and
    `at_most` the share of all that may differ: known if all were compared, else with 95 % confidence."""

    compared: int
    unequal: int
    coverage: float
    at_most: float

    @property
    def is_complete(self) -> bool:
        return self.coverage >= 1.0

    def __str__(self) -> str:
        if self.is_complete:
            return f"all {self.compared} documents of both stores were compared, {self.unequal} differ"
        return (
            f"{self.coverage:.1%} of the documents were compared, {self.unequal} differ; with 95 % confidence"
            f" at most {self.at_most:.2%} of all do"
        )


def assurance_of(job: Job) -> Assurance:
    """What a verify or a sample proves, finished or not."""
    compared = job.done
    unequal = sum(count for kind, count in job.counts.items() if kind in UNEQUAL)
    coverage = _coverage(job)
    known = unequal / compared if compared else 0.0
    at_most = known if coverage >= 1.0 else upper_bound(unequal, compared)
    return Assurance(compared, unequal, coverage, at_most)


def is_clean(job: Job) -> bool:
    """Whether a job has finished and left nothing to mend."""
    left = sum(count for name, count in job.counts.items() if name in UNEQUAL or name == "quarantined")
    return job.state == "finished" and left == 0


def upper_bound(found: int, looked: int) -> float:
    """The share that is not exceeded with 95 % confidence, where `found` of `looked` were so: exact where
    nothing was found, else by Wilson's interval."""
    if looked == 0:
        return 1.0
    if found == 0:
        return 1.0 - float((1.0 - CONFIDENCE) ** (1.0 / looked))
    share, z = found / looked, _Z
    middle = share + z * z / (2 * looked)
    spread = z * sqrt(share * (1 - share) / looked + z * z / (4 * looked * looked))
    return min(1.0, (middle + spread) / (1 + z * z / looked))


def _coverage(job: Job) -> float:
    """Only a finished verify is sure to have seen all: before, the number of documents is a guess."""
    if job.kind == "verify" and job.state == "finished":
        return 1.0
    return min(0.999, job.done / job.population) if job.population else 0.0
