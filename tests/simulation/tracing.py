"""What happened in a simulated world, line by line, for whoever has to understand a seed."""

from __future__ import annotations

import asyncio
import logging

from tests.simulation import replica
from tests.simulation.virtual_time import START


class Trace(logging.Handler):
    """Prints every line with its virtual time and the replica whose code was running; log records too."""

    def __init__(self, is_on: bool) -> None:
        super().__init__()
        self.is_on = is_on

    def __call__(self, line: str) -> None:
        if self.is_on:
            running = replica.current.get()
            name = running.name if running else "--"
            print(f"{asyncio.get_running_loop().time() - START:9.4f} {name:>3} {line}")

    def emit(self, record: logging.LogRecord) -> None:
        self(f"{record.name}: {record.getMessage()}")
