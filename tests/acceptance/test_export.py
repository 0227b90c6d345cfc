"""The whole way of a large collection by the command line: exported, imported, mirrored, adopted."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from crossfade import AsyncClient, AsyncMigrationClient, JobKind, Stage
from crossfade.v1 import migration_pb2 as pb
from examples.demo.stack import Stack, dynamodb_client, open_stack
from proxy.embedded.addresses import Addresses

NUMBER = 400
NAME = "webtask_storage"


async def run(stack: Stack, *words: str) -> tuple[int, str]:
    """The command as people type it, with what a proxy is told; its exit code and all that it said."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("crossfade")), *words,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **stack.environment},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, said.decode()


def put_all(stack: Stack, folder: Path, table: str) -> None:
    client = dynamodb_client(stack.stores.dynamodb)
    for path in sorted((folder / "data").iterdir()):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            client.put_item(TableName=table, Item=json.loads(line)["Item"])


@pytest.fixture
def own(mongodb_uri: str, dynamodb_endpoint: str) -> Addresses:
    return Addresses(mongodb_uri=mongodb_uri, dynamodb_endpoint=dynamodb_endpoint)


async def test_the_whole_way(own: Addresses, tmp_path: Path) -> None:
    async with open_stack(lease=1.0, addresses=own) as stack:
        collection = next(each for each in stack.collections if each.name == NAME)
        address = (await stack.start_proxy()).address
        async with (
            AsyncMongoClient[dict[str, Any]](stack.stores.mongodb.address) as mongo,
            AsyncClient(address) as client,
            AsyncMigrationClient(address) as operator,
        ):
            documents = mongo[collection.mongo_database][collection.mongo_collection]
            key = {"deployment_key": "d", "webtask_container": "c"}
            await documents.insert_many({**key, "webtask_name": f"n{n}", "data": n} for n in range(NUMBER))

            code, said = await run(stack, "backfill", NAME, "--export", str(tmp_path))
            assert (code, f"{NUMBER} items" in said) == (0, True), said
            await client[NAME].update_one({**key, "webtask_name": "n1"}, {"$set": {"data": "meanwhile"}})
            await client[NAME].delete_one({**key, "webtask_name": "n2"})
            await documents.insert_one({**key, "webtask_name": "past the proxy", "data": 1})

            code, said = await run(stack, "backfill", NAME, "--adopt", str(tmp_path))
            assert (code, "no mirror" in said) == (3, True), said
            await asyncio.to_thread(put_all, stack, tmp_path, collection.table)
            await operator.move_stage(NAME, Stage.MONGO_PRIMARY, reason="the import is done")
            code, said = await run(stack, "backfill", NAME, "--adopt", str(tmp_path))
            assert (code, f"imported {NUMBER}" in said) == (0, True), said

            job = await operator.wait_for_job(await operator.start_job(NAME, JobKind.VERIFY))
            assert job.clean
            gate = await operator.move_stage(NAME, Stage.DYNAMO_PRIMARY, dry_run=True)
            backfilled = next(check for check in gate.checks if check.name == "backfill_complete")
            assert backfilled.result == pb.Check.PASSED, backfilled.evidence


async def test_without_a_proxy_that_served_it_there_is_nothing_to_export(
    own: Addresses, tmp_path: Path
) -> None:
    async with open_stack(lease=1.0, addresses=own) as stack:
        code, said = await run(stack, "export", "nothing", "--to", str(tmp_path))
        assert (code, "no collection named 'nothing'" in said) == (3, True), said
        code, said = await run(stack, "backfill", NAME, "--adopt", str(tmp_path / "nowhere"))
        assert (code, "No such file" in said) == (2, True), said
