"""Every test of the contract runs on every store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.core.ports import CollectionStore, Fence
from tests.contract.samples import cron_jobs
from tests.contract.subjects import FENCED, SUBJECTS, Subject


@pytest.fixture(params=SUBJECTS)
async def subject(request: pytest.FixtureRequest, unique_name: str) -> AsyncIterator[Subject]:
    async with SUBJECTS[request.param](cron_jobs(unique_name), request) as opened:
        yield opened


@pytest.fixture(params=FENCED)
async def fenced(request: pytest.FixtureRequest, unique_name: str) -> AsyncIterator[tuple[Subject, Fence]]:
    """The stores that have a fence, with it."""
    async with SUBJECTS[request.param](cron_jobs(unique_name), request) as opened:
        assert opened.fence is not None
        yield opened, opened.fence


@pytest.fixture
def store(subject: Subject) -> CollectionStore:
    return subject.store
