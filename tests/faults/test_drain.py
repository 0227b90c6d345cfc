"""A proxy that is told to end (SIGTERM) finishes what it has in hand: no call of any client is lost."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field

import pytest

from crossfade import AsyncClient, CrossfadeError
from proxy.embedded.addresses import Origin
from proxy.embedded.stores import Store, Stores
from tests.faults.site import TASKS, open_site

CLIENTS = 6
KEY = {"deployment_key": "auth0", "webtask_container": "drain"}


@dataclass
class Ledger:
    """What clients were told."""

    acknowledged: list[str] = field(default_factory=list)
    failures: list[CrossfadeError] = field(default_factory=list)
    enough: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self, name: str) -> None:
        async with self.enough:
            self.acknowledged.append(name)
            self.enough.notify_all()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(60), self.enough:
            await self.enough.wait_for(lambda: len(self.acknowledged) >= count or bool(self.failures))


async def write_on(client: AsyncClient, number: int, ledger: Ledger) -> None:
    """Insert documents one after another, until cancelled between two."""
    for turn in range(100_000):
        name = f"c{number}-{turn}"
        try:
            await client[TASKS].insert_one({**KEY, "webtask_name": name, "turn": turn})
        except CrossfadeError as error:
            ledger.failures.append(error)
            return
        await ledger.note(name)


@pytest.mark.timeout(240)
async def test_ending_a_proxy_loses_no_call(mongodb_uri: str, dynamodb_endpoint: str) -> None:
    stores = Stores(Store(mongodb_uri, Origin.GIVEN), Store(dynamodb_endpoint, Origin.GIVEN))
    async with (
        open_site(stores, replicas=2, is_linked=False) as site,
        AsyncClient(site.addresses) as client,
    ):
        ledger = Ledger()
        writers = [asyncio.create_task(write_on(client, number, ledger)) for number in range(CLIENTS)]
        await ledger.wait_for(30)
        process = site.replicas[0].child.process
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 60)
        await ledger.wait_for(len(ledger.acknowledged) + 30)
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
        found = await client[TASKS].find(KEY, batch_size=1000).to_list()
    assert ledger.failures == [] and code == 0
    assert set(ledger.acknowledged) <= {document["webtask_name"] for document in found}
    assert len(ledger.acknowledged) >= 60
