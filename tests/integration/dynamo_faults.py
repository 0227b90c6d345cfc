"""A DynamoDB that fails on demand: what DynamoDB Local never does by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any

from proxy.stores.dynamo.failures import NotSent, Reply, ReplyLost
from proxy.stores.dynamo.transport import Attempt, Request


class Fault(Enum):
    """What befalls one attempt."""

    NOT_SENT = "no connection"
    THROTTLED = "throttled"
    LOST_BEFORE = "sent, and never arrived"
    LOST_AFTER = "applied, and the answer lost"
    ERROR_BEFORE = "500, and not applied"
    ERROR_AFTER = "500, and applied nevertheless"
    LATE = "no answer, and applied later, when `arrive` is called"


HARMLESS = (Fault.NOT_SENT, Fault.THROTTLED)
"""Faults that say for certain that nothing happened."""

_THROTTLED = Reply(400, {"__type": "x#ProvisionedThroughputExceededException", "message": "slow down"})
_BROKEN = Reply(500, {"__type": "x#InternalServerError", "message": "broken"})


class Faults:
    """The intercept of a transport: pass `self` to DynamoStores, then say what is to fail."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._coming: dict[str, list[Fault | None]] = {}
        self._edit: Callable[[str, Request], Request] = lambda operation, request: request
        self._late: list[Callable[[], Any]] = []

    def come(self, operation: str, *faults: Fault | None) -> None:
        """What befalls the next attempts of an operation, one each (None: nothing)."""
        self._coming[operation] = list(faults)

    def edit(self, edit: Callable[[str, Request], Request]) -> None:
        """Change every request on its way."""
        self._edit = edit

    async def arrive(self) -> list[Reply]:
        """Let the late requests arrive; their answers."""
        late, self._late = self._late, []
        return [await send() for send in late]

    async def __call__(self, operation: str, request: Request, attempt: Attempt) -> Reply:
        self.calls[operation] += 1
        await asyncio.sleep(0)
        request = self._edit(operation, request)
        coming = self._coming.get(operation)
        fault = coming.pop(0) if coming else None
        if fault in (Fault.LOST_AFTER, Fault.ERROR_AFTER, None):
            reply = await attempt(operation, request)
        if fault is Fault.LATE:
            self._late.append(lambda: attempt(operation, request))
        if fault is Fault.NOT_SENT:
            raise NotSent("injected")
        if fault in (Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.LATE):
            raise ReplyLost("injected")
        if fault is Fault.THROTTLED:
            return _THROTTLED
        return reply if fault is None else _BROKEN
