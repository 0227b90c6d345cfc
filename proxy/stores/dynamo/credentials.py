"""botocore finds the credentials and knows when they expire; here they are at hand without waiting.

Looking for them, and refreshing them, blocks, so it happens in a thread, and so does loading botocore, beside
everything else that a start waits for. While a refresh runs, calls go on with the credentials there are,
unless those have expired.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from proxy.stores.dynamo.signing import Credentials

if TYPE_CHECKING:
    from proxy.stores.dynamo.provider import Provider

_RECHECK = 30.0  # seconds; botocore itself refreshes 15 minutes before the end
_PATIENCE = 300.0  # seconds that credentials may be used after the last check, while a refresh hangs


class CredentialSource:
    """The credentials of this process, found as the AWS command line finds them."""

    def __init__(self, profile: str | None = None) -> None:
        self._profile = profile
        self._provider: Provider | None = None
        self._current: Credentials | None = None
        self._checked = 0.0
        self._refresh: asyncio.Task[Credentials] | None = None

    async def current(self) -> Credentials:
        """The credentials to sign with. Raises Broken when there are none."""
        age = time.monotonic() - self._checked
        if self._current is not None and (age < _RECHECK or not self._expires):
            return self._current
        looking = self.look_soon()
        if self._current is not None and age < _PATIENCE:
            return self._current
        return await asyncio.shield(looking)

    def look_soon(self) -> asyncio.Task[Credentials]:
        """Begin to look for them, if nobody looks yet; whoever needs them waits for what comes of it."""
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._load(), name="dynamodb-credentials")
            self._refresh.add_done_callback(_retrieve)
        return self._refresh

    @property
    def _expires(self) -> bool:
        return self._provider is not None and self._provider.expires

    async def _load(self) -> Credentials:
        self._current = await asyncio.to_thread(self._look)
        self._checked = time.monotonic()
        return self._current

    def _look(self) -> Credentials:
        if self._provider is None:
            from proxy.stores.dynamo.provider import Provider  # here, since it takes a tenth of a start

            self._provider = Provider(self._profile)
        return self._provider.look()


def _retrieve(task: asyncio.Task[Credentials]) -> None:
    """A failed refresh that nobody waits for is tried again by the next call; do not let it be reported."""
    if not task.cancelled():
        task.exception()
