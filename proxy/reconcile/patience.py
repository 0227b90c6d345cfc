"""Waits out what passes: a store that does not answer, or too slowly; everything else is for the caller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from proxy.core.errors import BadRequest, Broken, CrossfadeError, NotFound, Refused, Unsupported

_log = logging.getLogger("crossfade.reconcile")
_T = TypeVar("_T")

LASTING = (BadRequest, Broken, NotFound, Refused, Unsupported)
"""What asking again does not change."""
LONGEST_PAUSE = 2.0


async def persist(what: str, call: Callable[[], Awaitable[_T]]) -> _T:
    """Call until the stores answer; `what` is named in the log. Raises what lasts."""
    pause = 0.05
    while True:
        try:
            return await call()
        except LASTING:
            raise
        except CrossfadeError as error:
            _log.warning("%s waits for a store: %s", what, error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
