"""When the call at hand must be answered, for whoever asks a store on its behalf.

Set for calls that only read, by the edge; a write is never cut off by a store's clock, for its outcome would
be lost. What runs in the background has no deadline of a call.
"""

from __future__ import annotations

import time
from contextvars import ContextVar, Token

Mark = Token[float | None]

_ends: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin(seconds: float) -> Mark:
    """From now on the call at hand has so many seconds; hand the mark to `end`."""
    return _ends.set(time.monotonic() + seconds)


def end(mark: Mark) -> None:
    _ends.reset(mark)


def seconds_left() -> float | None:
    """Seconds until the call must be answered, a millisecond at least; None where there is no deadline."""
    ends = _ends.get()
    return None if ends is None else max(0.001, ends - time.monotonic())


def milliseconds_left() -> int | None:
    """The same in whole milliseconds, as MongoDB counts them."""
    left = seconds_left()
    return None if left is None else max(1, int(left * 1000))
