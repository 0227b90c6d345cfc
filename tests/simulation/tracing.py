"""What happened in a simulated world, line by line, for whoever has to understand a seed."""

from __future__ import annotations

import asyncio
import logging

from tests.simulation.process import running
from tests.simulation.virtual_time import START


class Trace(logging.Handler):
    """Prints every line with its virtual time and the process that was running; takes log records too."""

    def __init__(self, is_on: bool) -> None:
        super().__init__()
        self.is_on = is_on

    def __call__(self, line: str) -> None:
        if self.is_on:
            now, process = asyncio.get_running_loop().time() - START, running.get()
            print(f"{now:9.4f} {process.name if process else '--':>3} {line}")

    def emit(self, record: logging.LogRecord) -> None:
        self(f"{record.name}: {record.getMessage()}")
