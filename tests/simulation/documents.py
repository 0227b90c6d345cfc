"""The documents of the simulated world: registers, lists, jobs in a work queue, and what others write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from proxy.core.document import Document
from proxy.core.filter import And, Comparator, Compare
from proxy.core.keys import Key, key_of
from proxy.core.planner import plan
from proxy.core.query import Order
from proxy.core.version import LEGACY, Record
from tests.fixtures.memory_world import SETTINGS, jobs
from tests.simulation.reservations import NOBODY

COLLECTION = jobs(replace(SETTINGS, shadow_rate=0.3, tombstone_grace=1.0))
REGISTERS = tuple(f"register-{number}" for number in range(1, 7))
LISTS = ("list-1", "list-2")
JOBS = ("job-1", "job-2")
FOREIGN = ("foreign-1", "foreign-2")
"""Written by services that bypass the proxy, and by nobody else."""
SHARED = ("shared-1",)
"""Written by both: only its convergence is promised."""
OLD = tuple(f"old-{number}" for number in range(12))
"""There before the proxy was, and touched by nobody."""


def document(name: str, **fields: Any) -> Document:
    """Jobs have a partition of their own, so that the work queue holds nothing else."""
    partition = "queue" if name in JOBS else "d"
    key = {"deployment_key": partition, "webtask_container": "c", "webtask_name": name}
    return Document({"_id": name, **key, **fields})


def key(name: str) -> Key:
    return key_of(COLLECTION, document(name).fields)


def legacy(name: str, **fields: Any) -> Record:
    """A document as it is before any proxied write."""
    return Record(key(name), LEGACY, b"", (), document(name, **fields))


FREE_JOBS = plan(
    COLLECTION,
    And(
        (
            Compare("deployment_key", Comparator.EQ, "queue"),
            Compare("next_available_at", Comparator.LTE, 100),
            Compare("owner", Comparator.EQ, NOBODY),
        )
    ),
    (Order("next_available_at"),),
)
"""Jobs that nobody owns, the most urgent first."""


def value_of(record: Record | None) -> int | None:
    """What a register holds."""
    return record.document.fields["n"] if record and record.document else None


def items_of(record: Record | None) -> tuple[int, ...]:
    return tuple(record.document.fields["items"]) if record and record.document else ()


def owner_of(record: Record | None) -> int | None:
    return record.document.fields["owner"] if record and record.document else None
