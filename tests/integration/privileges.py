"""A whole migration in this process, and a record of everything that the stores are asked for on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from pymongo import monitoring

from proxy.config import load_config
from proxy.core.document import Document
from proxy.core.filter import And, Comparator, Compare
from proxy.core.keys import key_of
from proxy.core.planner import plan
from proxy.core.query import PageRequest
from proxy.core.stage import Stage
from proxy.core.update import Set
from proxy.core.write import Delete, Insert, Modify
from proxy.cutover.steering import Order, Steering
from proxy.stores.dynamo.transport import Transport
from proxy.telemetry import Silence
from proxy.wiring import App, build

COLLECTIONS = """\
defaults: {{recheck_delays: [0.02, 0.05], tombstone_grace: 0.2, allow_eventual: true}}
collections:
  jobs:
    mongodb: {name}.jobs
    table: {name}-jobs
    partition: tenant
    sort: name
    types: {{due: number}}
    indexes:
      by_due: {{kind: local, sort: due}}
      by_owner: {{kind: global, partition: owner, sort: due}}
"""
STAGES = (
    Stage.MONGO_PRIMARY,
    Stage.DYNAMO_PRIMARY,
    Stage.MONGO_PRIMARY,
    Stage.DYNAMO_PRIMARY,
    Stage.DYNAMO_ONLY,
)


SIGNING_IN = ("saslStart", "saslContinue")


class Calls(monitoring.CommandListener):
    """DynamoDB's operations; MongoDB's commands with their database, without those that need no privilege."""

    QUIET = frozenset(
        ("hello", "ismaster", "ping", "endSessions", "getMore", "killCursors", "buildInfo", *SIGNING_IN)
    )

    def __init__(self) -> None:
        self.dynamodb: set[str] = set()
        self.mongodb: set[tuple[str, str]] = set()
        self._is_on = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if not self._is_on or event.command_name in self.QUIET:
            return
        name = event.command_name
        if name == "aggregate" and any("$changeStream" in stage for stage in event.command["pipeline"]):
            name = "changeStream"
        self.mongodb.add((event.database_name, name))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not looked at."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not looked at."""

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Listen to every driver's client that is made or used within the block."""
        call, post = BaseClient._make_api_call, Transport._post

        def listen(client: Any, operation: str, arguments: Any) -> Any:
            self.dynamodb.add(operation)
            return call(client, operation, arguments)

        async def note(transport: Any, operation: str, *rest: Any) -> Any:
            self.dynamodb.add(operation)
            return await post(transport, operation, *rest)

        monitoring.register(self)
        self._is_on = True
        try:
            with patch.object(BaseClient, "_make_api_call", listen), patch.object(Transport, "_post", note):
                yield
        finally:
            self._is_on = False


@contextmanager
def declared(name: str) -> Iterator[Path]:
    """The collections file of a migration under this name."""
    with TemporaryDirectory() as place:
        file = Path(place, "collections.yaml")
        file.write_text(COLLECTIONS.format(name=name))
        yield file


async def play(mongodb_uri: str, dynamodb_endpoint: str, name: str) -> None:
    """Everything that a proxy does in its life, from empty stores to DYNAMO_ONLY."""
    with declared(name) as file:
        config = load_config(
            {
                "CROSSFADE_MONGODB_URI": mongodb_uri,
                "CROSSFADE_DYNAMODB_ENDPOINT": dynamodb_endpoint,
                "CROSSFADE_COLLECTIONS": str(file),
                "CROSSFADE_CONTROL_DATABASE": f"{name}_control",
                "CROSSFADE_LEASE_SECONDS": "2",
            }
        )
        app = await build(config, Silence())
        try:
            await app.prepare()
            await app.start()
            await _live(app)
        finally:
            await app.stop()


async def _live(app: App) -> None:
    await _traffic(app, "a")
    for turn, stage in enumerate(STAGES):
        await _move(app, stage)
        await _traffic(app, f"{turn}-")
        if stage.mirror is not None:
            for kind in ("backfill", "verify"):
                await _job(app, kind)
    await app.overview.audit("jobs", 10)


async def _traffic(app: App, name: str) -> None:
    collection, flow = app.sites["jobs"].collection, app.pipeline
    for number in range(3):
        fields = {"tenant": "t", "name": f"{name}{number}", "due": number, "owner": "o"}
        document = Document({"_id": fields["name"], **fields})
        key = key_of(collection, fields)
        await flow.write("jobs", Insert(key, document))
        await flow.write("jobs", Modify(key, (Set("n", number),)))
        await flow.write("jobs", Modify(key, (Set("m", 1),)))
    await flow.get("jobs", [key])
    due = Compare("due", Comparator.GTE, 0)
    for equal in (Compare("tenant", Comparator.EQ, "t"), Compare("owner", Comparator.EQ, "o")):
        planned = plan(collection, And((equal, due)))
        await flow.query("jobs", planned, PageRequest(10))
        await flow.count("jobs", planned)
    await flow.take_first("jobs", plan(collection, Compare("tenant", Comparator.EQ, "t")), (Set("w", 1),))
    await flow.write("jobs", Delete(key))
    await app.settle()


async def _move(app: App, stage: Stage) -> None:
    steering = Steering(app.overview, app.coordinator)
    order = Order(
        collection="jobs", target=stage, actor="a test", reason="a test", dry_run=False, override=True
    )
    async with asyncio.timeout(60):
        await steering.move(order)


async def _job(app: App, kind: str) -> None:
    await app.workshop.start_job("jobs", kind)
    for _ in range(300):
        job = await app.control.job("jobs", kind)
        if job is not None and job.state != "running":
            return
        await asyncio.sleep(0.2)
    raise TimeoutError(f"the {kind} does not end")
