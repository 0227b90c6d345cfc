"""What the console asks of the replica that serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from proxy.core.flag import Flag, Job
from proxy.core.keys import Key
from proxy.core.ports import Clock, DivergenceLog
from proxy.cutover.machine import Step
from proxy.cutover.overview import Overview
from proxy.cutover.steering import Steering
from proxy.reconcile.charter import JobOrder
from proxy.reconcile.repair import RepairReport

Outcomes = Callable[[], Mapping[str, Mapping[str, int]]]
"""What this replica's comparisons have found since it started: outcomes by name, by collection."""

Repair = Callable[[str, Iterable[Key]], Awaitable[RepairReport]]
"""Brings documents of a collection together again and compares them (see `reconcile.repair`)."""


class Workshop(Protocol):
    """What backfills and verifies collections in the background."""

    async def start_job(self, collection: str, kind: str, order: JobOrder = ...) -> Job:
        """Start a "backfill" or "verify" and return at once, with the running one where there is one."""
        ...

    async def pause_job(self, collection: str, kind: str, order: JobOrder = ...) -> Job:
        """Have whoever runs it stop at a checkpoint. Raises Refused where none is running."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything an operator looks at and steers with; the same that serves gRPC."""

    overview: Overview
    steering: Steering
    divergences: DivergenceLog
    workshop: Workshop
    repair: Repair
    outcomes: Outcomes
    step_of: Callable[[Flag], Step]
    clock: Clock
    replica_id: str
