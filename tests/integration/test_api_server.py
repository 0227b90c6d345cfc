"""The server itself: health, reflection, what it logs and measures, and a drain that loses no call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from crossfade.v1 import error_pb2
from crossfade.v1 import storage_pb2 as pb
from proxy.api.server import SERVICES, Server, ServerSettings
from proxy.core.silence import SilentSignals
from proxy.core.stage import StoreName
from tests.integration.api_server import Served, detail_in, servicers, serving, status_in
from tests.unit.api.samples import message_of

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
JOB = {"tenant": "t", "name": "a"}


@pytest.fixture
async def proxy() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


class Recorder(SilentSignals):
    """Signals that remember how calls ended."""

    def __init__(self) -> None:
        self.finished: list[tuple[str, str, str]] = []

    @contextmanager
    def serve(self, method: str, metadata: Any) -> Iterator[Any]:
        recorder = self

        class Span:
            def finish(self, code: str, collection: str, seconds: float) -> None:
                assert seconds >= 0
                recorder.finished.append((method, code, collection))

        yield Span()

    def trace_id(self) -> str:
        return "ab" * 16


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_health_is_told_for_each_service(proxy: Served, service: str) -> None:
    answer = await proxy.health.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == SERVING


async def test_health_is_not_serving_before_ready_and_while_draining(proxy: Served) -> None:
    settings = ServerSettings(address="127.0.0.1:0", grace=5.0)
    server = Server(*servicers(proxy.app), Recorder(), settings)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        watch = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        seen = watch(health_pb2.HealthCheckRequest(service=SERVICES[0]))
        changes = aiter(seen)
        assert (await anext(changes)).status == NOT_SERVING
        await server.become_ready()
        assert (await anext(changes)).status == SERVING
        draining = asyncio.create_task(server.drain())
        assert (await anext(changes)).status == NOT_SERVING
        seen.cancel()
        await draining


async def test_reflection_lists_the_services(proxy: Served) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(proxy.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await anext(aiter(call))
    assert set(SERVICES) <= {service.name for service in answer.list_services_response.service}


async def test_a_drain_lets_calls_finish_and_takes_no_new_ones(proxy: Served) -> None:
    settings = ServerSettings(address="127.0.0.1:0", grace=10.0)
    server = Server(*servicers(proxy.app), Recorder(), settings)
    await server.start()
    store = proxy.app.lanes["jobs"].stores[StoreName.MONGODB]
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        entered.set()
        await go_on.wait()

    store._pause = pause  # type: ignore[attr-defined] # a slow store
    request = pb.InsertRequest(collection="jobs", document=message_of(dict(JOB)))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        insert = channel.unary_unary(
            "/crossfade.v1.StorageService/Insert",
            pb.InsertRequest.SerializeToString,
            pb.WriteResponse.FromString,
        )
        in_flight = asyncio.ensure_future(insert(request))
        await asyncio.wait_for(entered.wait(), 5)
        draining = asyncio.create_task(server.drain())
        await asyncio.wait_for(refused_everywhere(server.port), 5)
        go_on.set()
        assert (await in_flight).inserted
        await asyncio.wait_for(draining, 5)


async def refused_everywhere(port: int) -> None:
    """Returns when new connections are refused."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        writer.close()
        await writer.wait_closed()


async def test_an_unexpected_failure_tells_its_id_and_nothing_more(
    proxy: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async def explode() -> None:
        raise RuntimeError("the password is hunter2")

    proxy.app.lanes["jobs"].stores[StoreName.MONGODB]._pause = explode  # type: ignore[attr-defined]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await proxy.storage.Get(pb.GetRequest(collection="jobs", key=message_of(dict(JOB))))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(status_in(caught.value)) + (caught.value.details() or "")
    assert detail_in(caught.value).reason == error_pb2.ERROR_REASON_INTERNAL
    incidents = [getattr(record, "incident", None) for record in caplog.records]
    [incident] = [incident for incident in incidents if incident]
    assert incident in (caught.value.details() or "")


async def test_every_call_is_measured_and_logged_without_values(
    proxy: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "crossfade.access")
    signals = Recorder()
    server = Server(*servicers(proxy.app), signals, ServerSettings(address="127.0.0.1:0"))
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        get = channel.unary_unary(
            "/crossfade.v1.StorageService/Get", pb.GetRequest.SerializeToString, pb.GetResponse.FromString
        )
        await get(pb.GetRequest(collection="jobs", key=message_of(dict(JOB))))
        for bad in (
            pb.GetRequest(collection="jobs", key=message_of({"tenant": "hunter2"})),
            pb.GetRequest(collection="hunter2"),
        ):
            with pytest.raises(grpc.aio.AioRpcError):
                await get(bad)
    await server.drain()
    method = "crossfade.v1.StorageService/Get"
    assert signals.finished == [
        (method, "OK", "jobs"),
        (method, "INVALID_ARGUMENT", "jobs"),
        (method, "NOT_FOUND", ""),  # names of collections that do not exist are anybody's words
    ]
    lines = [record for record in caplog.records if record.name == "crossfade.access"]
    assert [vars(line)["reason"] for line in lines] == ["KEY_FIELD_MISSING", "UNKNOWN_COLLECTION"]
    assert [vars(line)["trace_id"] for line in lines] == ["ab" * 16] * 2
    assert "hunter2" not in repr(vars(lines[0]))


async def test_two_servers_share_a_port_only_if_they_mean_to(proxy: Served) -> None:
    shared = ServerSettings(address="127.0.0.1:0", reuse_port=True)
    first = Server(*servicers(proxy.app), Recorder(), shared)
    await first.start()
    address = f"127.0.0.1:{first.port}"
    second = Server(*servicers(proxy.app), Recorder(), ServerSettings(address=address, reuse_port=True))
    await second.start()
    greedy = Server(*servicers(proxy.app), Recorder(), ServerSettings(address=address))
    with pytest.raises(OSError, match="another program"):
        await greedy.start()
    for server in (first, second):
        await server.drain()
