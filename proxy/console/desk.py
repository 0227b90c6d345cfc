"""What the console asks of the replica that serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.core.exchange import DivergenceQuery
from proxy.core.flag import Flag, Job
from proxy.core.ports import Clock, DivergenceLog
from proxy.cutover.machine import Step
from proxy.cutover.overview import Overview
from proxy.cutover.steering import Steering
from proxy.reconcile.charter import JobOrder
from proxy.reconcile.repair import RepairReport

Outcomes = Callable[[], Mapping[str, Mapping[str, int]]]
"""What this replica's comparisons have found since it started: outcomes by name, by collection."""


class Workshop(Protocol):
    """What backfills and verifies collections in the background."""

    async def start_job(self, collection: str, kind: str, order: JobOrder = ...) -> Job:
        """Start a "backfill" or "verify" and return at once, with the running one where there is one."""
        ...

    async def pause_job(self, collection: str, kind: str, order: JobOrder = ...) -> Job:
        """Have whoever runs it stop at a checkpoint. Raises Refused where none is running."""
        ...


class Mender(Protocol):
    """What brings documents together again that differ (see `reconcile.mender`)."""

    async def repair(
        self, query: DivergenceQuery, ids: Sequence[str], *, by_verify: bool, actor: str, reason: str = ...
    ) -> RepairReport:
        """Repair the divergences of these ids and compare them again; it is audited."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything an operator looks at and steers with; the same that serves gRPC."""

    overview: Overview
    steering: Steering
    divergences: DivergenceLog
    workshop: Workshop
    mender: Mender
    outcomes: Outcomes
    step_of: Callable[[Flag], Step]
    clock: Clock
    replica_id: str
