"""Who calls: an identity that somebody vouched for, and the roles that it may be given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Role(Enum):
    """What one may do with a collection. A writer reads too; an operator is not thereby a reader."""

    READER = "reader"
    WRITER = "writer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who has proved who they are. `name` begins with how: `token:`, `jwt:` or `cert:`."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """The names under which a policy may speak of them."""
        return (self.name, *(f"group:{group}" for group in self.groups))


@dataclass(frozen=True, slots=True)
class Proof:
    """What a caller shows: a bearer token (empty: none), and the names in a certificate that TLS verified."""

    token: str = ""
    certificate: tuple[str, ...] = ()


class Doorkeeper(Protocol):
    """Who says who a caller is, and what they may do; the same for gRPC and the console."""

    async def identify(self, proof: Proof) -> Identity:
        """Who shows this. Raises Unauthenticated; asks nobody about a token that it knows already."""
        ...

    def require(self, identity: Identity, role: Role, collection: str = "") -> None:
        """Raises PermissionDenied unless they have the role for the collection, or for every one if none
        is named."""
        ...

    def is_known(self, identity: Identity) -> bool:
        """Whether they have any role at all, for any collection."""
        ...

    def may(self, identity: Identity, role: Role, collection: str) -> bool:
        """Whether they have the role for a collection."""
        ...
