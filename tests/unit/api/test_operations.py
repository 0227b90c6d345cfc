"""Every state of the core has its number in the contract, and no two share one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate import operations
from proxy.api.translate.operations import write_collection
from proxy.core.comparison import Kind
from proxy.core.flag import Flag, Job
from proxy.core.stage import Stage, StoreName
from proxy.cutover.machine import Step
from proxy.cutover.overview import CollectionStatus, MirrorHealth
from proxy.flow.breaker import BreakerState
from tests.unit.api.samples import JOBS

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


def status_with(stage: Stage, **counts: int) -> CollectionStatus:
    feed = Job("jobs", "feed", "running", 3, 1, 2, counts)
    health = MirrorHealth("closed", 4, {}, applied=9)
    return CollectionStatus(JOBS, Flag("jobs", 3, stage, 1), health, {}, {}, {"feed": feed})


def test_what_the_reconciler_said_is_the_mirrors_lag() -> None:
    told = pb.Collection()
    write_collection(told, status_with(Stage.MONGO_PRIMARY, lag_ms=1_500, lag_documents=7), Step.PUBLISH)
    assert (told.mirror.lag.ToMilliseconds(), told.mirror.pending) == (1_500, 7)
    assert (told.mirror.applied, told.mirror.deferred) == (9, 4)


@pytest.mark.parametrize(
    "status", [status_with(Stage.MONGO_PRIMARY), status_with(Stage.MONGO_ONLY, lag_ms=1)]
)
def test_a_lag_that_nobody_knows_is_left_out(status: CollectionStatus) -> None:
    told = pb.Collection()
    write_collection(told, status, Step.PUBLISH)
    assert not told.mirror.HasField("lag")
