"""What the traffic does: each worker repeats a step of the application and enters what it was promised."""

from typing import Protocol


class Worker(Protocol):
    """Somebody who uses the application."""

    async def step(self) -> None:
        """One or a few calls. A read that fails raises CrossfadeError; the next step is a new try."""
        ...
