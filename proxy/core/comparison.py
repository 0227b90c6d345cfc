"""Comparing two records says what their difference means; only equal versions are compared by content.

A verdict is either settled, or it may be explained by time alone and must be looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from bson import Decimal128

from proxy.core.document import Document, Value
from proxy.core.version import Record, Version


class Kind(Enum):
    """What a comparison found (facts: "Comparison"). Everything from STUCK_LAG on is a divergence."""

    MATCH = "MATCH"
    LAG = "LAG"  # the mirror is older than the primary: time may heal it
    SKEW = "SKEW"  # the mirror is newer than the primary we read: read the primary again
    REPRESENTATION = "REPRESENTATION"  # equal as MongoDB compares, not to the byte
    QUERY_WINDOW = "QUERY_WINDOW"  # rows differ only because documents changed between the two reads
    BYPASS = "BYPASS"  # a writer that bypasses the proxy changed the primary; its version has moved on since
    UNAVAILABLE = "UNAVAILABLE"  # the mirror could not answer: a matter of health, not of data
    STUCK_LAG = "STUCK_LAG"
    TRUE_MISMATCH = "TRUE_MISMATCH"  # same version, other content
    VERSION_CONFLICT = "VERSION_CONFLICT"  # same version, made by another write
    MISSING_IN_MIRROR = "MISSING_IN_MIRROR"  # live in the primary, unknown to the mirror
    GHOST_IN_MIRROR = "GHOST_IN_MIRROR"  # live in the mirror, unknown to the primary
    MIRROR_AHEAD = "MIRROR_AHEAD"  # the mirror stays newer than the primary
    QUERY_MISMATCH = "QUERY_MISMATCH"  # documents equal, but a query selects or orders them otherwise
    ERROR_PARITY = "ERROR_PARITY"  # one store answers, the other refuses

    @property
    def is_divergence(self) -> bool:
        return self in _DIVERGENCES

    @property
    def is_recorded(self) -> bool:
        """Whether it stands in the log until it is healed: a divergence, or one of representation."""
        return self in _DIVERGENCES or self is Kind.REPRESENTATION


_DIVERGENCES = frozenset(
    (
        Kind.STUCK_LAG,
        Kind.TRUE_MISMATCH,
        Kind.VERSION_CONFLICT,
        Kind.MISSING_IN_MIRROR,
        Kind.GHOST_IN_MIRROR,
        Kind.MIRROR_AHEAD,
        Kind.QUERY_MISMATCH,
        Kind.ERROR_PARITY,
    )
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look found; `is_settled` False: look again before you believe it."""

    kind: Kind
    is_settled: bool


MATCH = Verdict(Kind.MATCH, True)


def compare(primary: Record | None, mirror: Record | None) -> Verdict:
    """What the two stores' records of one key mean to each other, at first sight."""
    if not _is_live(primary) and not _is_live(mirror):
        return MATCH
    if primary is None:
        return Verdict(Kind.GHOST_IN_MIRROR, False)
    if mirror is None:
        return Verdict(Kind.MISSING_IN_MIRROR, False)
    if primary.version > mirror.version:
        return Verdict(Kind.LAG, False)
    if primary.version < mirror.version:
        return Verdict(Kind.SKEW, False)
    if primary.op != mirror.op:
        return Verdict(Kind.VERSION_CONFLICT, False)
    return _compare_content(primary.document, mirror.document)


def conclude(first_seen: Version | None, primary: Record | None, mirror: Record | None) -> Verdict:
    """The verdict of a later look, given the primary's version at the first one.

    A busy document is never settled by equality alone: the mirror has kept up when it reached the version
    that the primary had at the first look.
    """
    verdict = compare(primary, mirror)
    if verdict.kind is Kind.LAG and mirror is not None and first_seen and mirror.version >= first_seen:
        return Verdict(Kind.MATCH, True)
    if verdict.kind is Kind.TRUE_MISMATCH and primary is not None and primary.version != first_seen:
        return Verdict(Kind.BYPASS, False)
    return verdict


SURVIVING = {Kind.LAG: Kind.STUCK_LAG, Kind.SKEW: Kind.MIRROR_AHEAD, Kind.BYPASS: Kind.TRUE_MISMATCH}
"""What a verdict is called once it survived every recheck."""


def are_equivalent(left: Value, right: Value) -> bool:
    """Equal as MongoDB compares values: 1 equals 1.0, field order of embedded documents is ignored."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(are_equivalent(v, right[k]) for k, v in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(are_equivalent, left, right))
    if _is_number(left) and _is_number(right):
        return _same_number(left, right)
    return bool(Document({"": left}) == Document({"": right}))


def _compare_content(primary: Document | None, mirror: Document | None) -> Verdict:
    if primary == mirror:
        return MATCH
    if primary is not None and mirror is not None and are_equivalent(primary.fields, mirror.fields):
        return Verdict(Kind.REPRESENTATION, True)
    return Verdict(Kind.TRUE_MISMATCH, False)


def _is_live(record: Record | None) -> bool:
    return record is not None and not record.is_tombstone


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal128) and not isinstance(value, bool)


def _same_number(left: Any, right: Any) -> bool:
    ours, theirs = _decimal(left), _decimal(right)
    return ours == theirs or (ours.is_nan() and theirs.is_nan())


def _decimal(value: Any) -> Decimal:
    return value.to_decimal() if isinstance(value, Decimal128) else Decimal(value)
