"""Which role each call needs, and for which collection; who calls is known from here on.

Invariant: a method that this table does not name is refused to everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.message import Message

from proxy.core.errors import PermissionDenied, Unauthenticated
from proxy.core.identity import Doorkeeper, Identity, Proof, Role


@dataclass(frozen=True, slots=True)
class Need:
    """One of these roles, for the collection that this field of the request names.

    Without a field: for any collection, and what is answered is limited to those.
    """

    roles: tuple[Role, ...]
    field: str = "collection"


_READ = Need((Role.READER,))
_WRITE = Need((Role.WRITER,))
_STEER = Need((Role.OPERATOR,))
_SEE_ONE = Need((Role.OPERATOR, Role.READER), "name")
_SEE_ANY = Need((), "")

NEEDS: Mapping[str, Need] = {
    "StorageService/Get": _READ,
    "StorageService/BatchGet": _READ,
    "StorageService/Query": _READ,
    "StorageService/Count": _READ,
    "StorageService/Insert": _WRITE,
    "StorageService/Replace": _WRITE,
    "StorageService/Update": _WRITE,
    "StorageService/FindOneAndUpdate": _WRITE,
    "StorageService/Delete": _WRITE,
    "StorageService/BatchWrite": _WRITE,
    "MigrationService/ListCollections": _SEE_ANY,
    "MigrationService/GetCollection": _SEE_ONE,
    "MigrationService/ListReplicas": _SEE_ANY,
    "MigrationService/GetReplica": _SEE_ANY,
    "MigrationService/StartJob": _STEER,
    "MigrationService/PauseJob": _STEER,
    "MigrationService/Repair": _STEER,
    "MigrationService/ExplainDivergence": _STEER,
    "MigrationService/MoveStage": _STEER,
    "MigrationService/Rollback": _STEER,
    "MigrationService/Rehearse": _STEER,
    "MigrationService/Abort": _STEER,
    "MigrationService/ListAuditEntries": _STEER,
    "MigrationService/ListDivergences": _STEER,
}
"""By service and method; docs/security.md says the same in words."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes the call at hand."""

    identity: Identity
    door: Doorkeeper

    def may_see(self, collection: str) -> bool:
        """Whether how the collection stands is theirs to know."""
        return any(self.door.may(self.identity, role, collection) for role in (Role.OPERATOR, Role.READER))


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def caller() -> Caller | None:
    """Who makes the call at hand; None where nobody is asked."""
    return _caller.get()


class Call(Protocol):
    """What is needed of a gRPC context."""

    def invocation_metadata(self) -> Any: ...

    def auth_context(self) -> Mapping[str, Iterable[bytes]]: ...


class Admission:
    """Admits calls: first by who calls, then by what for."""

    def __init__(self, door: Doorkeeper) -> None:
        self._door = door

    async def identify(self, call: Call) -> Identity:
        """Who calls. Raises Unauthenticated."""
        return await self._door.identify(Proof(_token_of(call), _names_of(call)))

    def admit(self, identity: Identity, method: str, request: Message) -> None:
        """Note the caller, if they have a role that the method needs. Raises PermissionDenied."""
        need = NEEDS.get(method.removeprefix("crossfade.v1."))
        if need is None:
            raise PermissionDenied(f"{method} is nobody's to call")
        if need.field:
            self._require(identity, need.roles, getattr(request, need.field))
        elif not self._door.is_known(identity):
            raise PermissionDenied(f"{identity.name} has no role for any collection")
        _caller.set(Caller(identity, self._door))

    def _require(self, identity: Identity, roles: tuple[Role, ...], collection: str) -> None:
        if not any(self._door.may(identity, role, collection) for role in roles[1:]):
            self._door.require(identity, roles[0], collection)


def _token_of(call: Call) -> str:
    for name, value in call.invocation_metadata() or ():
        if name == "authorization":
            kind, _, token = str(value).partition(" ")
            if kind.lower() != "bearer" or not token.strip():
                raise Unauthenticated("the authorization header must be `Bearer` and a token")
            return token.strip()
    return ""


def _names_of(call: Call) -> tuple[str, ...]:
    """The names in the client's verified certificate: the alternative ones first, then the common one."""
    shown = call.auth_context()
    names = [*shown.get("x509_subject_alternative_name", ()), *shown.get("x509_common_name", ())]
    return tuple(dict.fromkeys(name.decode("utf-8", "replace") for name in names))
