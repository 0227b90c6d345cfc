"""What asking who calls costs: CPU per Get at the edge, in this process, beside a proxy that asks nobody.

    python -m bench.access_cost [--calls 20000] [--rounds 9]

The calls go through the guard as gRPC hands them over, to a method that answers at once; the best of all
rounds counts, for other work on the machine only ever adds. `asks nobody` and `again` are the same thing
twice: how far they are apart is what this can measure.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import grpc
import uvloop

from crossfade.v1 import storage_pb2 as pb
from proxy.access.door import Door
from proxy.api.admission import Admission
from proxy.api.guard import AccessLog, Guard
from proxy.core.crowd import Crowd
from proxy.telemetry import Silence
from tests.fixtures.doors import doorway
from tests.unit.api.samples import message_of

GRANTS = """\
grants:
  - {who: "token:app", role: writer, collections: [jobs]}
  - {who: "jwt:ada", role: reader}
  - {who: "cert:worker", role: reader, collections: [jobs]}
"""
REQUEST = pb.GetRequest(collection="jobs", key=message_of({"tenant": "auth0", "name": "job-17"}))

Serve = Callable[[bytes, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Context:
    """As much of gRPC's as the guard asks of a call."""

    headers: tuple[tuple[str, str], ...] = ()
    names: tuple[bytes, ...] = ()

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self.headers

    def auth_context(self) -> Mapping[str, tuple[bytes, ...]]:
        return {"x509_subject_alternative_name": self.names} if self.names else {}

    def peer(self) -> str:
        return "ipv4:127.0.0.1:54321"


async def _answer(request: Any, context: Any) -> pb.GetResponse:
    return _ANSWER


_ANSWER = pb.GetResponse()


def guarded(door: Door | None = None, crowd: Crowd | None = None) -> Serve:
    """A Get behind the guard."""
    handler = grpc.unary_unary_rpc_method_handler(
        cast(Any, _answer), pb.GetRequest.FromString, pb.GetResponse.SerializeToString
    )
    guard = Guard(Silence(), AccessLog.ERRORS, Admission(door) if door else None, crowd)
    return cast(Serve, guard.guard("crossfade.v1.StorageService", "Get", handler).unary_unary)


def contenders(place: Path) -> dict[str, tuple[Serve, Context]]:
    """What is compared, by what is said of it."""
    way, many = doorway(place, GRANTS), Crowd(1000)
    signed = way.signer.sign(exp=time.time() + 3600)
    asking = guarded(way.door, many)

    def shows(token: str) -> Context:
        return Context((("user-agent", "grpc"), ("authorization", f"Bearer {token}")))

    return {
        "asks nobody": (guarded(crowd=many), Context()),
        "again": (guarded(crowd=many), Context()),
        "static token": (asking, shows(way.tokens["app"])),
        "signed token": (asking, shows(signed)),
        "certificate": (asking, Context(names=(b"localhost", b"worker"))),
        "no limit on calls either": (guarded(), Context()),
    }


async def cost(serve: Serve, context: Context, calls: int) -> float:
    """Microseconds of CPU a call."""
    data = REQUEST.SerializeToString()
    began = time.process_time()
    for _ in range(calls):
        await serve(data, context)
    return (time.process_time() - began) / calls * 1e6


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        compared = contenders(Path(place))
        found: dict[str, list[float]] = {name: [] for name in compared}
        for _ in range(options.rounds):
            for name, (serve, context) in compared.items():
                found[name].append(await cost(serve, context, options.calls))
    base = min(found["asks nobody"])
    for name, costs in found.items():
        print(f"{name:<25} {min(costs):6.2f} us a call, {min(costs) - base:+6.2f}")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
