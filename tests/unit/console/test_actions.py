"""Orders: a dry run changes nothing, and nothing is done without a name, a reason and the confirmation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.console.actions import read_wish
from proxy.core.comparison import Kind
from proxy.core.errors import BadRequest
from proxy.core.finding import Finding, describe
from proxy.core.stage import Stage
from tests.fixtures.waiting import until
from tests.unit.console.counter import FOR_REAL, NAME, counter


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"unknown": 1}',
        b'{"dry_run": 0}',
        b'{"dry_run": null}',
        b'{"actor": 1}',
        b'{"seconds": "9"}',
        b'{"epoch": "9"}',
        b'{"divergence": 9}',
    ],
)
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_wish(body)


def test_a_wish_is_dry_unless_it_says_otherwise() -> None:
    assert read_wish(b"{}").dry_run


def test_names_and_reasons_are_one_bounded_line() -> None:
    wish = read_wish(b'{"actor": " a\\nb\\u0000 ", "reason": "' + b"x" * 900 + b'"}')
    assert wish.actor == "a b" and len(wish.reason) == 500


@pytest.mark.parametrize(
    ("stage", "verb"),
    [
        (Stage.MONGO_ONLY, "mirror"),
        (Stage.MONGO_PRIMARY, "unmirror"),
        (Stage.MONGO_PRIMARY, "cutover"),
        (Stage.DYNAMO_PRIMARY, "rollback"),
        (Stage.DYNAMO_PRIMARY, "finish"),
        (Stage.MONGO_PRIMARY, "start-backfill"),
    ],
)
async def test_a_dry_run_has_checks_and_changes_nothing(stage: Stage, verb: str) -> None:
    async with counter(stage) as stand:
        answer = await stand.order(verb)
        flag = await stand.world.app.control.flag(NAME)
        audit = await stand.world.app.control.audit(NAME, 10)
    assert answer.status == 200 and not answer.data["executed"]
    assert len(answer.data["checks"]) >= 2
    assert flag.stage is stage and flag.serial == 0 and audit == []


@pytest.mark.parametrize("lacking", ["actor", "reason", "confirmation"])
async def test_nothing_is_done_while_something_is_missing(lacking: str) -> None:
    async with counter(Stage.MONGO_ONLY) as stand:
        answer = await stand.order("mirror", FOR_REAL | {lacking: " "})
        assert answer.status == 400 and answer.data["error"]["field"] == lacking
        assert (await stand.world.app.control.flag(NAME)).stage is Stage.MONGO_ONLY


async def test_a_move_is_done_and_told_who_and_why() -> None:
    async with counter(Stage.MONGO_ONLY) as stand:
        answer = await stand.order("mirror", FOR_REAL | {"epoch": 1})
        (entry,) = (await stand.get(f"api/audit?collection={NAME}")).data["entries"]
    assert answer.data["executed"] and answer.data["stage"] == "MONGO_PRIMARY"
    assert (entry["actor"], entry["reason"]) == ("Ada (console, 127.0.0.1)", "a test")


async def test_a_closed_gate_answers_with_its_checks() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        answer = await stand.order("cutover", FOR_REAL)
        flag = await stand.world.app.control.flag(NAME)
    assert answer.data["isClosed"] and not answer.data["executed"]
    assert any(not check["passed"] for check in answer.data["checks"])
    assert flag.stage is Stage.MONGO_PRIMARY


async def test_an_epoch_that_has_passed_is_refused() -> None:
    async with counter(Stage.MONGO_ONLY) as stand:
        answer = await stand.order("mirror", FOR_REAL | {"epoch": 7})
    assert answer.status == 409 and "look again" in answer.data["error"]["message"]


async def test_what_is_there_already_is_said() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        answer = await stand.order("mirror", FOR_REAL)
    assert not answer.data["executed"] and answer.data["message"] == "MONGO_PRIMARY already"


@pytest.mark.parametrize("seconds", [0, -5, 0.5, 1e9])
async def test_a_rehearsal_of_no_sensible_length_is_refused(seconds: float) -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        answer = await stand.order("rehearse", {"seconds": seconds})
    assert answer.status == 400 and answer.data["error"]["field"] == "duration"


async def test_there_is_nothing_to_abort() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        for wish in ({}, FOR_REAL):
            answer = await stand.order("abort", wish)
            assert answer.status == 200 and not answer.data["executed"]
            assert [check["passed"] for check in answer.data["checks"]] == [False]


async def test_an_unknown_order_is_not_found() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        assert (await stand.order("explode")).status == 404


async def test_a_job_needs_a_mirror_and_runs_to_its_end() -> None:
    async with counter(Stage.MONGO_ONLY) as stand:
        refused = await stand.order("start-verify", FOR_REAL)
    assert not refused.data["executed"] and not refused.data["checks"][0]["passed"]
    async with counter(Stage.MONGO_PRIMARY) as stand:
        started = await stand.order("start-verify", FOR_REAL)
        assert started.data["executed"]

        async def is_finished() -> bool:
            picture: Any = (await stand.get("api/picture")).data
            verify = picture["collections"][0]["jobs"]["verify"]
            return bool(verify and verify["state"] == "finished")

        await until(is_finished)


async def test_a_job_that_was_stopped_goes_on_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        world, going_on = stand.world, asyncio.Event()
        for number in range(40):
            await world.app.pipeline.write(NAME, world.insert(f"a{number}"))
        get = world.dynamo.get

        async def get_slowly(keys: Any) -> Any:
            await going_on.wait()
            return await get(keys)

        async def state() -> str:
            job = await world.app.control.job(NAME, "verify")
            return job.state if job else ""

        assert not (await stand.order("stop-verify", FOR_REAL)).data["executed"]
        monkeypatch.setattr(world.dynamo, "get", get_slowly)
        await stand.order("start-verify", FOR_REAL)
        await until(lambda: _is(state, "running"))
        assert (await stand.order("stop-verify")).data["checks"][0]["passed"]
        assert await state() == "running"
        assert (await stand.order("stop-verify", FOR_REAL)).data["executed"]
        await until(lambda: not world.app.workshop.is_busy)
        assert await state() == "paused"
        going_on.set()
        await stand.order("start-verify", FOR_REAL)
        await until(lambda: _is(state, "finished"))
        entries = await world.app.control.audit(NAME, 10)
        assert [one.action for one in entries] == ["resume", "pause", "start"]
        assert {(one.actor, one.reason) for one in entries} == {("Ada (console, 127.0.0.1)", "a test")}


async def _is(state: Callable[[], Awaitable[str]], wanted: str) -> bool:
    return await state() == wanted


async def test_a_divergence_is_repaired_by_its_id() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        world = stand.world
        await world.app.pipeline.write(NAME, world.insert("a", value=1))
        finding = Finding(Kind.MISSING_IN_MIRROR, world.key("a"), "verify", 1, None, None)
        row = describe(world.collection, finding, "r1", 1)
        await world.divergences.record(row)
        trial = await stand.order("repair", {"divergence": row.id})
        assert [check["passed"] for check in trial.data["checks"]] == [True, True, True]
        assert sum((await world.divergences.counts(NAME)).values()) == 1
        done = await stand.order("repair", FOR_REAL | {"divergence": row.id})
        assert done.data["executed"] and "closed" in done.data["message"]
        assert await world.divergences.counts(NAME) == {}
        [entry] = await world.app.control.audit(NAME, 10)
        assert (entry.action, entry.details["closed"]) == ("repair", 1)
        assert (entry.actor, entry.reason) == ("Ada (console, 127.0.0.1)", "a test")
        again = await stand.order("repair", FOR_REAL | {"divergence": row.id})
        assert not again.data["executed"]
        assert (await stand.order("repair", {"divergence": "nothing"})).status == 404
