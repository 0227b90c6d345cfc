"""Every test of the contract runs on every store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.core.ports import CollectionStore
from tests.contract.samples import cron_jobs
from tests.contract.subjects import SUBJECTS, Subject


@pytest.fixture(params=SUBJECTS)
async def subject(request: pytest.FixtureRequest, unique_name: str) -> AsyncIterator[Subject]:
    async with SUBJECTS[request.param](cron_jobs(unique_name), request) as opened:
        yield opened


@pytest.fixture
def store(subject: Subject) -> CollectionStore:
    return subject.store
