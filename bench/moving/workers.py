"""Worker processes, each of which may be killed, with what the system says of their memory."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from proxy.embedded.child import Child, spawn

ROOT = Path(__file__).resolve().parents[2]


_numbers = itertools.count(1)


@dataclass(slots=True)
class Workers:
    """`python -m proxy work`, as often as wanted."""

    environment: Mapping[str, str]
    directory: Path
    children: list[Child] = field(default_factory=list)

    async def start(self, count: int = 1) -> None:
        """So many more, at work."""
        await asyncio.gather(*(self._start() for _ in range(count)))

    async def kill_one(self) -> None:
        """SIGKILL for the one that has worked longest, and another in its place."""
        self.children.pop(0).kill()
        await self._start()

    async def stop(self) -> None:
        await asyncio.gather(*(child.stop() for child in self.children))
        self.children.clear()

    def peak_mb(self) -> float:
        """The most memory that any of them ever had in RAM, in megabytes."""
        return max(_peak_kb(child.pid) for child in self.children) / 1000

    async def _start(self) -> None:
        name = f"worker-{next(_numbers)}"  # and a log of its own
        environment = {**self.environment, "CROSSFADE_REPLICA_ID": name}
        command = [sys.executable, "-m", "proxy", "work"]
        child = spawn(name, command, self.directory / f"{name}.log", ROOT, environment)
        self.children.append(child)

        async def is_ready() -> bool:
            return "is ready" in child.output()

        if not await child.wait_until(is_ready, 60.0):
            raise child.died_early()


def _peak_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
