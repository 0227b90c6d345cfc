"""Where this process's AWS credentials come from, as the AWS command line finds them: botocore's own chain.

Looking blocks, for it may ask a role or an instance's metadata.
"""

from __future__ import annotations

from typing import Any

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, PartialCredentialsError, ProfileNotFound
from botocore.session import Session

from proxy.core.errors import Broken, Unavailable
from proxy.stores.dynamo.signing import Credentials


class Provider:
    """The first of the chain that has any; asked again, it refreshes what is about to expire."""

    def __init__(self, profile: str | None) -> None:
        self._profile = profile
        self._found: Any = None

    def look(self) -> Credentials:
        """Raises Broken where there are none, Unavailable where they cannot be had now."""
        try:
            return self._look()
        except (ProfileNotFound, PartialCredentialsError) as error:
            raise Broken(f"the AWS credentials are not usable: {error}") from error
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"the AWS credentials could not be refreshed: {error}") from error

    @property
    def expires(self) -> bool:
        """Whether what was found has to be looked for again."""
        return isinstance(self._found, RefreshableCredentials)

    def _look(self) -> Credentials:
        if self._found is None:
            self._found = Session(profile=self._profile).get_credentials()
        if self._found is None:
            raise Broken("no AWS credentials were found (environment, profile or role)")
        frozen = self._found.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")
