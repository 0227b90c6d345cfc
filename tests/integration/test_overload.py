"""Too many calls: who is refused, with what, and that nobody is refused for the flood of another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from crossfade import AsyncClient
from crossfade.v1 import error_pb2, migration_pb2
from crossfade.v1 import storage_pb2 as pb
from proxy.api.guard import CallSpan
from proxy.api.translate.documents import read_document
from proxy.core.collection import Settings
from proxy.core.crowd import Crowd
from proxy.core.stage import Stage, StoreName
from proxy.telemetry import Silence
from tests.fixtures.doors import doorway
from tests.fixtures.memory_world import world
from tests.fuzz.grammar import equal
from tests.integration.api_server import Served, detail_in, serving, status_in
from tests.unit.api.samples import message_of

MOST = 4


class Slow:
    """A store that answers when it is told to."""

    def __init__(self, proxy: Served) -> None:
        self.arrived = 0
        self.go_on = asyncio.Event()
        self._came: asyncio.Queue[None] = asyncio.Queue()
        for name in ("jobs", "numbered"):
            proxy.app.lanes[name].stores[StoreName.MONGODB]._pause = self._pause  # type: ignore[attr-defined]

    async def _pause(self) -> None:
        self.arrived += 1
        self._came.put_nowait(None)
        await self.go_on.wait()

    async def hold(self, calls: int) -> None:
        """Wait until so many calls are in the store."""
        while self.arrived < calls:
            await asyncio.wait_for(self._came.get(), 10)


@pytest.fixture
async def proxy() -> AsyncIterator[Served]:
    async with serving(crowd=Crowd(MOST)) as served:
        yield served


def get(name: str) -> pb.GetRequest:
    return pb.GetRequest(collection="jobs", key=message_of({"tenant": "t", "name": name}))


async def test_a_call_too_many_is_told_when_to_come_again(proxy: Served) -> None:
    slow = Slow(proxy)
    held = [asyncio.ensure_future(proxy.storage.Get(get(str(number)))) for number in range(MOST)]
    await slow.hold(MOST)
    request = pb.InsertRequest(collection="jobs", document=message_of({"tenant": "t", "name": "x"}))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await proxy.storage.Insert(request)
    detail = detail_in(refused.value)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (detail.reason, detail.outcome) == (
        error_pb2.ERROR_REASON_OVERLOADED,
        error_pb2.OUTCOME_NOT_APPLIED,
    )
    info = error_details_pb2.RetryInfo()
    assert status_in(refused.value).details[1].Unpack(info)
    assert info.retry_delay.ToMilliseconds() == detail.retry_after_ms > 0
    assert proxy.writes() == 0
    assert await proxy.migration.ListCollections(migration_pb2.ListCollectionsRequest()), (
        "operators are never refused for it"
    )
    slow.go_on.set()
    await asyncio.gather(*held)
    assert (await proxy.storage.Insert(request)).inserted, "there is room again"


async def test_a_message_over_the_limit_is_refused_before_it_is_read() -> None:
    async with serving(max_message_size=100_000) as proxy:
        fits, larger = (
            pb.InsertRequest(
                collection="jobs", document=message_of({"tenant": "t", "name": "x", "text": "x" * size})
            )
            for size in (90_000, 100_000)
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await proxy.storage.Insert(larger)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert proxy.writes() == 0
        assert (await proxy.storage.Insert(fits)).inserted


async def test_a_page_larger_than_a_message_is_shortened_and_nothing_is_left_out() -> None:
    sizes = [20_000] * 15 + [90_000, 1, 90_000, 90_000, 10] + [100] * 20
    async with serving(max_message_size=300_000) as proxy:
        for number, size in enumerate(sizes):
            fields = {"tenant": "t", "name": f"n{number:03}", "text": "x" * size}
            await proxy.storage.Insert(pb.InsertRequest(collection="jobs", document=message_of(fields)))
        request = pb.QueryRequest(collection="jobs", filter=equal("tenant", "t"), page_size=100)
        pages = []
        while True:
            pages.append(await proxy.storage.Query(request))
            if not pages[-1].next_page_token:
                break
            request.page_token = pages[-1].next_page_token
    names = [read_document(row.document).fields["name"] for page in pages for row in page.documents]
    assert names == [f"n{number:03}" for number in range(len(sizes))]
    assert 3 <= len(pages) <= 8 and all(page.ByteSize() <= 300_000 for page in pages)


async def test_a_batch_larger_than_a_message_is_told_to_ask_for_less() -> None:
    async with serving(max_message_size=300_000) as proxy:
        keys = [{"tenant": "t", "name": str(number)} for number in range(20)]
        for key in keys:
            document = message_of({**key, "text": "x" * 20_000})
            await proxy.storage.Insert(pb.InsertRequest(collection="jobs", document=document))
        fits = pb.BatchGetRequest(collection="jobs", keys=map(message_of, keys[:10]))
        assert len((await proxy.storage.BatchGet(fits)).results) == 10
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await proxy.storage.BatchGet(pb.BatchGetRequest(collection="jobs", keys=map(message_of, keys)))
    detail = detail_in(refused.value)
    assert (detail.reason, detail.field) == (error_pb2.ERROR_REASON_INVALID_ARGUMENT, "keys")


async def test_names_that_are_made_up_leave_no_metric_behind() -> None:
    recorder = Recorder()
    async with serving(crowd=Crowd(MOST), signals=recorder) as proxy:
        slow = Slow(proxy)
        held = [asyncio.ensure_future(proxy.storage.Get(get(str(number)))) for number in range(MOST)]
        await slow.hold(MOST)
        for number in range(5):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await proxy.storage.Count(pb.CountRequest(collection=f"made-up-{number}"))
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        slow.go_on.set()
        await asyncio.gather(*held)
        with pytest.raises(grpc.aio.AioRpcError):
            await proxy.storage.Count(pb.CountRequest(collection="made-up"))
    assert recorder.finished == [("RESOURCE_EXHAUSTED", "")] * 5 + [("OK", "jobs")] * MOST + [
        ("NOT_FOUND", "")
    ]


class Recorder(Silence):
    """Hears how calls end, and whose collection they bear."""

    def __init__(self) -> None:
        self.finished: list[tuple[str, str]] = []

    def serve(self, method: str, metadata: Callable[[], Any]) -> AbstractContextManager[CallSpan]:
        return nullcontext(self)

    def finish(self, code: str, collection: str, seconds: float) -> None:
        self.finished.append((code, collection))


async def test_the_client_comes_again_by_itself(proxy: Served) -> None:
    slow = Slow(proxy)
    held = [asyncio.ensure_future(proxy.storage.Get(get(str(number)))) for number in range(MOST)]
    await slow.hold(MOST)
    async with AsyncClient(f"127.0.0.1:{proxy.server.port}") as client:
        late = asyncio.ensure_future(client["jobs"].insert_one({"tenant": "t", "name": "late"}))
        await asyncio.sleep(0.3)  # it has been refused once at least
        assert not late.done()
        slow.go_on.set()
        await late
    await asyncio.gather(*held)


async def test_a_flood_of_one_client_does_not_shut_out_another(tmp_path: Any) -> None:
    way = doorway(tmp_path)
    headers = {name: (("authorization", f"Bearer {way.tokens[name]}"),) for name in ("app", "reports")}
    async with serving(door=way.door, crowd=Crowd(MOST)) as proxy:
        slow = Slow(proxy)
        flood = [
            asyncio.ensure_future(proxy.storage.Get(get(str(number)), metadata=headers["app"]))
            for number in range(MOST - 1)
        ]
        await slow.hold(MOST - 1)
        quiet = asyncio.ensure_future(proxy.storage.Get(get("q"), metadata=headers["reports"]))
        await slow.hold(MOST)
        slow.go_on.set()
        await asyncio.gather(quiet, *flood)
        slow.go_on.clear()
        slow.arrived = 0
        both = [
            asyncio.ensure_future(proxy.storage.Get(get(name), metadata=headers[name]))
            for name in ("reports", "app", "app")
        ]
        await slow.hold(3)
        with pytest.raises(grpc.aio.AioRpcError, match="its share"):
            await proxy.storage.Get(get("x"), metadata=headers["app"])
        slow.go_on.set()
        await asyncio.gather(*both)


async def test_calls_that_fail_or_are_given_up_leave_no_place_taken(proxy: Served) -> None:
    for _ in range(3 * MOST):
        with pytest.raises(grpc.aio.AioRpcError):
            await proxy.storage.Get(pb.GetRequest(collection="jobs", key=message_of({"tenant": "t"})))
    slow = Slow(proxy)
    for number in range(3 * MOST):
        with pytest.raises(grpc.aio.AioRpcError) as given_up:
            await proxy.storage.Get(get(str(number)), timeout=0.1)
        assert given_up.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    slow.go_on.set()
    await proxy.storage.Get(get("x"))


async def test_shadow_reads_give_way_first() -> None:
    async with world(Stage.MONGO_PRIMARY, Settings(shadow_rate=1.0)) as opened:
        crowd = opened.app.parts.crowd
        await opened.app.pipeline.get("jobs", [opened.key("a")])
        await opened.app.settle()
        before = dict(opened.app.reporters["jobs"].outcomes)
        crowd.note_memory(0.6)
        await opened.app.pipeline.get("jobs", [opened.key("a")])
        await opened.app.settle()
        after = opened.app.reporters["jobs"].outcomes
        assert after.get("DROPPED", 0) == before.get("DROPPED", 0) + 1
        assert after.get("MATCH", 0) == before.get("MATCH", 0) >= 1
