"""The real clock and the real dice (see `core.ports.Clock`)."""

from __future__ import annotations

import os
import random
import time


class SystemClock:
    """Wall time of this machine, randomness of the operating system."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def random(self) -> float:
        return random.random()

    def new_op(self) -> bytes:
        return os.urandom(16)
