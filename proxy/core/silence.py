"""Signals that go nowhere: what runs when telemetry is off, and in tests."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

_NOTHING: AbstractContextManager[None] = nullcontext()


class SilentSignals:
    """See `core.ports.Signals`."""

    def count(self, name: str, amount: int = 1, **attributes: str) -> None:
        """Forget it."""

    def time(self, name: str, seconds: float, **attributes: str) -> None:
        """Forget it."""

    def span(self, name: str, **attributes: str) -> AbstractContextManager[None]:
        return _NOTHING

    def trace_id(self) -> str:
        return ""
