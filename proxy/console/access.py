"""Who may see the console and act in it, and what a browser must show before anything is changed.

Invariants: nothing is changed by a request that another site could have a browser send; nothing is answered
under a name that is not ours, so that no foreign name can be pointed at a loopback address.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from proxy.console.actions import Wish
from proxy.console.sessions import COOKIE, Sessions
from proxy.core.errors import PermissionDenied, Unauthenticated
from proxy.core.identity import Doorkeeper, Identity, Proof, Role
from proxy.core.place import host_of, is_loopback

PROOF = "x-crossfade-console"
"""A header that a page of another site cannot add without asking us first, which we never allow."""


class NotAdmitted(Exception):
    """The request is refused; the message says why, for people."""


class NotSignedIn(NotAdmitted):
    """The request shows no session, or one that is over."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `name` is empty where nobody has to sign in, and people say themselves who they are."""

    name: str
    address: str
    visa: Visa | None = None

    def may_see(self, collection: str) -> bool:
        """Whether how a collection stands is theirs to know."""
        return self.visa is None or self.visa.may_see(collection)

    def require_operator(self, collection: str) -> None:
        """Raises PermissionDenied unless they steer the collection, or every one where none is named."""
        if self.visa is not None:
            self.visa.door.require(self.visa.identity, Role.OPERATOR, collection)

    def sign(self, wish: Wish) -> Wish:
        """A wish in the visitor's own name, whatever name it bears."""
        return replace(wish, actor=self.name) if self.name else wish

    def as_actor(self, told: str) -> str:
        """The name for the audit trail."""
        return f"{self.name or told} (console, {self.address})"


class Access(Protocol):
    """The door of the console."""

    def check_name(self, request: HTTPConnection) -> None:
        """Raises NotAdmitted where the request calls us by a name that is not ours."""
        ...

    async def admit(self, request: HTTPConnection) -> Visitor:
        """Who asks. Raises NotAdmitted."""
        ...


class OpenAccess:
    """Everybody who reaches the page is admitted; `any_name` where it is not bound to loopback alone."""

    def __init__(self, any_name: bool = False) -> None:
        self._any_name = any_name

    def check_name(self, request: HTTPConnection) -> None:
        if not self._any_name and not is_loopback(host_of(request.headers.get("host", ""))):
            raise NotAdmitted("the console answers to localhost and loopback addresses only")

    async def admit(self, request: HTTPConnection) -> Visitor:
        self.check_name(request)
        return Visitor("", address_of(request))


@dataclass(frozen=True, slots=True)
class Visa:
    """Somebody who has signed in, and who knows what they may do."""

    identity: Identity
    door: Doorkeeper

    def may_see(self, collection: str) -> bool:
        return any(self.door.may(self.identity, role, collection) for role in (Role.OPERATOR, Role.READER))


class SignedIn:
    """Only those are admitted who have shown a token that the door takes, and takes still."""

    def __init__(self, open_access: OpenAccess, sessions: Sessions, door: Doorkeeper) -> None:
        self._open = open_access
        self._sessions = sessions
        self._door = door

    def check_name(self, request: HTTPConnection) -> None:
        self._open.check_name(request)

    async def admit(self, request: HTTPConnection) -> Visitor:
        self.check_name(request)
        token = self._sessions.token_of(request.cookies.get(COOKIE, ""))
        if token is None:
            raise NotSignedIn("sign in first")
        try:
            identity = await self._door.identify(Proof(token))
        except Unauthenticated as error:
            raise NotSignedIn(f"sign in again: {error.message}") from error
        return Visitor(identity.name, address_of(request), Visa(identity, self._door))

    async def sign_in(self, token: str) -> str:
        """The session of whoever shows the token. Raises Unauthenticated, or PermissionDenied for somebody
        without any role."""
        identity = await self._door.identify(Proof(token))
        if not self._door.is_known(identity):
            raise PermissionDenied(f"{identity.name} has no role for any collection")
        return self._sessions.begin(token)

    def sign_out(self, request: HTTPConnection) -> None:
        self._sessions.end(request.cookies.get(COOKIE, ""))


def address_of(request: HTTPConnection) -> str:
    return request.client.host if request.client else "unknown"


def check_same_origin(request: HTTPConnection) -> None:
    """Raises NotAdmitted for a change that did not come from the console's own page."""
    headers = request.headers
    if headers.get(PROOF) != "1":
        raise NotAdmitted(f"a change needs the header {PROOF}: 1")
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise NotAdmitted("a change must come from the console's own page")
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise NotAdmitted("a change must come from the console's own page")
