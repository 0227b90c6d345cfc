"""How many documents one core exports, copies and compares a second: the unit that large moves add up.

    python -m bench.per_core [--documents N]

Only this process's own CPU time counts, so the stores and whatever else the machine does are left out. The
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from proxy.clock import SystemClock
from proxy.core.collection import Collection
from proxy.core.declaration import declare
from proxy.core.exchange import Segment
from proxy.core.manifest import ExportFile
from proxy.core.silence import SilentSignals
from proxy.core.stage import Published, Stage, StoreName
from proxy.embedded.addresses import Addresses
from proxy.embedded.stores import open_dynamodb, open_mongodb
from proxy.reconcile.comparing import Side, compare_range
from proxy.reconcile.copying import copy_range
from proxy.reconcile.exporting import export_range
from proxy.reconcile.pacing import Pacing
from proxy.reconcile.progress import Progress
from proxy.reconcile.site import Site
from proxy.stores.dynamo.files import ExportFolder
from proxy.stores.dynamo.opening import DynamoStores
from proxy.stores.dynamo.transport import DynamoSettings
from proxy.stores.memory.control import MemoryControl, MemoryDivergences
from proxy.stores.mongo.store import MongoStores

SIZE = 1_000
"""Bytes of a document, about."""


async def measure(documents: int) -> dict[str, float]:
    """Documents per second of CPU, by what is done with them."""
    async with _opened() as site:
        await _fill(site, documents)
        pair = site.pair(Published(1, Stage.MONGO_PRIMARY))
        assert pair is not None
        with tempfile.TemporaryDirectory() as folder:
            sheet = ExportFolder(Path(folder), site.collection).sheet(0)
            exported = await _cpu(lambda: export_range(site, pair.primary, Segment(), sheet))
            file = ExportFolder(Path(folder), site.collection).finished(0)
            assert file is not None and file.items == documents
            packed = (Path(folder) / file.name).stat().st_size
        copied = await _cpu(lambda: copy_range(site, pair, Segment(), Progress(), Pacing()))
        compared = 0.0
        for side in Side:
            work = partial(compare_range, site, pair, side, Segment(), Progress())
            compared += await _cpu(partial(work, Pacing()))
        return {
            "documents": documents,
            "export_per_core_second": round(documents / exported),
            "export_json_bytes_each": round(file.bytes / documents),
            "export_gzip_bytes_each": round(packed / documents),
            "copy_per_core_second": round(documents / copied),
            "verify_per_core_second": round(documents / compared),
        }


async def _cpu(work: Callable[[], Awaitable[ExportFile | None]]) -> float:
    """Seconds of CPU that this process spends on it."""
    began = time.process_time()
    await work()
    return time.process_time() - began


@asynccontextmanager
async def _opened() -> AsyncIterator[Site]:
    name = f"bench{uuid.uuid4().hex[:8]}"
    addresses = Addresses.from_environment()
    body = {"mongodb": f"{name}.jobs", "table": name, "partition": "tenant", "sort": "name"}
    collection, clock = declare("jobs", body), SystemClock()
    async with (
        open_mongodb(addresses) as mongodb,
        open_dynamodb(addresses) as dynamodb,
        MongoStores.open(mongodb.address) as mongo,
        DynamoStores(
            DynamoSettings(endpoint=dynamodb.address, attempt_timeout=20, call_timeout=60)
        ) as dynamo,
    ):
        site = _site(collection, mongo, dynamo, clock)
        for store in site.stores.values():
            await store.prepare()
        try:
            yield site
        finally:
            await mongo.client.drop_database(name)
            await dynamo.transport.call("DeleteTable", {"TableName": name})


def _settings(endpoint: str) -> DynamoSettings:
    """Patient, as a busy machine is slow."""
    return DynamoSettings(endpoint=endpoint, attempt_timeout=20, call_timeout=60)


def _site(collection: Collection, mongo: MongoStores, dynamo: DynamoStores, clock: SystemClock) -> Site:
    stores: Any = {
        StoreName.MONGODB: mongo.collection(collection),
        StoreName.DYNAMODB: dynamo.collection(collection),
    }
    control, log = MemoryControl(clock.now), MemoryDivergences()
    return Site(collection, stores, {}, control, log, clock, SilentSignals(), "bench")


async def _fill(site: Site, documents: int) -> None:
    """Documents from before there was any proxy: fifteen fields of the usual types."""
    dice, store = random.Random(1), site.stores[StoreName.MONGODB]
    target: Any = store._access.newest  # type: ignore[attr-defined] # past the proxy, as old services wrote
    for start in range(0, documents, 1_000):
        await target.insert_many(_document(dice, n) for n in range(start, min(start + 1_000, documents)))


def _document(dice: random.Random, number: int) -> dict[str, Any]:
    numbers = {f"n{place}": dice.randrange(10**6) for place in range(6)}
    texts = {f"t{place}": f"{dice.getrandbits(160):040x}" for place in range(5)}
    inner = {"state": dice.choice(["new", "done"]), "history": [1, 2.5, None, True]}
    filler = f"{dice.getrandbits(8 * SIZE // 4):x}"
    return {
        "tenant": f"t{number % 50}",
        "name": f"d{number:09}",
        **numbers,
        **texts,
        "inner": inner,
        "f": filler,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=10_000)
    options = parser.parse_args()
    for name, value in {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}.items():
        os.environ.setdefault(name, value)
    print(json.dumps(asyncio.run(measure(options.documents))))


if __name__ == "__main__":
    main()
