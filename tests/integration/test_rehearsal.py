"""A rehearsal on real stores, under traffic: another replica ends what the one that began it left behind."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from proxy.config import ProxyConfig
from proxy.core.document import Document
from proxy.core.keys import Key
from proxy.core.silence import SilentSignals
from proxy.core.stage import Stage, StoreName
from proxy.core.write import Insert
from proxy.cutover import checks, rehearsal
from proxy.cutover.rehearsal import RehearsalReport, report_in
from proxy.wiring import App, build
from tests.fixtures.waiting import until

LENGTH = 5.5


def config_of(file: Path, name: str, replica: str, mongodb_uri: str, dynamodb_endpoint: str) -> ProxyConfig:
    return ProxyConfig(
        collections_file=str(file),
        mongodb_uri=mongodb_uri,
        dynamodb_endpoint=dynamodb_endpoint,
        control_database=name,
        replica_id=f"{replica}-{name}",
        lease_seconds=4.0,
    )


async def start(config: ProxyConfig, stack: AsyncExitStack) -> App:
    app = await build(config, SilentSignals())
    stack.push_async_callback(app.stop)
    await app.prepare()
    await app.start()
    return app


async def write_until(app: App, stopped: asyncio.Event) -> list[Key]:
    """Insert and read, one after the other; the keys that were acknowledged."""
    written: list[Key] = []
    while not stopped.is_set():
        name = f"n{len(written)}"
        await app.pipeline.write("things", Insert(Key((name,)), Document({"_id": name, "name": name})))
        written.append(Key((name,)))
        [found] = await app.pipeline.get("things", [Key((name,))])
        assert found is not None, "an acknowledged write is read, whoever is the primary"
        await asyncio.sleep(0.005)
    return written


async def report_of(app: App) -> RehearsalReport | None:
    return report_in(await app.control.job("things", rehearsal.KIND))


async def test_a_rehearsal_outlives_the_replica_that_began_it(
    tmp_path: Path, mongodb_uri: str, dynamodb_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (checks, rehearsal):
        monkeypatch.setattr(module, "LONGEST_OPERATION", 1.0)
    name = f"rehearse_{secrets.token_hex(4)}"
    file = tmp_path / "collections.yaml"
    file.write_text(
        f"collections:\n  things:\n    mongodb: {name}.things\n    table: {name}\n    partition: name\n"
    )
    async with AsyncExitStack() as stack, AsyncExitStack() as first_stack:
        first = await start(config_of(file, name, "r1", mongodb_uri, dynamodb_endpoint), first_stack)
        second = await start(config_of(file, name, "r2", mongodb_uri, dynamodb_endpoint), stack)
        move = first.coordinator.move
        wishes = {"actor": "ada", "reason": "friday", "dry_run": False, "override": True}
        await move("things", Stage.MONGO_PRIMARY, **wishes)  # type: ignore[arg-type]
        stopped = asyncio.Event()
        traffic = asyncio.create_task(write_until(second, stopped))
        report = await move("things", Stage.DYNAMO_PRIMARY, rehearse_for=LENGTH, **wishes)  # type: ignore[arg-type]
        assert report.executed
        await first_stack.aclose()
        door = second.membership.doors["things"]
        await until(lambda: door.published.stage is Stage.MONGO_PRIMARY, timeout=30)

        async def is_reported() -> bool:
            return await report_of(second) is not None

        await until(is_reported, timeout=20)
        stopped.set()
        written = await traffic
        told = await report_of(second)
        assert told is not None
        assert 0 < told.rehearsal.hold_there_ms < 5_000 and 0 < told.rehearsal.hold_back_ms < 5_000
        assert told.outcomes.get("MATCH", 0) > 0
        assert told.divergences == {}
        held = await second.parts.stores["things"][StoreName.MONGODB].get(written)
        assert all(record is not None and not record.is_tombstone for record in held)
        actions = [entry.action for entry in await second.control.audit("things", 20)]
        assert {"move", "override", "published"} <= set(actions)
