"""Every state of the core has its number in the contract, and no two share one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from proxy.api.translate import operations
from proxy.core.comparison import Kind
from proxy.core.stage import Stage, StoreName
from proxy.cutover.machine import Step
from proxy.flow.breaker import BreakerState

ALWAYS_EXPLAINED = {Kind.MATCH, Kind.LAG, Kind.SKEW, Kind.UNAVAILABLE}
"""Verdicts that are never recorded as divergences."""


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        (operations.STAGES, set(Stage)),
        (operations.STORES, set(StoreName)),
        (operations.STEPS, set(Step)),
        (operations.KINDS, set(Kind) - ALWAYS_EXPLAINED),
        (operations.BREAKERS, {state.value for state in BreakerState}),
    ],
)
def test_a_table_is_complete_and_tells_apart(table: Mapping[Any, int], keys: set[Any]) -> None:
    assert set(table) == keys
    assert len(set(table.values())) == len(table)
    assert 0 not in table.values()
