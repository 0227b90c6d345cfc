"""The canary goes through both stores and leaves nothing, in the stores or in the reconciler's books."""

from __future__ import annotations

import asyncio

import pytest

from proxy.core.canary import canary_key
from proxy.core.errors import Reason, Unavailable
from proxy.core.stage import Stage, StoreName
from proxy.cutover.canary import send_canary
from proxy.reconcile.reconciler import Reconciler
from tests.fixtures.yard import EPOCH, JOBS, ShakyStore, Yard


async def send(yard: Yard) -> str:
    both = (yard.stores[StoreName.DYNAMODB], yard.stores[StoreName.MONGODB])
    return await send_canary(JOBS, both, EPOCH, yard.clock)


@pytest.mark.parametrize("stage", [Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY])
async def test_it_comes_back_every_time_and_bypasses_nobody(stage: Stage) -> None:
    yard = Yard()
    await yard.open()
    reconciler = Reconciler(yard.site(), yard.door)
    task = asyncio.create_task(reconciler.run())
    try:
        assert await reconciler.drain(5)
        await yard.publish(stage)
        for _ in range(3):
            assert await send(yard) == ""
            assert await reconciler.drain(5)
        assert canary_key(JOBS) not in yard.mongo.records
        assert canary_key(JOBS) not in yard.dynamo.records
        job = await yard.control.job("jobs", "feed")
        assert job is not None
        assert (job.counts.get("bypass", 0), job.counts.get("buried", 0)) == (0, 0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_store_that_does_not_answer_is_named() -> None:
    yard = Yard()
    shaky = yard.stores[StoreName.MONGODB]
    assert isinstance(shaky, ShakyStore)
    shaky.error = Unavailable("MongoDB is away", Reason.STORE_UNAVAILABLE)
    assert await send(yard) == "MongoDB is away"
