"""Which candidate to try for: alone one takes the first of an order, in a crowd any of the first few.

Many who all try for the same document nearly all lose; so whoever has just lost one to somebody else picks at
random for a moment.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from proxy.core.keys import Key, conjuncts
from proxy.core.query import Plan

PICKS = 3
"""Candidates tried before the index is asked again."""

MEMORY = 1.0
"""Seconds for which a lost document means a crowd."""


class Rivals:
    """What one process knows of others that take documents of the same collection."""

    def __init__(self) -> None:
        self._seen_at = float("-inf")

    def notice(self) -> None:
        """A document that was to be had was taken by somebody else."""
        self._seen_at = time.monotonic()

    def choose(self, keys: Sequence[Key]) -> list[Key]:
        """At most PICKS of the keys, in the order in which to try for them."""
        if time.monotonic() - self._seen_at < MEMORY:
            return random.sample(keys, min(PICKS, len(keys)))
        others = keys[1:]
        return [*keys[:1], *random.sample(others, min(PICKS - 1, len(others)))]


def is_told_by_index(plan: Plan) -> bool:
    """Whether every row of the plan's index matches, so that one that does not was taken by somebody."""
    bounds = (plan.lower, plan.upper, plan.text_prefix)
    used = len(plan.partition) + len(plan.sort_prefix) + sum(bound is not None for bound in bounds)
    return len(list(conjuncts(plan.filter))) == used
