"""The budgets: what each promises, and whether what was measured keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bench.accounting import Spread


class Bound(Enum):
    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Budget:
    """One promise. Without a `target` it is measured in the same run (see `Found.target`)."""

    key: str
    bound: Bound
    target: float | None
    about: str


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
    ),
    Budget(
        "shadow_100_p99_ratio",
        Bound.AT_MOST,
        1.05,
        "99th percentile of reads at half load with all compared, over none compared",
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


@dataclass(slots=True)
class Results:
    """What was found: a value and its spread for each budget, and tables for the reader."""

    found: dict[str, Spread] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)
    tables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def add(self, key: str, found: Spread, target: float | None = None) -> None:
        """Note what was found for a budget. Raises KeyError for one that there is not."""
        known = _BY_KEY[key].target
        wanted = target if known is None else known
        assert wanted is not None, f"{key} has no target"
        self.found[key], self.targets[key] = found, wanted

    def tell(self, table: str, row: str, **cells: Any) -> None:
        """Put cells into a row of a table."""
        self.tables.setdefault(table, {}).setdefault(row, {}).update(cells)

    def is_met(self, budget: Budget) -> bool:
        if budget.key not in self.found:
            return False
        value, target = self.found[budget.key].median, self.targets[budget.key]
        return value <= target if budget.bound is Bound.AT_MOST else value >= target

    def missed(self) -> list[Budget]:
        return [budget for budget in BUDGETS if not self.is_met(budget)]
