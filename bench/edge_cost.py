"""What the gRPC edge costs: server CPU per Get on a memory store, beside a bare grpc.aio echo of them.

    python -m bench.edge_cost [--calls 20000] [--rounds 5]

Both servers run in processes of their own and take turns; the operating system accounts for the CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any, cast

import grpc
import uvloop
from bson import Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from bench.accounting import cpu_seconds
from crossfade.v1 import storage_pb2 as pb
from crossfade.v1.storage_pb2_grpc import StorageServiceStub
from proxy.core.document import Fields
from tests.integration.api_server import serving
from tests.unit.api.samples import JOBS, message_of

KEY = {"tenant": "auth0", "name": "job-17"}
DOCUMENT: Fields = {
    "_id": ObjectId(),
    **KEY,
    "state": "waiting",
    "schedule": "*/5 * * * *",
    "due": 1_500_000_000_000.0,
    "created": DatetimeMS(1_500_000_000_000),
    "runs": 12,
    "total_ms": Int64(123_456_789_012),
    "enabled": True,
    "last_error": None,
    "owner": "someone@example.com",
    "tags": ["a", "b"],
    "meta": {"region": "eu", "tier": "free"},
    "token": b"x" * 24,
}
CONCURRENCY = 16


async def run_echo(ready: Connection) -> None:
    answer = pb.GetResponse(document=message_of(DOCUMENT), etag="e" * 43)

    async def echo(request: pb.GetRequest, context: Any) -> pb.GetResponse:
        return answer

    get = grpc.unary_unary_rpc_method_handler(
        cast(Any, echo), pb.GetRequest.FromString, pb.GetResponse.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("crossfade.v1.StorageService", {"Get": get}),)
    )
    ready.send(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    await server.wait_for_termination()


async def run_proxy(ready: Connection) -> None:
    async with serving(collections=(JOBS,)) as proxy:
        request = pb.InsertRequest(collection="jobs", document=message_of(DOCUMENT))
        await proxy.storage.Insert(request)
        ready.send(proxy.server.port)
        await asyncio.Event().wait()


def host(run: Callable[[Connection], Awaitable[None]], ready: Connection) -> None:
    uvloop.run(run(ready))  # type: ignore[arg-type]


def start(run: Callable[[Connection], Awaitable[None]]) -> tuple[int, int, Any]:
    """The process id and port of a server, and the process."""
    parent, child = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=host, args=(run, child), daemon=True)
    process.start()
    port = parent.recv()
    assert process.pid is not None
    return process.pid, port, process


async def drive(port: int, calls: int) -> None:
    request = pb.GetRequest(collection="jobs", key=message_of(dict(KEY)))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = StorageServiceStub(channel)

        async def worker() -> None:
            for _ in range(calls // CONCURRENCY):
                answer = await stub.Get(request)
                assert answer.etag

        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    servers = {"echo": start(run_echo), "proxy": start(run_proxy)}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for _, port, _ in servers.values():
        await drive(port, 1_000)
    for _ in range(options.rounds):
        for name, (pid, port, _) in servers.items():
            before = cpu_seconds(pid)
            await drive(port, options.calls)
            costs[name].append((cpu_seconds(pid) - before) / options.calls * 1e6)
    for name, found in costs.items():
        print(f"{name:6} {statistics.median(found):6.1f} us a call  ({min(found):.1f} to {max(found):.1f})")
    ratio = statistics.median(costs["proxy"]) / statistics.median(costs["echo"])
    print(f"proxy / echo {ratio:.2f}")
    for _, _, process in servers.values():
        process.terminate()


if __name__ == "__main__":
    uvloop.run(main())
