"""botocore finds the credentials and knows when they expire; here they are at hand without waiting.

Looking for them, and refreshing them (from a role or an instance's metadata), blocks, so it happens in a
thread; while a refresh runs, calls go on with the credentials there are, unless those have expired.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, PartialCredentialsError, ProfileNotFound
from botocore.session import Session

from proxy.core.errors import Broken, Unavailable
from proxy.stores.dynamo.signing import Credentials

_RECHECK = 30.0  # seconds; botocore itself refreshes 15 minutes before the end
_PATIENCE = 300.0  # seconds that credentials may be used after the last check, while a refresh hangs


class CredentialSource:
    """The credentials of this process, found as the AWS command line finds them."""

    def __init__(self, profile: str | None = None) -> None:
        self._profile = profile
        self._found: Any = None
        self._current: Credentials | None = None
        self._checked = 0.0
        self._refresh: asyncio.Task[Credentials] | None = None

    async def current(self) -> Credentials:
        """The credentials to sign with. Raises Broken when there are none."""
        age = time.monotonic() - self._checked
        if self._current is not None and (age < _RECHECK or not self._expires):
            return self._current
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._load(), name="dynamodb-credentials")
            self._refresh.add_done_callback(_retrieve)
        if self._current is not None and age < _PATIENCE:
            return self._current
        return await asyncio.shield(self._refresh)

    @property
    def _expires(self) -> bool:
        return isinstance(self._found, RefreshableCredentials)

    async def _load(self) -> Credentials:
        try:
            self._current = await asyncio.to_thread(self._look)
        except (ProfileNotFound, PartialCredentialsError) as error:
            raise Broken(f"the AWS credentials are not usable: {error}") from error
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"the AWS credentials could not be refreshed: {error}") from error
        self._checked = time.monotonic()
        return self._current

    def _look(self) -> Credentials:
        if self._found is None:
            self._found = Session(profile=self._profile).get_credentials()
        if self._found is None:
            raise Broken("no AWS credentials were found (environment, profile or role)")
        frozen = self._found.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")


def _retrieve(task: asyncio.Task[Credentials]) -> None:
    """A failed refresh that nobody waits for is tried again by the next call; do not let it be reported."""
    if not task.cancelled():
        task.exception()
