"""Answers that would be larger than a message may be: found before they are sent, and what fits instead."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

MEGABYTE = 1024 * 1024
SPARE = 64 * 1024
"""Bytes of a message that are kept for what is not documents."""

_SAMPLED = 8
"""One row in so many is measured, unless there is much of them: measuring costs as much as sending."""


def size_of(rows: Sequence[Message], most: int) -> int:
    """Bytes of all rows, estimated where they are far from `most`."""
    estimate = _SAMPLED * sum(row.ByteSize() for row in rows[::_SAMPLED])
    return sum(row.ByteSize() for row in rows) if estimate > most // 4 else estimate


def count_that_fits(rows: Sequence[Message], size: int, most: int) -> int:
    """How many of them a message may have, about, and one at least: those behind may be larger."""
    return max(1, len(rows) * most * 3 // (size * 4))
