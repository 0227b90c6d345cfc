"""How a call behaves: its address, its deadline, and when it is repeated."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from crossfade import (
    NO_RETRIES,
    AsyncClient,
    Contended,
    DeadlineExceeded,
    EtagMismatch,
    InvalidFilter,
    Outcome,
    Overloaded,
    RetryPolicy,
    Unavailable,
    Unreachable,
)
from crossfade.transport import target_of
from crossfade.v1 import error_pb2 as pb
from crossfade.v1 import storage_pb2
from tests.unit.client.conftest import QUICK
from tests.unit.client.fake import Failure, FakeProxy, serve

KEY = {"a": 1}
CHANGE = {"$inc": {"n": 1}}
MATCHED = storage_pb2.WriteResponse(matched=True, modified=True)


def failure(
    reason: pb.ErrorReason,
    outcome: pb.Outcome = pb.OUTCOME_NOT_APPLIED,
    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
    retry_after_ms: int = 0,
) -> Failure:
    return Failure(code, pb.ErrorDetail(reason=reason, outcome=outcome, retry_after_ms=retry_after_ms))


@pytest.mark.parametrize(
    "first",
    [
        failure(pb.ERROR_REASON_HELD),
        failure(pb.ERROR_REASON_FENCED),
        failure(pb.ERROR_REASON_STORE_UNAVAILABLE, pb.OUTCOME_UNKNOWN),
        failure(pb.ERROR_REASON_MIRROR_UNCONFIRMED, pb.OUTCOME_UNKNOWN),
        failure(pb.ERROR_REASON_OVERLOADED, code=grpc.StatusCode.RESOURCE_EXHAUSTED),
        failure(pb.ERROR_REASON_STORE_THROTTLED, code=grpc.StatusCode.RESOURCE_EXHAUSTED),
        failure(pb.ERROR_REASON_CONTENTION, code=grpc.StatusCode.ABORTED),
        Failure(grpc.StatusCode.UNAVAILABLE),
    ],
    ids=lambda answer: pb.ErrorReason.Name(answer.detail.reason) if answer.detail else "bare",
)
async def test_a_passing_failure_is_repeated_with_the_same_request_id(
    proxy: FakeProxy, client: AsyncClient, first: Failure
) -> None:
    proxy.answer("Update", first, first, MATCHED)
    result = await client["c"].update_one(KEY, CHANGE)
    assert result.matched_count == 1
    ids = {request.request_id for request in proxy.requests}
    assert len(proxy.requests) == 3
    assert len(ids) == 1
    assert len(ids.pop()) == 16


async def test_different_writes_have_different_request_ids(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Update", MATCHED)
    for _ in range(3):
        await client["c"].update_one(KEY, CHANGE)
    await client["c"].update_one(KEY, CHANGE, request_id=b"x" * 16)
    ids = [request.request_id for request in proxy.requests]
    assert len(set(ids)) == 4
    assert ids[-1] == b"x" * 16


@pytest.mark.parametrize(
    "answer",
    [
        failure(pb.ERROR_REASON_ETAG_MISMATCH, code=grpc.StatusCode.ABORTED),
        failure(pb.ERROR_REASON_ALREADY_EXISTS, code=grpc.StatusCode.ALREADY_EXISTS),
        failure(pb.ERROR_REASON_INVALID_UPDATE, code=grpc.StatusCode.INVALID_ARGUMENT),
        failure(pb.ERROR_REASON_INTERNAL, pb.OUTCOME_UNKNOWN, grpc.StatusCode.INTERNAL),
        failure(pb.ERROR_REASON_DEADLINE, pb.OUTCOME_UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED),
    ],
    ids=lambda answer: pb.ErrorReason.Name(answer.detail.reason),
)
async def test_a_lasting_failure_is_not_repeated(
    proxy: FakeProxy, client: AsyncClient, answer: Failure
) -> None:
    proxy.answer("Update", answer)
    with pytest.raises(Exception, match="it failed"):
        await client["c"].update_one(KEY, CHANGE)
    assert len(proxy.requests) == 1


async def test_attempts_are_counted(proxy: FakeProxy, client: AsyncClient) -> None:
    proxy.answer("Get", failure(pb.ERROR_REASON_HELD))
    with pytest.raises(Unavailable):
        await client["c"].find_one(KEY)
    assert len(proxy.requests) == QUICK.attempts


async def test_once_the_outcome_is_unknown_no_later_failure_claims_that_nothing_was_applied(
    proxy: FakeProxy, client: AsyncClient
) -> None:
    proxy.answer(
        "Update",
        failure(pb.ERROR_REASON_STORE_UNAVAILABLE, pb.OUTCOME_UNKNOWN),
        failure(pb.ERROR_REASON_CONTENTION, code=grpc.StatusCode.ABORTED),
        failure(pb.ERROR_REASON_ETAG_MISMATCH, code=grpc.StatusCode.ABORTED),
    )
    with pytest.raises(EtagMismatch) as caught:
        await client["c"].update_one(KEY, CHANGE)
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_a_reservation_is_repeated_only_if_it_certainly_was_not_applied(
    proxy: FakeProxy, client: AsyncClient
) -> None:
    proxy.answer("FindOneAndUpdate", failure(pb.ERROR_REASON_HELD), MATCHED)
    assert await client["c"].find_one_and_update(KEY, CHANGE) is None
    proxy.answers.clear()
    proxy.answer("FindOneAndUpdate", failure(pb.ERROR_REASON_MIRROR_UNCONFIRMED, pb.OUTCOME_UNKNOWN))
    proxy.requests.clear()
    with pytest.raises(Unavailable):
        await client["c"].find_one_and_update(KEY, CHANGE)
    assert len(proxy.requests) == 1


async def test_no_call_outlasts_its_deadline(proxy: FakeProxy) -> None:
    release = asyncio.Event()

    async def hang(method: str, request: Any, context: Any) -> Any:
        await release.wait()

    proxy.handle = hang  # type: ignore[method-assign]
    clock = asyncio.get_running_loop().time
    async with AsyncClient(proxy.address) as client:
        start = clock()
        with pytest.raises(DeadlineExceeded) as caught:
            await client["c"].update_one(KEY, CHANGE, timeout=0.2)
        assert clock() - start < 2
    release.set()
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_a_pause_beyond_the_deadline_ends_the_call_at_once(
    proxy: FakeProxy, client: AsyncClient
) -> None:
    answer = failure(
        pb.ERROR_REASON_OVERLOADED, code=grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after_ms=60_000
    )
    proxy.answer("Get", answer)
    with pytest.raises(Overloaded) as caught:
        await client["c"].find_one(KEY)
    assert caught.value.retry_after == 60
    assert len(proxy.requests) == 1


def test_pauses_are_random_bounded_and_respect_advice() -> None:
    policy = RetryPolicy(first_pause=0.1, longest_pause=1.0)
    pauses = {attempt: [policy.pause_after(attempt, None) for _ in range(300)] for attempt in (1, 3, 30)}
    assert 0.09 < max(pauses[1]) <= 0.1
    assert 0.36 < max(pauses[3]) <= 0.4
    assert 0.9 < max(pauses[30]) <= 1.0
    assert min(pauses[30]) < 0.1
    assert 5 <= policy.pause_after(1, 5.0) <= 5.1


async def test_no_retries_means_none(proxy: FakeProxy) -> None:
    proxy.answer("Get", failure(pb.ERROR_REASON_CONTENTION))
    async with AsyncClient(proxy.address, retry=NO_RETRIES) as client:
        with pytest.raises(Contended):
            await client["c"].find_one(KEY)
    assert len(proxy.requests) == 1


async def test_a_mistake_is_found_before_anything_is_sent(proxy: FakeProxy, client: AsyncClient) -> None:
    with pytest.raises(InvalidFilter):
        await client["c"].find_one({"a": {"$in": 1}})
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("crossfade.internal:50051", "dns:///crossfade.internal:50051"),
        ("127.0.0.1:1", "dns:///127.0.0.1:1"),
        ("127.0.0.1:1,127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
        ("127.0.0.1:1, localhost:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
        (["127.0.0.1:1", "127.0.0.1:2"], "ipv4:127.0.0.1:1,127.0.0.1:2"),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
        ("unix:/run/crossfade.sock", "unix:/run/crossfade.sock"),
    ],
    ids=str,
)
def test_an_address_becomes_a_target(address: Any, target: str) -> None:
    assert target_of(address) == target


@pytest.mark.parametrize("address", ["", " , ", [], "127.0.0.1:1,nonsense"], ids=str)
def test_an_address_that_is_none_is_refused(address: Any) -> None:
    with pytest.raises(ValueError, match=r"address|host:port"):
        target_of(address)


async def test_calls_are_spread_over_several_proxies_and_survive_one_of_them(proxy: FakeProxy) -> None:
    other = FakeProxy()
    server = await serve(other)
    for fake in (proxy, other):
        fake.answer("Get", storage_pb2.GetResponse())
    async with AsyncClient([proxy.address, other.address], retry=RetryPolicy()) as client:
        async with asyncio.timeout(10):
            while not (proxy.requests and other.requests):
                await client["c"].find_one(KEY)
        await server.stop(None)
        before = len(proxy.requests)
        for _ in range(10):
            await client["c"].find_one(KEY)
        assert len(proxy.requests) == before + 10


async def test_a_proxy_that_went_away_is_unreachable(proxy: FakeProxy) -> None:
    other = FakeProxy()
    server = await serve(other)
    other.answer("Get", storage_pb2.GetResponse())
    async with AsyncClient(other.address, retry=NO_RETRIES) as client:
        await client["c"].find_one(KEY)
        await server.stop(None)
        with pytest.raises(Unreachable):
            await client["c"].find_one(KEY)
