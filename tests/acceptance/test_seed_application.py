"""The seed application cannot tell the stages apart: the same code sees the same, whichever store decides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping

import pytest

from crossfade import AsyncClient, AsyncMigrationClient, JobKind, Stage
from examples.demo.journey import Journey
from examples.demo.stack import open_stack
from proxy.embedded.addresses import Addresses
from tests.acceptance.seed_scenarios import DATA, ODD_NAMES, SCENARIOS, Seen

Results = Mapping[tuple[Stage, str], Seen | Exception]

BY_BYTES = sorted(ODD_NAMES, key=str.encode)

EXPECTED: dict[str, Seen] = {
    "use_webtasks": {
        "created twice": True,
        "listed": [("t1", "code of t1"), ("t2", "code of t2")],
        "updated": True,
        "updated what is not there": False,
        "read": ("new", 2, {"owner": "me"}),
        "deleted": True,
        "deleted twice": False,
        "read after deletion": None,
        "listed after deletion": [("t1", "code of t1")],
        "reborn": ("reborn", 1),
    },
    "use_odd_names": {
        "listed": {c: [(name, f"{c}|{name}") for name in BY_BYTES] for c in ODD_NAMES},
        "read": [f"{container}|{name}" for container in ODD_NAMES for name in ODD_NAMES],
    },
    "use_storage": {
        "nothing yet": (None, 0),
        "written": [1, 2],
        "conflicts": [True, True, True],
        "read": (DATA, [type(value).__name__ for value in DATA.values()], list(DATA), 2),
    },
    "contend_for_storage": {"all there": True, "versions": list(range(1, 21)), "version": 20},
    "use_cron_jobs": {
        "due too early": None,
        "due first": "early",
        "listed": ["early", "far", "late"],
        "reserved": ["early", "late", None],
        "completed": True,
        "taken over": ["late", False, True],
        "rescheduled": True,
        "due then": "far",
        "deleted": [True, False],
        "due no more": None,
        "history": ([{"at": 500, "result": "ok"}], False, 500),
    },
    "race_for_jobs": {"each once": True},
    "use_modules": {
        "queued": [True, True, False],
        "no artifact yet": None,
        "failed": ("failed", [{"log": "broke", "artifact": None}]),
        "built": ("available", [f"log {number}" for number in range(2, 22)]),
        "artifact": "s3://21",
        "versions": [("10", "queued"), ("2", "available")],
    },
}


@pytest.fixture(scope="module")
def results(mongodb_uri: str, dynamodb_endpoint: str) -> Results:
    """What every scenario saw in every stage, on one real proxy process that moved through all of them."""
    addresses = Addresses(mongodb_uri=mongodb_uri, dynamodb_endpoint=dynamodb_endpoint)
    return asyncio.run(_live_through(addresses))


async def _live_through(addresses: Addresses) -> Results:
    results: dict[tuple[Stage, str], Seen | Exception] = {}
    async with open_stack(lease=1.0, addresses=addresses) as stack:
        address = (await stack.start_proxy()).address
        names = [collection.name for collection in stack.collections]
        async with AsyncClient(address) as client, AsyncMigrationClient(address) as operator:
            journey = Journey(operator, names, print, dwell=0)
            for stage in Stage:
                await _enter(stage, journey)
                for name, scenario in SCENARIOS.items():
                    results[stage, name] = await _outcome(scenario(client, f"{stage.name}-{name}"))
    return results


async def _enter(stage: Stage, journey: Journey) -> None:
    """Move all collections there, as an operator would: the first move is prepared by backfill and verify."""
    if stage is Stage.MONGO_ONLY:
        return
    await journey.move_all(stage, "acceptance")
    if stage is Stage.MONGO_PRIMARY:
        await journey.run_all(JobKind.BACKFILL, "acceptance")
        await journey.run_all(JobKind.VERIFY, "acceptance")


async def _outcome(scenario: Awaitable[Seen]) -> Seen | Exception:
    """What it saw; a failure is the outcome of this scenario and stage alone."""
    try:
        async with asyncio.timeout(30):
            return await scenario
    except Exception as error:
        return error


@pytest.mark.parametrize("stage", Stage, ids=lambda stage: stage.name)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_application_sees_the_same(results: Results, stage: Stage, name: str) -> None:
    seen = results[stage, name]
    if isinstance(seen, Exception):
        raise seen
    assert seen == EXPECTED[name]


def test_every_scenario_is_expected_something_of() -> None:
    assert EXPECTED.keys() == SCENARIOS.keys()
