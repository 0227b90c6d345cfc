"""The budgets: what each promises, and whether what was measured keeps it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bench.accounting import Spread

TAIL = 1_000
"""Calls that a 99th percentile has to rest on: ten are slower than it. With fewer it says next to nothing."""


class Bound(Enum):
    AT_MOST = "at most"
    AT_LEAST = "at least"


class Verdict(Enum):
    """What is to be said of a budget; only MET is good."""

    MET = "met"
    MISSED = "NOT met"
    TOO_FEW = "too few calls to judge"
    UNMEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Budget:
    """One promise. Without a `target` it is measured in the same run (see `Found.target`). It is not judged
    by rounds of less than `least_calls`."""

    key: str
    bound: Bound
    target: float | None
    about: str
    least_calls: int = 0


BUDGETS = (
    Budget(
        "dual_write_throughput_vs_handwritten",
        Bound.AT_LEAST,
        1.3,
        "dual writes a second through two proxies, over those of a hand-written dual write",
    ),
    Budget(
        "read_cpu_vs_floor",
        Bound.AT_MOST,
        1.35,
        "proxy CPU of a point read, over echo and driver, at one pace",
    ),
    Budget(
        "dual_write_cpu_vs_floor",
        Bound.AT_MOST,
        1.4,
        "proxy CPU of a dual write, over echo and drivers, at one pace",
    ),
    Budget(
        "p50_added_read_ms_vs_direct",
        Bound.AT_MOST,
        None,
        "median of a read at half load, over PyMongo's; target: two round trips of the echo",
    ),
    Budget(
        "p99_added_read_ms_vs_direct",
        Bound.AT_MOST,
        None,
        "99th percentile of a read at half load, over PyMongo's; target: two of the echo's",
        TAIL,
    ),
    Budget(
        "shadow_100_p99_ratio",
        Bound.AT_MOST,
        1.05,
        "99th percentile of reads at half load with all compared, over none compared",
        TAIL,
    ),
    Budget(
        "shadow_100_throughput_ratio",
        Bound.AT_LEAST,
        0.6,
        "reads a second with all compared, over none compared",
    ),
    Budget(
        "mirror_outage_p99_ratio",
        Bound.AT_MOST,
        1.1,
        "99th percentile of writes at half load while DynamoDB is gone, over while it is there",
        TAIL,
    ),
    Budget("mirror_outage_errors", Bound.AT_MOST, 0, "failed writes while DynamoDB is gone"),
    Budget(
        "memory_per_process_mb",
        Bound.AT_MOST,
        150,
        "resident memory of a proxy after an hour's worth of mixed calls",
    ),
    Budget("memory_growth_mb", Bound.AT_MOST, 3, "what the second half of those calls added to it"),
    Budget("startup_seconds", Bound.AT_MOST, 1.5, "from the start of the process until it serves"),
    Budget(
        "cpu_64_vs_8_clients", Bound.AT_MOST, 1.15, "proxy CPU of a call with 64 clients, over that with 8"
    ),
    Budget(
        "large_document_cpu_vs_linear",
        Bound.AT_MOST,
        1.2,
        "proxy CPU for each KB from 64 to 350 KB, over each KB from 0.5 to 64 KB",
    ),
    Budget(
        "cpu_500_collections_ratio",
        Bound.AT_MOST,
        1.05,
        "proxy CPU of a call with 500 collections configured, over that with one",
    ),
)
_BY_KEY = {budget.key: budget for budget in BUDGETS}


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured for a budget: a value a round, each of so many calls of whoever made fewest of them
    (0: it is not about calls), and what it is held against."""

    values: Spread
    calls: int
    target: float

    @property
    def rounds(self) -> int:
        return len(self.values.values)

    @property
    def basis(self) -> str:
        """What the figure rests on, in words."""
        times = f"{self.rounds} {'round' if self.rounds == 1 else 'rounds'}"
        return f"{times} of {self.calls} calls" if self.calls else times


@dataclass(slots=True)
class Results:
    """What was found for each budget, tables for the reader, and what went wrong in parts that did not come
    to their end."""

    found: dict[str, Found] = field(default_factory=dict)
    tables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, values: Spread, calls: int, target: float | None = None) -> None:
        """Note what was found for a budget. Raises KeyError for one that there is not."""
        known = _BY_KEY[key].target
        wanted = target if known is None else known
        assert wanted is not None, f"{key} has no target"
        self.found[key] = Found(values, calls, wanted)

    def tell(self, table: str, row: str, **cells: Any) -> None:
        """Put cells into a row of a table."""
        self.tables.setdefault(table, {}).setdefault(row, {}).update(cells)

    def verdict_on(self, budget: Budget) -> Verdict:
        found = self.found.get(budget.key)
        if found is None:
            return Verdict.UNMEASURED
        if found.calls < budget.least_calls:
            return Verdict.TOO_FEW
        value, target = found.values.median, found.target
        is_kept = value <= target if budget.bound is Bound.AT_MOST else value >= target
        return Verdict.MET if is_kept else Verdict.MISSED

    def count(self) -> Counter[Verdict]:
        """How many budgets have which verdict."""
        return Counter(self.verdict_on(budget) for budget in BUDGETS)

    @property
    def is_good(self) -> bool:
        """Whether every part came to its end, and every budget is met."""
        return not self.failures and self.count()[Verdict.MET] == len(BUDGETS)
