"""Signed tokens (JWT): valid if a key of the set has signed them, for us, by the issuer, and for now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import jwt

from proxy.access.files import Kept
from proxy.access.issuer import Issuer
from proxy.access.jwks import ALGORITHMS, is_address, read_keys
from proxy.core.errors import Unauthenticated
from proxy.core.identity import Identity

LEEWAY = 10
"""Seconds that the clocks of issuer and proxy may differ."""

FETCH_EVERY = 300.0
FETCH_AGAIN = 10.0
"""Seconds between two looks at an address: usually, and at least when a token names a key we lack."""


class SignedTokens:
    """Verifies the tokens of one issuer."""

    def __init__(self, issuer: Issuer) -> None:
        """Blocks while an address is asked. Raises AccessError where there are no keys now."""
        self._issuer = issuer
        self._lock = asyncio.Lock()
        self._asked = time.monotonic()
        paths = () if is_address(issuer.keys) else (issuer.keys,)
        self._file = Kept(paths, lambda: read_keys(issuer.keys))
        self._keys: Mapping[str, jwt.PyJWK] = self._file.value

    async def verify(self, token: str) -> tuple[Identity, float]:
        """Who shows the token, and until when (seconds since 1970). Raises Unauthenticated."""
        try:
            key = await self._key_of(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._issuer.audience,
                issuer=self._issuer.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the token is not valid: {_why(error)}") from error
        groups = claims.get(self._issuer.groups, [])
        named = tuple(group for group in groups if isinstance(group, str)) if isinstance(groups, list) else ()
        return Identity(f"jwt:{claims['sub']}", named), float(claims["exp"]) + LEEWAY

    async def refresh(self) -> bool:
        """Look for other keys if it is time; whether there are some. Raises AccessError."""
        if not is_address(self._issuer.keys):
            changed = self._file.refresh()
            self._keys = self._file.value
            return changed
        if time.monotonic() - self._asked < FETCH_EVERY:
            return False
        return await self._fetch()

    async def _fetch(self) -> bool:
        self._asked = time.monotonic()
        old = self._keys
        self._keys = await asyncio.to_thread(read_keys, self._issuer.keys)
        return {name: key._jwk_data for name, key in old.items()} != {
            name: key._jwk_data for name, key in self._keys.items()
        }

    async def _key_of(self, token: str) -> jwt.PyJWK:
        """The key that the token names. A new one may have been published since we looked."""
        name = str(jwt.get_unverified_header(token).get("kid", ""))
        if name not in self._keys and is_address(self._issuer.keys):
            async with self._lock:
                if name not in self._keys and time.monotonic() - self._asked >= FETCH_AGAIN:
                    await self._fetch()
        key = self._keys.get(name)
        if key is None:
            raise jwt.InvalidKeyError("no key of its name")
        return key


def _why(error: jwt.PyJWTError) -> str:
    """Why, without a word of what the token says."""
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet"
        case jwt.InvalidAudienceError() | jwt.InvalidIssuerError():
            return "it is not for this proxy, or not by its issuer"
        case jwt.MissingRequiredClaimError():
            return "a claim is missing"
    return "it is malformed, or not signed by a key that is known"
