"""Counts of a stream of any length in memory that does not grow: sizes, examples, distinct, heavy values."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import heappush, heappushpop

EDGES = (128, 256, 512, *(1024 * 2**n for n in range(9)), 409_600)
"""Upper ends of a histogram's buckets in bytes; one more bucket is for what is above DynamoDB's limit."""

EXAMPLES = 5


@dataclass(slots=True)
class Histogram:
    """How many of each size."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    number: int = 0
    total: int = 0
    largest: int = 0

    def add(self, size: int) -> None:
        self.counts[bisect_left(EDGES, size)] += 1
        self.number += 1
        self.total += size
        self.largest = max(self.largest, size)

    @property
    def mean(self) -> float:
        return self.total / self.number if self.number else 0.0

    def quantile(self, share: float) -> int:
        """The size that `share` of all do not exceed, to within its bucket."""
        wanted, seen = share * self.number, 0
        for place, count in enumerate(self.counts):
            if count and seen + count >= wanted:
                lower = EDGES[place - 1] if place else 0
                upper = min(EDGES[place] if place < len(EDGES) else self.largest, self.largest)
                return int(lower + max(upper - lower, 0) * (wanted - seen) / count)
            seen += count
        return self.largest


@dataclass(slots=True)
class Examples:
    """How many there were, and a few of them, each as likely as any other."""

    count: int = 0
    kept: list[str] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    def add(self, example: str) -> None:
        self.count += 1
        if len(self.kept) < EXAMPLES:
            self.kept.append(example)
        elif (place := self.chance.randrange(self.count)) < EXAMPLES:
            self.kept[place] = example


class Distinct:
    """About how many different values: exact up to LIMIT, within some 5 % above (k minimum values)."""

    LIMIT = 1024

    def __init__(self) -> None:
        self._lowest: list[int] = []  # a heap of negated hashes
        self._held: set[int] = set()

    def add(self, value: str) -> None:
        number = int.from_bytes(blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        if number in self._held:
            return
        if len(self._lowest) < self.LIMIT:
            heappush(self._lowest, -number)
            self._held.add(number)
        elif number < -self._lowest[0]:
            self._held.add(number)
            self._held.discard(-heappushpop(self._lowest, -number))

    @property
    def estimate(self) -> int:
        if len(self._lowest) < self.LIMIT:
            return len(self._lowest)
        return round((self.LIMIT - 1) * 2**64 / -self._lowest[0])


class Heavy:
    """The values that weigh most in a stream (Misra and Gries): at most 2 * WIDTH are held at once.

    What is told is an upper bound, too high by at most the total weight / WIDTH.
    """

    WIDTH = 1_000

    def __init__(self) -> None:
        self.total = 0
        self._cut = 0
        self._weights: Counter[str] = Counter()

    def add(self, value: str, weight: int) -> None:
        self.total += weight
        self._weights[value] += weight
        if len(self._weights) > 2 * self.WIDTH:
            self._shrink()

    @property
    def heaviest(self) -> int:
        return max(self._weights.values(), default=0) + self._cut

    @property
    def share(self) -> float:
        return min(1.0, self.heaviest / self.total) if self.total else 0.0

    def _shrink(self) -> None:
        cut = sorted(self._weights.values(), reverse=True)[self.WIDTH]
        self._cut += cut
        self._weights = Counter({value: left - cut for value, left in self._weights.items() if left > cut})
