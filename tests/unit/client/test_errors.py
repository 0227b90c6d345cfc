"""The tree of errors is complete, is drawn as it is, and is what a failed call raises."""

from __future__ import annotations

import socket
from typing import cast

import grpc
import pytest

from crossfade import (
    AsyncClient,
    Broken,
    BulkWriteError,
    Contended,
    CrossfadeError,
    DeadlineExceeded,
    DeleteOne,
    EtagMismatch,
    NoIndex,
    Outcome,
    Reason,
    Unreachable,
    errors,
)
from crossfade.answers import CLASS_OF_STATUS
from crossfade.errors import CLASS_OF
from crossfade.v1 import error_pb2 as pb
from crossfade.v1 import storage_pb2
from tests.unit.client.fake import Failure, FakeProxy

KEY = {"a": 1}


def test_reasons_and_outcomes_are_those_of_the_contract() -> None:
    wanted = {name.removeprefix("ERROR_REASON_"): number for name, number in pb.ErrorReason.items()}
    assert {reason.name: reason.value for reason in Reason} == wanted
    outcomes = {name.removeprefix("OUTCOME_"): number for name, number in pb.Outcome.items() if number}
    assert {outcome.name: outcome.value for outcome in Outcome} == outcomes


def test_every_reason_has_a_class_and_every_class_is_in_use() -> None:
    assert set(CLASS_OF) == set(Reason)
    classes = {
        cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, CrossfadeError)
    }
    assert classes - set(CLASS_OF.values()) - set(CLASS_OF_STATUS.values()) == {BulkWriteError}


def test_the_drawing_shows_every_class_under_its_parent() -> None:
    drawing = errors.__doc__ or ""
    stack: list[str] = []
    drawn: dict[str, str] = {}
    for line in drawing.splitlines():
        stem, branch, rest = line.partition("── ")
        if branch:
            depth = (len(stem) - 5) // 4 + 1
            stack[depth:] = [rest.split()[0]]
            drawn[stack[depth]] = stack[depth - 1]
        elif line.strip() == "CrossfadeError":
            stack = ["CrossfadeError"]
    actual = {
        cls.__name__: cls.__base__.__name__
        for cls in vars(errors).values()
        if isinstance(cls, type)
        and issubclass(cls, CrossfadeError)
        and cls is not CrossfadeError
        and cls.__base__
    }
    assert drawn == actual


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.UNSPECIFIED])
async def test_a_reason_raises_its_class_with_all_that_the_detail_says(
    proxy: FakeProxy, client: AsyncClient, reason: Reason
) -> None:
    detail = pb.ErrorDetail(
        reason=cast(pb.ErrorReason, reason.value),
        outcome=pb.OUTCOME_NOT_APPLIED,
        op=b"o" * 16,
        collection="webtasks",
        field="a.b",
        hint="do this",
    )
    proxy.answer("Update", Failure(grpc.StatusCode.INVALID_ARGUMENT, detail, "no"))
    with pytest.raises(CLASS_OF[reason]) as caught:
        await client["webtasks"].update_one(KEY, {"$set": {"x": 1}})
    error = caught.value
    assert type(error) is CLASS_OF[reason]
    assert (error.reason, error.outcome, error.op) == (reason, Outcome.NOT_APPLIED, b"o" * 16)
    assert (error.collection, error.field, error.hint) == ("webtasks", "a.b", "do this")
    assert str(error) == "no (do this)"


async def test_a_reason_of_a_newer_proxy_falls_back_to_the_status(
    proxy: FakeProxy, client: AsyncClient
) -> None:
    detail = pb.ErrorDetail(reason=999, outcome=pb.OUTCOME_APPLIED)  # type: ignore[arg-type]
    proxy.answer("Update", Failure(grpc.StatusCode.ABORTED, detail))
    with pytest.raises(Contended) as caught:
        await client["c"].update_one(KEY, {"$set": {"x": 1}})
    assert (caught.value.reason, caught.value.outcome) == (Reason.UNSPECIFIED, Outcome.APPLIED)


async def test_an_unspecified_outcome_is_unknown(proxy: FakeProxy, client: AsyncClient) -> None:
    detail = pb.ErrorDetail(reason=pb.ERROR_REASON_INTERNAL)
    proxy.answer("Delete", Failure(grpc.StatusCode.INTERNAL, detail))
    with pytest.raises(Broken) as caught:
        await client["c"].delete_one(KEY)
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
async def test_a_status_without_details_still_raises_one_of_the_tree(
    proxy: FakeProxy, client: AsyncClient, code: grpc.StatusCode
) -> None:
    proxy.answer("Get", Failure(code))
    with pytest.raises(CLASS_OF_STATUS.get(code, Broken)) as caught:
        await client["c"].find_one(KEY)
    assert caught.value.outcome is Outcome.NOT_APPLIED


async def test_without_details_the_outcome_of_a_write_is_unknown(
    proxy: FakeProxy, client: AsyncClient
) -> None:
    proxy.answer("Delete", Failure(grpc.StatusCode.INTERNAL))
    with pytest.raises(Broken) as caught:
        await client["c"].delete_one(KEY)
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_an_absent_proxy_is_unreachable() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound and not listening: refuses, and nobody else takes the port
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        await refuse(address)


async def refuse(address: str) -> None:
    async with AsyncClient(address, timeout=0.5) as client:
        with pytest.raises((Unreachable, DeadlineExceeded)):
            await client["c"].find_one(KEY)


async def test_a_batch_reports_each_failure_at_its_position(proxy: FakeProxy, client: AsyncClient) -> None:
    results = [
        storage_pb2.BatchWriteResult(response=storage_pb2.WriteResponse(matched=True)),
        storage_pb2.BatchWriteResult(
            error=storage_pb2.BatchWriteError(
                code=10,
                message="changed",
                detail=pb.ErrorDetail(reason=pb.ERROR_REASON_ETAG_MISMATCH, outcome=pb.OUTCOME_NOT_APPLIED),
            )
        ),
        storage_pb2.BatchWriteResult(
            error=storage_pb2.BatchWriteError(
                code=9,
                message="no index",
                detail=pb.ErrorDetail(reason=pb.ERROR_REASON_NO_INDEX, outcome=pb.OUTCOME_UNKNOWN),
            )
        ),
    ]
    proxy.answer("BatchWrite", storage_pb2.BatchWriteResponse(results=results))
    operations = [DeleteOne(KEY) for _ in results]
    with pytest.raises(BulkWriteError, match="position 1: changed") as caught:
        await client["c"].bulk_write(operations)
    assert {index: type(error) for index, error in caught.value.errors.items()} == {
        1: EtagMismatch,
        2: NoIndex,
    }
    assert caught.value.result.deleted_count == 1
    assert caught.value.outcome is Outcome.UNKNOWN
