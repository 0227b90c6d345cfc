"""Who may see the console and act in it, and what a browser must show before anything is changed.

Invariants: nothing is changed by a request that another site could have a browser send; nothing is answered
under a name that is not ours, so that no foreign name can be pointed at a loopback address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from proxy.core.place import host_of, is_loopback

PROOF = "x-crossfade-console"
"""A header that a page of another site cannot add without asking us first, which we never allow."""


class NotAdmitted(Exception):
    """The request is refused; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `name` is empty where nobody has signed in, and people say themselves who they are."""

    name: str
    address: str

    def as_actor(self, told: str) -> str:
        """The name for the audit trail."""
        return f"{self.name or told} (console, {self.address})"


class Access(Protocol):
    """The door of the console; one that asks for a sign-in can stand here."""

    def admit(self, request: HTTPConnection) -> Visitor:
        """Who asks. Raises NotAdmitted."""
        ...


class OpenAccess:
    """Everybody who reaches the page is admitted; `any_name` where it is not bound to loopback alone."""

    def __init__(self, any_name: bool = False) -> None:
        self._any_name = any_name

    def admit(self, request: HTTPConnection) -> Visitor:
        if not self._any_name and not is_loopback(host_of(request.headers.get("host", ""))):
            raise NotAdmitted("the console answers to localhost and loopback addresses only")
        return Visitor("", request.client.host if request.client else "unknown")


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
