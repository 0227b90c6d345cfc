"""The door: says who a caller is by what they show, and what they may do by the policy.

Invariants: a token is verified once and then known until it expires or anything that vouched for it changes;
what cannot be read any more leaves in force what was read last, and the log says so; no token is ever logged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.access.files import Kept
from proxy.access.issuer import Issuer
from proxy.access.tokens import digest_of, read_tokens
from proxy.core.errors import PermissionDenied, Unauthenticated
from proxy.core.identity import Identity, Proof, Role
from proxy.core.policy import EVERY, Policy

if TYPE_CHECKING:
    from proxy.access.signed import SignedTokens

_log = logging.getLogger("crossfade.access")

LOOK_EVERY = 2.0
"""Seconds between two looks at the files."""

MAX_KNOWN = 10_000
"""Tokens that are remembered."""

MAX_TOKEN = 8192


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """What decides who comes in: files by their paths, empty where there is none."""

    policy: str
    tokens: str = ""
    issuer: Issuer | None = None


class Door:
    """Identifies callers and knows their roles (a `core.identity.Doorkeeper`)."""

    def __init__(
        self,
        settings: DoorSettings,
        read_policy: Callable[[str], Policy],
        now: Callable[[], float] = time.time,
    ) -> None:
        """Reads everything once; `now` tells seconds since 1970. Raises AccessError, or what `read_policy`
        raises."""
        path = settings.policy
        self._policy = Kept((path,), lambda: read_policy(path))
        self._tokens: Kept[Mapping[str, str]] | None = None
        if settings.tokens:
            self._tokens = Kept((settings.tokens,), lambda: read_tokens(settings.tokens))
        self._signed = _signed_by(settings.issuer)
        self._now = now
        self._known: OrderedDict[str, tuple[Identity, float]] = OrderedDict()

    async def identify(self, proof: Proof) -> Identity:
        if proof.token:
            return await self._identify_token(proof.token)
        if proof.certificate:
            return self._identify_certificate(proof.certificate)
        raise Unauthenticated("the call shows no token and no certificate")

    def require(self, identity: Identity, role: Role, collection: str = "") -> None:
        if not self._policy.value.allows(identity, role, collection or EVERY):
            what = collection or "every collection"
            raise PermissionDenied(f"{identity.name} is no {role.value} of {what}", field="collection")

    def may(self, identity: Identity, role: Role, collection: str) -> bool:
        return self._policy.value.allows(identity, role, collection)

    def is_known(self, identity: Identity) -> bool:
        return self._policy.value.knows(identity)

    async def watch(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.refresh()

    async def refresh(self) -> None:
        """Take what has changed into force; what cannot be read is logged, and the old goes on."""
        changed = False
        try:
            changed |= self._policy.refresh()
            changed |= self._tokens is not None and self._tokens.refresh()
            changed |= self._signed is not None and await self._signed.refresh()
        except Exception as error:
            _log.error("who may come in is as it was: %s", error)
        if changed:
            self._known.clear()
            _log.info("who may come in has changed")

    async def _identify_token(self, token: str) -> Identity:
        digest = digest_of(token)
        known = self._known.get(digest)
        if known is not None and known[1] > self._now():
            return known[0]
        identity, until = await self._verify(token, digest)
        self._known[digest] = identity, until
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return identity

    async def _verify(self, token: str, digest: str) -> tuple[Identity, float]:
        name = self._tokens.value.get(digest) if self._tokens else None
        if name is not None:
            return Identity(f"token:{name}"), float("inf")
        if self._signed is None or len(token) > MAX_TOKEN or not token.isascii():
            raise Unauthenticated("the token is not valid: nobody here knows it")
        return await self._signed.verify(token)

    def _identify_certificate(self, names: tuple[str, ...]) -> Identity:
        """The first name that the policy speaks of; the first of all where it speaks of none."""
        identities = [Identity(f"cert:{name}") for name in names]
        known = (identity for identity in identities if self._policy.value.knows(identity))
        return next(known, identities[0])


def _signed_by(issuer: Issuer | None) -> SignedTokens | None:
    if issuer is None:
        return None
    from proxy.access.signed import SignedTokens  # here, since most proxies need no cryptography of their own

    return SignedTokens(issuer)
