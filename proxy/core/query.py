"""A query is planned once; the plan compiles to both stores and pages through both in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from proxy.core.collection import Index
from proxy.core.document import Value
from proxy.core.filter import Filter
from proxy.core.keys import Key


class Freshness(Enum):
    STRONG = "strong"
    EVENTUAL = "eventual"


@dataclass(frozen=True, slots=True)
class Order:
    """Sort by one field."""

    path: str
    ascending: bool = True


@dataclass(frozen=True, slots=True)
class Bound:
    value: Value
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query is served, in both stores: an index, its conditions, what is left to check, and the order.

    With `index` None the whole collection is read (allowed scans only), ordered by key in memory.
    `partition` holds one value per partition field of the index; `sort_prefix` the equalities on its leading
    sort fields; `lower`/`upper`/`text_prefix` narrow the sort field after those (bounds only the last one,
    whose order is that of the key's text). `filter` is the whole filter as given: a document is in the result
    exactly when it matches; the index conditions only narrow the search.
    Rows come ordered by (sort fields of the index, key), all ascending or all descending.
    """

    index: Index | None
    partition: tuple[Value, ...]
    sort_prefix: tuple[Value, ...]
    lower: Bound | None
    upper: Bound | None
    text_prefix: str | None
    filter: Filter
    ascending: bool = True
    freshness: Freshness = Freshness.STRONG

    @property
    def is_in_text_order(self) -> bool:
        """Whether DynamoDB's order of composed sort keys is the plan's order, but for ties of the sort key.

        Where it is not (more than one sort field varies, or there is no index), whoever reads DynamoDB reads
        all that the plan selects, within the budget, and sorts.
        """
        return self.index is not None and len(self.sort_prefix) >= len(self.index.sort) - 1


@dataclass(frozen=True, slots=True)
class Position:
    """A place between rows that both stores resume from: the last row's sort values in the index, and key.

    `sort_values` has one normalised value per sort field of the plan's index, none for a scan.
    """

    sort_values: tuple[Value, ...]
    key: Key


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most `limit` rows after `after`, reading at most `scan_budget` documents to find them."""

    limit: int
    after: Position | None = None
    scan_budget: int = 10_000
