"""What became of flips, rehearsals and changes, as tables and lines for people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

from google.protobuf.json_format import MessageToDict

from crossfade.cli.tables import Facts, Table
from crossfade.cli.wording import milliseconds, time_of
from crossfade.v1 import migration_pb2 as pb


def holds_of(entries: Iterable[pb.AuditEntry]) -> list[float]:
    """How long each flip in the audit held writes, in milliseconds, shortest first."""
    flips = (entry.details for entry in entries if entry.action == "published")
    return sorted(flip.fields["hold_ms"].number_value for flip in flips if "hold_ms" in flip.fields)


def holds_data(holds: Sequence[float]) -> dict[str, float]:
    """The distribution of holds; empty where there are none. Percentiles are of the nearest rank."""
    if not holds:
        return {}
    return {
        "flips": len(holds),
        "median_ms": _percentile(holds, 50),
        "p99_ms": _percentile(holds, 99),
        "longest_ms": holds[-1],
    }


def holds_line(collection: str, holds: Sequence[float]) -> str:
    """The distribution of a collection's holds so far."""
    if not holds:
        return f"no hold of {collection} is on record"
    data = holds_data(holds)
    flips = "1 flip" if len(holds) == 1 else f"{len(holds)} flips"
    return (
        f"holds of {collection} so far: {flips}, median {data['median_ms']:.0f} ms, "
        f"99th percentile {data['p99_ms']:.0f} ms, longest {data['longest_ms']:.0f} ms"
    )


def rehearsal_line(rehearsal: pb.Rehearsal) -> str:
    """How a rehearsal stands, in a sentence."""
    if rehearsal.state == pb.Rehearsal.RUNNING:
        left = rehearsal.return_time.ToNanoseconds() / 1e9 - time.time()
        again = f", {rehearsal.failed_returns} failed ways back" if rehearsal.failed_returns else ""
        return f"DynamoDB is the primary, {_until(left)}{again}"
    if rehearsal.state == pb.Rehearsal.RETURNED:
        return "MongoDB is the primary again; what was compared is being collected"
    if rehearsal.state == pb.Rehearsal.REPORTED:
        return f"over at {time_of(rehearsal.end_time)}; {_compared(rehearsal)}, {_divergences(rehearsal)}"
    return "-"


def rehearsal_report(collection: str, rehearsal: pb.Rehearsal) -> Facts:
    """What came of a rehearsal, a fact a line."""
    lasted = (rehearsal.end_time.ToNanoseconds() - rehearsal.start_time.ToNanoseconds()) / 1e9
    return Facts(
        [
            ("rehearsal", f"DynamoDB was the primary of {collection} for {lasted:.1f} s"),
            ("hold there", milliseconds(rehearsal.hold_there)),
            ("hold back", milliseconds(rehearsal.hold_back)),
            ("failed ways back", str(rehearsal.failed_returns)),
            ("shadow reads", _compared(rehearsal)),
            ("divergences", _divergences(rehearsal)),
        ]
    )


def is_clean(rehearsal: pb.Rehearsal) -> bool:
    """Whether it came back at the first try, and nothing diverged meanwhile."""
    return not rehearsal.divergences and not rehearsal.failed_returns


def abort_line(response: pb.AbortResponse) -> str:
    """What became of an abort."""
    name = response.collection.name
    if not response.aborted:
        return f"too late: the change of {name} was published before"
    if response.collection.rehearsal.state == pb.Rehearsal.RUNNING:
        return f"the rehearsal of {name} goes back as soon as is safe"
    return f"the change of {name} was aborted"


def audit_table(entries: Sequence[pb.AuditEntry]) -> Table:
    return Table(
        ("time", "who", "collection", "what", "before", "after", "why", "details"),
        [
            (
                time_of(entry.time),
                entry.actor,
                entry.collection,
                entry.action,
                entry.before,
                entry.after,
                entry.reason or "-",
                _details(entry),
            )
            for entry in entries
        ],
        "nothing was changed",
    )


def _until(left: float) -> str:
    return f"for another {left:.0f} s" if left > 0 else "and about to go back"


def _compared(rehearsal: pb.Rehearsal) -> str:
    return (
        f"{rehearsal.shadow_compared} compared, {rehearsal.shadow_matched} matched, "
        f"{rehearsal.shadow_dropped} not compared"
    )


def _divergences(rehearsal: pb.Rehearsal) -> str:
    kinds = sorted(rehearsal.divergences.items())
    return ", ".join(f"{name} {count}" for name, count in kinds) or "no divergences"


def _details(entry: pb.AuditEntry) -> str:
    """The plain values; what has parts is for `--json`."""
    details: dict[str, Any] = MessageToDict(entry.details)
    plain = {name: value for name, value in details.items() if not isinstance(value, dict | list)}
    return ", ".join(f"{name}: {_shown(value)}" for name, value in plain.items()) or "-"


def _shown(value: object) -> str:
    """Protobuf knows only one sort of number."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _percentile(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
