"""Every answer and every silence becomes the right error and outcome, and is repeated only where safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from proxy.core.errors import (
    BadRequest,
    Broken,
    Contended,
    CrossfadeError,
    Outcome,
    Overloaded,
    Refused,
    Unavailable,
)
from proxy.stores.dynamo.failures import MEANINGS, ConditionFailed, NotSent, Reply, ReplyLost
from proxy.stores.dynamo.transport import Attempt, DynamoSettings, Request, Transport

CONDITIONAL = {"TableName": "t", "ConditionExpression": "attribute_not_exists(pk)"}
PLAIN = {"TableName": "t"}
FAST = DynamoSettings(endpoint="http://127.0.0.1:9", pause=0.001, connect_timeout=0.5)


class Script:
    """Answers attempts one by one, without a network, and counts them."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self._answers = list(answers)
        self.attempts = 0

    async def __call__(self, operation: str, request: Request, attempt: Attempt) -> Reply:
        self.attempts += 1
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def failed(name: str, status: int = 400, **more: Any) -> Reply:
    return Reply(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": name, **more})


OK = Reply(200, {"ok": True})
LOST = ReplyLost("no answer")
THROTTLED = failed("ThrottlingException")
BROKEN = failed("InternalServerError", 500)


async def outcome_of(script: Script, operation: str, request: Request) -> CrossfadeError:
    with pytest.raises(CrossfadeError) as caught:
        await Transport(FAST, script).call(operation, request)
    return caught.value


@pytest.mark.parametrize(
    "first", [THROTTLED, BROKEN, LOST, NotSent("refused"), failed("TransactionConflictException")]
)
async def test_passing_failures_of_a_conditional_write_are_retried(first: Reply | Exception) -> None:
    script = Script(first, OK)
    assert await Transport(FAST, script).call("PutItem", CONDITIONAL) == {"ok": True}
    assert script.attempts == 2


@pytest.mark.parametrize("first", [BROKEN, LOST])
async def test_an_unconditional_write_is_never_repeated_once_it_may_be_applied(
    first: Reply | Exception,
) -> None:
    script = Script(first, OK)
    error = await outcome_of(script, "UpdateItem", PLAIN)
    assert (type(error), error.outcome, script.attempts) == (Unavailable, Outcome.UNKNOWN, 1)


@pytest.mark.parametrize("first", [THROTTLED, NotSent("refused")])
async def test_an_unconditional_write_is_retried_where_it_was_not_applied(first: Reply | Exception) -> None:
    assert await Transport(FAST, Script(first, OK)).call("UpdateItem", PLAIN) == {"ok": True}


@pytest.mark.parametrize(
    ("answers", "error", "outcome"),
    [
        ([THROTTLED] * 3, Overloaded, Outcome.NOT_APPLIED),
        ([NotSent("refused")] * 3, Unavailable, Outcome.NOT_APPLIED),
        ([LOST] * 3, Unavailable, Outcome.UNKNOWN),
        ([BROKEN, THROTTLED, NotSent("refused")], Unavailable, Outcome.UNKNOWN),
        ([LOST, failed("ValidationException")], BadRequest, Outcome.UNKNOWN),
        ([failed("ValidationException")], BadRequest, Outcome.NOT_APPLIED),
        ([failed("ResourceNotFoundException")], Refused, Outcome.NOT_APPLIED),
        ([failed("AccessDeniedException")], Broken, Outcome.NOT_APPLIED),
        ([failed("NeverHeardOfException")], Broken, Outcome.NOT_APPLIED),
        ([Reply(503, {})] * 3, Unavailable, Outcome.UNKNOWN),
        (
            [
                failed(
                    "TransactionCanceledException",
                    CancellationReasons=[{"Code": "None"}, {"Code": "ThrottlingError"}],
                )
            ]
            * 3,
            Overloaded,
            Outcome.NOT_APPLIED,
        ),
        (
            [failed("TransactionCanceledException", CancellationReasons=[])] * 3,
            Contended,
            Outcome.NOT_APPLIED,
        ),
    ],
)
async def test_the_outcome_covers_all_attempts(
    answers: list[Reply | Exception], error: type[CrossfadeError], outcome: Outcome
) -> None:
    script = Script(*answers)
    raised = await outcome_of(script, "PutItem", CONDITIONAL)
    assert (type(raised), raised.outcome, script.attempts) == (error, outcome, len(answers))


async def test_a_read_is_never_of_unknown_outcome() -> None:
    assert (await outcome_of(Script(LOST, LOST, BROKEN), "GetItem", PLAIN)).outcome is Outcome.NOT_APPLIED


async def test_a_failed_condition_brings_the_item() -> None:
    item = {"pk": {"S": "a"}}
    with pytest.raises(ConditionFailed) as caught:
        await Transport(FAST, Script(failed("ConditionalCheckFailedException", Item=item))).call(
            "PutItem", CONDITIONAL
        )
    assert caught.value.item == item


def test_no_error_of_the_table_is_left_to_chance() -> None:
    assert len(MEANINGS) > 20
    for meaning in MEANINGS.values():
        assert issubclass(meaning.error, CrossfadeError)
        assert meaning.outcome is not Outcome.APPLIED


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Any]]:
    """Starts an HTTP server with one handler on a free port; gives its settings."""
    runners = []

    async def start(handler: Handler) -> DynamoSettings:
        server = web.Server(handler)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        port = runner.addresses[0][1]
        return DynamoSettings(
            endpoint=f"http://127.0.0.1:{port}", pause=0.001, attempt_timeout=0.2, call_timeout=2
        )

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_a_refused_connection_is_not_sent() -> None:
    transport = Transport(FAST)
    with pytest.raises(Unavailable) as caught:
        await transport.call("PutItem", CONDITIONAL)
    await transport.close()
    assert caught.value.outcome is Outcome.NOT_APPLIED


async def test_a_slow_answer_is_unknown_and_ends_in_time(serve: Any) -> None:
    asked = asyncio.Event()

    async def hang(request: web.BaseRequest) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    transport = Transport(replace(await serve(hang), attempt_timeout=1.0))
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable) as caught:
            await transport.call("PutItem", CONDITIONAL, timeout=2.0)
    await transport.close()
    assert asked.is_set()
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("damage", ["cut", "garbage", "checksum"])
async def test_a_damaged_answer_is_unknown(serve: Any, damage: str) -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        await request.read()
        if damage == "cut":
            assert request.transport is not None
            request.transport.abort()
        if damage == "checksum":
            return web.Response(body=b"{}", headers={"x-amz-crc32": "1"})
        return web.Response(body=b"<html>")

    transport = Transport(await serve(answer))
    with pytest.raises(Unavailable) as caught:
        await transport.call("PutItem", CONDITIONAL)
    await transport.close()
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_no_credentials_are_our_fault_and_not_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(Broken, match="no AWS credentials") as caught:
        await Transport(FAST).call("PutItem", CONDITIONAL)
    assert caught.value.outcome is Outcome.NOT_APPLIED


async def test_what_an_answer_costs_is_told_to_who_wants_to_know() -> None:
    spent: list[tuple[str, str, float]] = []
    asked: list[Request] = []

    async def bill(operation: str, request: Request, attempt: Attempt) -> Reply:
        asked.append(request)
        one = {"TableName": "t", "CapacityUnits": 0.5}
        return Reply(200, {"ConsumedCapacity": [one, one] if operation == "BatchGetItem" else one})

    transport = Transport(FAST, bill, lambda *one: spent.append(one))
    await transport.call("PutItem", CONDITIONAL)
    await transport.call("BatchGetItem", PLAIN)
    await transport.call("DescribeTable", PLAIN)
    assert spent[:3] == [("t", "write", 0.5), ("t", "read", 0.5), ("t", "read", 0.5)]
    assert [request.get("ReturnConsumedCapacity") for request in asked] == ["TOTAL", "TOTAL", None]
    asked.clear()
    await Transport(FAST, bill).call("PutItem", CONDITIONAL)
    assert asked == [CONDITIONAL], "nobody asks, nobody pays"
