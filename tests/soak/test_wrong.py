"""Whatever goes wrong in a soak is in its outcome: wrong answers, calls that failed, what is left waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest

from examples.demo.stack import COLLECTIONS
from proxy.config import load_collections
from tests.faults.site import TASKS
from tests.faults.verdict import Verdict
from tests.fixtures.waiting import until
from tests.integration.api_server import serving
from tests.soak.judgement import Course
from tests.soak.nuisance import LARGE_EVERY, OVERSIZE_EVERY, Nuisance
from tests.soak.report import tell
from tests.soak.sampling import Sample
from tests.soak.soak import Outcome

SOUND = Outcome(
    {}, Verdict("soak", 1, 0, 0, 1.0, (), ()), Course(0.0, 60.0), (), (), (), {"UNAVAILABLE UNKNOWN": 3}
)


def last(**queues: int) -> Sample:
    return Sample(60.0, "replica-1", 1, 100.0, 50, queues)


def test_what_is_sound_is_called_so() -> None:
    assert SOUND.wrong == ()
    assert replace(SOUND, samples=(last(shadow=9), last(shadow=0, purge=3))).wrong == ()
    assert tell(SOUND).splitlines()[-1].startswith("sound: ")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (replace(SOUND, verdict=replace(SOUND.verdict, faults=("lost",))), "lost"),
        (replace(SOUND, failed={"INTERNAL UNKNOWN": 2}), "2 calls failed with INTERNAL UNKNOWN"),
        (replace(SOUND, answers=("oversize was taken for a good request",)), "oversize was taken"),
        (replace(SOUND, samples=(last(), last(recheck=2))), "2 wait in recheck of replica-1"),
    ],
)
def test_whatever_is_wrong_is_told(outcome: Outcome, told: str) -> None:
    [wrong] = outcome.wrong
    assert told in wrong
    lines = tell(outcome).splitlines()
    assert f"WRONG: {wrong}" in lines and lines[-1].startswith("NOT sound: ")


@asynccontextmanager
async def answering(code: grpc.StatusCode) -> AsyncIterator[list[str]]:
    """The address of a server that answers everything alike."""

    class Alike(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in the stubs only
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(self._answer)

        async def _answer(self, data: bytes, context: Any) -> bytes:
            if code is not grpc.StatusCode.OK:
                await context.abort(code, "alike")
            return b""

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Alike(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield [f"127.0.0.1:{port}"]
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (grpc.StatusCode.OK, "was taken for a good request"),
        (grpc.StatusCode.INTERNAL, "was answered with bare INTERNAL"),
        (grpc.StatusCode.UNKNOWN, "was answered with bare UNKNOWN"),
    ],
)
async def test_a_wrong_answer_to_bad_input_is_noticed(code: grpc.StatusCode, told: str) -> None:
    async with answering(code) as addresses, Nuisance(addresses) as nuisance:
        await until(lambda: len(nuisance.wrong) > 2, 10)
    assert all(told in wrong for wrong in nuisance.wrong)


async def test_a_proxy_that_is_away_is_no_wrong_answer() -> None:
    async with answering(grpc.StatusCode.UNAVAILABLE) as addresses, Nuisance(addresses) as nuisance:
        await until(lambda: nuisance.refused.total() > 2, 10)
    assert nuisance.wrong == [] and set(nuisance.refused) == {"bad input, no answer"}


async def test_a_proxy_refuses_all_of_it_by_name() -> None:
    """All but documents over DynamoDB's limit, which stores in memory have not."""
    tasks = next(one for one in load_collections(COLLECTIONS) if one.name == TASKS)
    async with serving(collections=(tasks,)) as proxy:
        async with Nuisance([f"127.0.0.1:{proxy.server.port}"], pace=None) as nuisance:
            for number in range(1, 3 * OVERSIZE_EVERY + 1):
                if number % LARGE_EVERY or not number % OVERSIZE_EVERY:
                    await nuisance.send(number)
        assert proxy.writes() == 0
    assert nuisance.wrong == []
    assert nuisance.refused["oversize"] == 3 and nuisance.refused["bad input"] > 100
