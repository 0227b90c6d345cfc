"""Repairs, explanations and quarantine, as tables and lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crossfade.cli.messages import key_text, version_text
from crossfade.cli.tables import Facts, Part, Table
from crossfade.cli.wording import name_of, time_of, words
from crossfade.codec import read_value
from crossfade.v1 import migration_pb2 as pb


def repair_line(done: pb.RepairResponse) -> str:
    """What a repair has done so far, in a sentence."""
    results = ", ".join(f"{name} {count}" for name, count in sorted(done.results.items()))
    parts = [f"{done.closed} of {done.looked} divergences closed", results]
    if done.unequal:
        parts.append(f"{done.unequal} documents still differ: repair again, or see `crossfade explain`")
    if done.unnamed:
        parts.append(f"{done.unnamed} name no document: a verify settles them")
    return "; ".join(part for part in parts if part)


def explanation_parts(found: pb.Explanation) -> tuple[Part, ...]:
    """All that is known of a divergence: how it stands, where it differs, who saw what, and why."""
    row = found.divergence
    facts = Facts(
        [
            ("divergence", row.id),
            ("collection", row.collection),
            ("key", key_text(row)),
            ("kind", name_of(pb.DivergenceKind, row.kind, "DIVERGENCE_KIND_")),
            ("state", _state(row.state)),
            ("seen", f"{row.occurrences} times, last {time_of(row.last_seen_time)}; {row.description}"),
            ("primary", _now(found, "primary_version")),
            ("mirror", _now(found, "mirror_version")),
            ("likely cause", found.cause),
            ("advice", found.advice),
        ]
    )
    parts: list[Part] = [facts]
    if found.looked and not found.agrees:
        parts.append(_differences(found.differences))
    if found.looked:
        parts.append(_operations(found))
    parts.append(_history(row.history))
    return tuple(parts)


def is_quarantined(row: pb.Divergence) -> bool:
    """Whether it tells of a document that the mirror cannot hold, and still does not."""
    is_ours = row.source == pb.DIVERGENCE_SOURCE_RECONCILER
    return is_ours and row.state != pb.DIVERGENCE_STATE_CLOSED


def quarantine_table(rows: Sequence[pb.Divergence]) -> Table:
    """Documents that the mirror cannot hold, with the reason."""
    return Table(
        ("id", "key", "since", "why"),
        [(row.id, key_text(row), time_of(row.first_seen_time), row.description) for row in rows],
        "no document is in quarantine",
    )


def _differences(differences: Iterable[pb.FieldDifference]) -> Table:
    return Table(
        ("field", "primary", "mirror"),
        [(one.path, _value(one, "primary"), _value(one, "mirror")) for one in differences],
        "the contents are equal",
    )


def _value(one: pb.FieldDifference, side: str) -> str:
    if one.redacted:
        return "(redacted)"
    return repr(read_value(getattr(one, side))) if one.HasField(side) else "(missing)"


def _operations(found: pb.Explanation) -> Table:
    """The latest first; each says whether the other store has seen it too."""
    rows = [
        (store, one.op.hex(), "both" if one.seen_by_other else f"the {store} alone")
        for store, operations in (
            ("primary", found.primary_operations),
            ("mirror", found.mirror_operations),
        )
        for one in operations
    ]
    return Table(("store", "last operations", "seen by"), rows, "neither store remembers an operation")


def _history(steps: Sequence[pb.DivergenceStep]) -> Table:
    return Table(
        ("time", "state", "replica", "evidence"),
        [(time_of(step.time), _state(step.state), step.replica or "-", step.evidence) for step in steps],
        "nothing was done about it yet",
    )


def _state(state: pb.DivergenceState) -> str:
    return words(name_of(pb.DivergenceState, state, "DIVERGENCE_STATE_"))


def _now(found: pb.Explanation, field: str) -> str:
    return version_text(found, field) if found.looked else "not looked at"
