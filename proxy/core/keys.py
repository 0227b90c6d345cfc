"""A key names one document in both stores; its text form never collides and keeps order within a prefix."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.core.document import Value


@dataclass(frozen=True, slots=True)
class Key:
    """The values of a collection's key fields, partition fields first, in declared order. Hashable."""

    values: tuple[Value, ...]
