"""Who has signed in at this replica's console: sessions in memory, by a secret that a cookie carries.

Invariants: a session ends at the latest with its token, which is asked about at every request; no secret of a
cookie is kept, only its digest; the number of sessions is bounded.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable

COOKIE = "__Host-crossfade"
"""The prefix has browsers take it only from this host by TLS (or loopback), and send it nowhere else."""

ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"

IDLE = 8 * 3600.0
"""Seconds after which a session that nobody uses is over."""

MOST = 1000


class Sessions:
    """Sessions by the digests of their secrets; `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def begin(self, token: str) -> str:
        """A session for whoever showed the token: the secret for their cookie."""
        secret = secrets.token_urlsafe(32)
        self._open[_digest(secret)] = token, self._clock() + IDLE
        if len(self._open) > MOST:
            self._open.popitem(last=False)
        return secret

    def token_of(self, secret: str) -> str | None:
        """The token that began the session; None where there is none, or not any more."""
        digest = _digest(secret)
        token, until = self._open.get(digest, ("", 0.0))
        if until < self._clock():
            self._open.pop(digest, None)
            return None
        self._open[digest] = token, self._clock() + IDLE
        self._open.move_to_end(digest)
        return token

    def end(self, secret: str) -> None:
        self._open.pop(_digest(secret), None)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
