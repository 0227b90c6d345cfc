"""What is read off rather than counted: the values of gauges at the moment somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric; `attributes` are pairs of the short names of callers and their values."""

    name: str
    value: float
    attributes: tuple[tuple[str, str], ...] = ()


Read: TypeAlias = Callable[[], Iterable[Reading]]
"""Says how things stood a moment ago: at once, from any thread, and without asking anybody."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The connections to one store: in use, open and idle (None: not known), waited for, and allowed."""

    store: str
    used: int
    idle: int | None
    pending: int
    limit: int


def reading(name: str, value: float, **attributes: str) -> Reading:
    """A reading, written as a signal is."""
    return Reading(name, value, tuple(attributes.items()))
