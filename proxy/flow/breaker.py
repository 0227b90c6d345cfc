"""A circuit breaker: after repeated failures it stops trying for a while, then lets one probe through."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class BreakerState(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after `threshold` failures in a row; `pause` seconds later one caller may probe.

    `monotonic` gives seconds of a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float], threshold: int = 5, pause: float = 1.0) -> None:
        self._monotonic = monotonic
        self._threshold = threshold
        self._pause = pause
        self._failures = 0
        self._open_until = 0.0
        self._probing = False

    @property
    def state(self) -> BreakerState:
        if self._failures < self._threshold:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probing else BreakerState.OPEN

    def allows(self) -> bool:
        """True when the caller should try; it then owes `succeeded` or `failed`."""
        if self._failures < self._threshold:
            return True
        if self._probing or self._monotonic() < self._open_until:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._probing = False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        self._open_until = self._monotonic() + self._pause
