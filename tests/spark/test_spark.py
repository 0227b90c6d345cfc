"""The Spark job in local mode, beside a real proxy, on real stores: it copies and compares as workers do.

Spark is half a GB, so it is no part of `make setup`: `make spark-test` installs it and runs these.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from crossfade import AsyncMigrationClient, Stage
from examples.demo.stack import Stack, dynamodb_client, open_stack
from proxy.config import load_config
from proxy.core.collection import Collection
from proxy.core.flag import Job
from proxy.embedded.addresses import Addresses
from proxy.reconcile.charter import JobOrder

pyspark = pytest.importorskip("pyspark", reason="Spark is not installed: make spark-test")

NUMBER = 1_200
NAME = "webtasks"


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    """Spark on two local cores, as executors of its own processes."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").appName("crossfade tests")
    for name, value in (
        ("spark.ui.enabled", "false"),
        ("spark.driver.host", "127.0.0.1"),
        ("spark.driver.bindAddress", "127.0.0.1"),
        ("spark.ui.showConsoleProgress", "false"),
    ):
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session.sparkContext
    session.stop()


@pytest.fixture(scope="module")
def story(context: Any, mongodb_uri: str, dynamodb_endpoint: str) -> dict[str, Any]:
    """What came of it, step by step."""
    addresses = Addresses(mongodb_uri=mongodb_uri, dynamodb_endpoint=dynamodb_endpoint)
    return asyncio.run(_live_through(context, addresses))


async def _live_through(context: Any, addresses: Addresses) -> dict[str, Any]:
    async with open_stack(lease=1.0, addresses=addresses) as stack:
        collection = next(each for each in stack.collections if each.name == NAME)
        address = (await stack.start_proxy()).address
        await _leave_documents(stack, collection)
        async with AsyncMigrationClient(address) as operator:
            await operator.move_stage(NAME, Stage.MONGO_PRIMARY, reason="a test")
        copied = await _run(context, stack, "backfill")
        items = _items(stack, collection)
        clean = await _run(context, stack, "verify")
        _corrupt(stack, collection)
        found = await _run(context, stack, "verify")
        return {"copied": copied, "items": items, "clean": clean, "found": found}


async def _run(context: Any, stack: Stack, kind: str) -> Job:
    """In a thread: Spark's calls block, and the proxy's feed goes on meanwhile."""
    from proxy.spark import Assignment, run

    config = load_config(stack.environment)
    assignment = Assignment(config, stack.collections, NAME, kind)
    with ThreadPoolExecutor(1) as thread:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(thread, run, context, assignment, JobOrder())


async def _leave_documents(stack: Stack, collection: Collection) -> None:
    from pymongo import AsyncMongoClient

    async with AsyncMongoClient[dict[str, Any]](stack.stores.mongodb.address) as client:
        documents = client[collection.mongo_database][collection.mongo_collection]
        await documents.insert_many(
            {
                "deployment_key": "d",
                "webtask_container": f"c{number % 7}",
                "webtask_name": f"n{number}",
                "code": "x" * (number % 500),
            }
            for number in range(NUMBER)
        )


def _items(stack: Stack, collection: Collection) -> dict[str, Any]:
    """What DynamoDB holds by the task's name, read past everything of ours."""
    pages = dynamodb_client(stack.stores.dynamodb).get_paginator("scan").paginate(TableName=collection.table)
    return {item["webtask_name"]["S"]: item for page in pages for item in page["Items"]}


def _corrupt(stack: Stack, collection: Collection) -> None:
    """One item less, one changed, and one too many."""
    client, items = dynamodb_client(stack.stores.dynamodb), _items(stack, collection)
    gone, changed = items["n5"], items["n6"]
    names = ("deployment_container", "webtask_name")
    client.delete_item(TableName=collection.table, Key={name: gone[name] for name in names})
    client.put_item(TableName=collection.table, Item=changed | {"code": {"S": "tampered"}})
    ghost = {"webtask_name": {"S": "ghost"}}
    client.put_item(TableName=collection.table, Item=changed | ghost)


def test_every_document_is_copied_to_the_byte(story: dict[str, Any]) -> None:
    job = story["copied"]
    assert (job.state, job.done) == ("finished", NUMBER)
    assert job.counts.keys() <= {"copied", "present", "settled"}, (
        "a range may be done again on a busy machine"
    )
    assert sum(job.counts.values()) == NUMBER
    codes = {name: item["code"]["S"] for name, item in story["items"].items() if name.startswith("n")}
    assert codes == {f"n{number}": "x" * (number % 500) for number in range(NUMBER)}


def test_a_verify_compares_both_directions_and_finds_nothing(story: dict[str, Any]) -> None:
    job = story["clean"]
    assert job.state == "finished"
    assert (job.counts["documents"], job.counts["MATCH"]) == (NUMBER, NUMBER)
    assert job.counts["extras"] >= NUMBER


def test_a_verify_finds_what_was_tampered_with(story: dict[str, Any]) -> None:
    counts = story["found"].counts
    kinds = ("MISSING_IN_MIRROR", "TRUE_MISMATCH", "GHOST_IN_MIRROR")
    assert {kind: counts.get(kind) for kind in kinds} == dict.fromkeys(kinds, 1)
