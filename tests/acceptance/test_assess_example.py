"""A MongoDB that the example application filled through a proxy is assessed as its authors declared it."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from crossfade import AsyncClient
from examples.demo.stack import open_stack
from proxy.assess.assessor import Assessor, Wish
from proxy.assess.report import Report
from proxy.core.collection import Collection
from proxy.embedded.addresses import Addresses
from proxy.stores.dynamo.weighing import Scales
from proxy.stores.mongo.survey import MongoSurvey, ReadingLimits
from tests.acceptance.seed_scenarios import SCENARIOS
from tests.unit.assess.samples import prices

COLLECTIONS = ("webtasks", "webtask_storage", "cron_jobs", "modules")
"""The article tells the keys of the first three."""

Seen = tuple[Report, dict[str, Collection]]


@pytest.fixture(scope="module")
def seen(mongodb_uri: str, dynamodb_endpoint: str) -> Seen:
    """The assessment, and what the example declares."""
    addresses = Addresses(mongodb_uri=mongodb_uri, dynamodb_endpoint=dynamodb_endpoint)
    return asyncio.run(_fill_and_assess(addresses))


async def _fill_and_assess(addresses: Addresses) -> Seen:
    async with open_stack(lease=1.0, addresses=addresses) as stack:
        address = (await stack.start_proxy()).address
        async with AsyncClient(address) as client:
            for name, scenario in SCENARIOS.items():
                await scenario(client, f"assess-{name}")
        declared = {each.name: each for each in stack.collections}
        control = stack.environment["CROSSFADE_CONTROL_DATABASE"]
        survey = MongoSurvey.open(stack.stores.mongodb.address, ReadingLimits(), control=control)
        async with survey:
            wish = Wish((declared["webtasks"].mongo_database,))
            assessor = Assessor(survey, Scales, prices(), wish, lambda line: None)
            return await assessor.run("2026-02-03T04:05:06+00:00"), declared


@pytest.mark.parametrize("name", COLLECTIONS)
def test_the_proposal_is_the_declaration(seen: Seen, name: str) -> None:
    report, declared = seen
    [found] = [each.proposal.collection for each in report.collections if each.facts.name == name]
    assert found is not None
    assert found.key == declared[name].key
    assert [dataclasses.replace(index, name="") for index in found.indexes] == [
        dataclasses.replace(index, name="") for index in declared[name].indexes
    ]


def test_all_can_move_as_they_are(seen: Seen) -> None:
    report, declared = seen
    assert {each.facts.name for each in report.collections} == declared.keys() == set(COLLECTIONS)
    assert report.is_ready
    assert all(0 < each.evidence.read <= each.facts.documents for each in report.collections)
