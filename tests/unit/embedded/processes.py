"""Questions about processes that may be no children of ours."""

import asyncio
import os
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody has waited for yet does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


async def wait_for_death(pid: int, within: float = 10.0) -> None:
    """TimeoutError when it still runs after `within` seconds."""
    async with asyncio.timeout(within):
        while is_alive(pid):  # noqa: ASYNC110 - a process of somebody else cannot be awaited
            await asyncio.sleep(0.01)
