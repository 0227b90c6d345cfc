"""Entries of the audit trail, as protobuf."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate.operations import moment
from proxy.core.flag import AuditEntry


def write_entry(target: pb.AuditEntry, entry: AuditEntry) -> None:
    """Fill in an entry."""
    target.time.CopyFrom(moment(entry.at))
    target.actor = entry.actor
    target.action = entry.action
    target.collection = entry.collection
    target.reason = entry.reason
    target.before = entry.before
    target.after = entry.after
    details: Any = dict(entry.details)  # plain JSON values, by promise
    target.details.update(details)


def place_after(told: Sequence[AuditEntry], until: int | None, before: int) -> str:
    """Where a list goes on after a page: the time of its last entry, and how many of that time were told.

    `until` and `before` are what the page itself began with.
    """
    last = told[-1].at
    count = sum(entry.at == last for entry in told)
    return json.dumps([last, count + (before if last == until else 0)])
