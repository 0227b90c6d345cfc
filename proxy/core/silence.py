"""Signals that go nowhere: what runs when telemetry is off, and in tests."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from proxy.core.reading import Read

_NOTHING: AbstractContextManager[None] = nullcontext()


class SilentSignals:
    """See `core.ports.Signals`."""

    is_heard = False

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        """Forget it."""

    def time(self, name: str, seconds: float, **attributes: str) -> None:
        """Forget it."""

    def span(self, name: str, **attributes: str) -> AbstractContextManager[None]:
        return _NOTHING

    def trace_id(self) -> str:
        return ""

    def here(self) -> object:
        return None

    def resume(self, where: object) -> AbstractContextManager[None]:
        return _NOTHING

    def watch(self, read: Read) -> None:
        """Nobody will look."""
