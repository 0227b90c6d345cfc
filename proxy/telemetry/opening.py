"""Telemetry as it is asked for; where nothing is, OpenTelemetry is not even loaded."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from proxy.core.silence import SilentSignals
from proxy.telemetry.settings import TelemetrySettings

if TYPE_CHECKING:
    from proxy.telemetry.signals import Telemetry
    from proxy.telemetry.spans import Metadata


class _NoCall:
    def finish(self, code: str, collection: str, seconds: float) -> None:
        """Nothing to finish."""


_NO_CALL: AbstractContextManager[Any] = nullcontext(_NoCall())


class Silence(SilentSignals):
    """Signals of the edge that go nowhere, for well under a microsecond each."""

    page = ""

    def serve(self, method: str, metadata: Metadata) -> AbstractContextManager[Any]:
        return _NO_CALL

    def stop(self) -> None:
        """Nothing to flush."""


def open_telemetry(settings: TelemetrySettings) -> Telemetry | Silence:
    """The signals that the settings ask for. Raises OSError when the Prometheus address cannot be had."""
    if settings.is_off:
        return Silence()
    from proxy.telemetry.signals import start  # here, since it takes a tenth of a proxy's start

    return start(settings)
