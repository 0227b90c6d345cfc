"""How busy MongoDB's connections are, told by the driver's own events; costs an operation a few microseconds,
so it is asked for only where somebody looks."""

from __future__ import annotations

from typing import Any

from pymongo.monitoring import ConnectionPoolListener

from proxy.core.reading import Pool

MAX_POOL_SIZE = 100
"""The driver's own default, which its events leave out."""


class PoolGauge(ConnectionPoolListener):
    """Counts the connections of all pools of one client. One client has a pool for each server."""

    def __init__(self) -> None:
        self._open = 0
        self._used = 0
        self._pending = 0
        self._limits: dict[object, int] = {}

    @property
    def pool(self) -> Pool:
        idle = max(0, self._open - self._used)
        return Pool("mongodb", self._used, idle, self._pending, sum(self._limits.values()))

    def pool_created(self, event: Any) -> None:
        self._limits[event.address] = int(event.options.get("maxPoolSize", MAX_POOL_SIZE) or 0)

    def pool_ready(self, event: Any) -> None: ...

    def pool_cleared(self, event: Any) -> None: ...

    def pool_closed(self, event: Any) -> None:
        self._limits.pop(event.address, None)

    def connection_created(self, event: Any) -> None:
        self._open += 1

    def connection_ready(self, event: Any) -> None: ...

    def connection_closed(self, event: Any) -> None:
        self._open -= 1

    def connection_check_out_started(self, event: Any) -> None:
        self._pending += 1

    def connection_check_out_failed(self, event: Any) -> None:
        self._pending -= 1

    def connection_checked_out(self, event: Any) -> None:
        self._pending -= 1
        self._used += 1

    def connection_checked_in(self, event: Any) -> None:
        self._used -= 1
