"""One site and one Chromium for all tests of the console: two real proxies on real stores.

Each test has a collection of its own; what a test breaks it mends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from crossfade import AsyncClient
from proxy.embedded.addresses import Addresses
from proxy.embedded.stores import open_stores
from tests.browser.chromium import open_browser
from tests.browser.operating import COLLECTIONS, DOCUMENTS, REDACTED, TASKS, task
from tests.faults.site import Site, open_site
from tests.fixtures.stores import opened_stores


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(addresses: Addresses, local_aws_credentials: None) -> AsyncIterator[Site]:
    """Two proxies, on stores of their own for as long as the browser's tests take; some documents were there
    before anything was mirrored."""
    settings = {"redact": [REDACTED]}
    async with (
        opened_stores(open_stores(addresses)) as stores,
        open_site(stores, replicas=2, is_linked=False, settings=settings, collections=COLLECTIONS) as opened,
    ):
        async with AsyncClient(opened.addresses) as client:
            await asyncio.gather(*(client[TASKS].insert_one(task(number)) for number in range(DOCUMENTS)))
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened
