"""What the guard asks of a call where nobody is asked who they are: nothing."""

from __future__ import annotations

from typing import Any, cast

import grpc
import pytest

from crossfade.v1 import storage_pb2 as pb
from proxy.api.admission import Admission
from proxy.api.guard import AccessLog, Guard
from proxy.core.identity import Doorkeeper, Identity, Proof, Role
from proxy.telemetry import Silence

ANSWER = pb.GetResponse(etag="e")


class Sealed:
    """A call that notes whatever is looked at."""

    def __init__(self) -> None:
        self.looked_at: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def look() -> Any:
            self.looked_at.append(name)
            return {} if name == "auth_context" else ()

        return look


class Anybody:
    """A door that lets everybody in."""

    async def identify(self, proof: Proof) -> Identity:
        return Identity("anybody")

    def require(self, identity: Identity, role: Role, collection: str = "") -> None:
        """They may."""

    def may(self, identity: Identity, role: Role, collection: str) -> bool:
        return True

    def is_known(self, identity: Identity) -> bool:
        return True


async def answer(request: Any, context: Any) -> pb.GetResponse:
    return ANSWER


def guarded(door: Doorkeeper | None) -> Any:
    handler = grpc.unary_unary_rpc_method_handler(
        cast(Any, answer), pb.GetRequest.FromString, pb.GetResponse.SerializeToString
    )
    guard = Guard(Silence(), AccessLog.ERRORS, Admission(door) if door else None)
    return guard.guard("crossfade.v1.StorageService", "Get", handler).unary_unary


@pytest.mark.parametrize(
    ("door", "looked_at"), [(None, []), (Anybody(), ["invocation_metadata", "auth_context"])]
)
async def test_a_call_is_looked_at_only_where_somebody_is_asked(
    door: Doorkeeper | None, looked_at: list[str]
) -> None:
    call = Sealed()
    request = pb.GetRequest(collection="jobs").SerializeToString()
    assert await guarded(door)(request, call) is ANSWER
    assert call.looked_at == looked_at
