"""The policies in deploy/ allow what the proxy asks of the stores in a whole migration, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import boto3
import pytest
from pymongo import AsyncMongoClient

from tests.integration.privileges import Calls, play

DEPLOY = Path(__file__).parents[2] / "deploy"

NEEDS: dict[str, tuple[str, ...]] = {
    "aggregate": ("find",),
    "changeStream": ("changeStream", "find"),
    "collMod": ("collMod",),
    "count": ("find",),
    "create": ("createCollection",),
    "createIndexes": ("createIndex", "createCollection"),
    "delete": ("remove",),
    "distinct": ("find",),
    "find": ("find",),
    "findAndModify": ("find", "insert", "remove", "update"),
    "insert": ("insert",),
    "listCollections": ("listCollections",),
    "listIndexes": ("listIndexes",),
    "update": ("insert", "update"),
}
"""The privileges that MongoDB wants for each command; one that is not here fails the test."""


FOR_OLD_TABLES = {"dynamodb:UpdateTable"}
"""Turns the stream on of a table that was there before; one that the proxy creates has it from the start."""


def iam_actions() -> set[str]:
    policy: Any = json.loads((DEPLOY / "iam-policy.json").read_text())
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def role_actions(database: str) -> set[str]:
    role: Any = json.loads((DEPLOY / "mongodb-role.json").read_text())
    [actions] = [one["actions"] for one in role["privileges"] if one["resource"]["db"] == database]
    return set(actions)


def privileges(calls: Iterable[tuple[str, str]], database: str) -> set[str]:
    return {action for name, command in calls if name == database for action in NEEDS[command]}


def test_nothing_is_allowed_wholesale() -> None:
    text = (DEPLOY / "iam-policy.json").read_text() + (DEPLOY / "mongodb-role.json").read_text()
    assert '"*"' not in text and "dynamodb:*" not in text
    assert not {action for action in iam_actions() if action.startswith(("dynamodb:DeleteTable", "iam:"))}


@pytest.mark.timeout(280)
async def test_a_whole_migration_needs_what_is_allowed_and_no_more(
    mongodb_uri: str, dynamodb_endpoint: str, unique_name: str
) -> None:
    calls = Calls()
    try:
        with calls.recording():
            await play(mongodb_uri, dynamodb_endpoint, unique_name)
    finally:
        await _remove(mongodb_uri, dynamodb_endpoint, unique_name)
    databases = {database for database, _ in calls.mongodb}
    assert databases == {unique_name, f"{unique_name}_control"}
    assert {f"dynamodb:{operation}" for operation in calls.dynamodb} | FOR_OLD_TABLES == iam_actions()
    assert privileges(calls.mongodb, unique_name) == role_actions("DATABASE")
    assert privileges(calls.mongodb, f"{unique_name}_control") == role_actions("CONTROL")


async def _remove(mongodb_uri: str, dynamodb_endpoint: str, name: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:
        await client.drop_database(name)
        await client.drop_database(f"{name}_control")
    dynamodb: Any = boto3.client("dynamodb", endpoint_url=dynamodb_endpoint, region_name="us-east-1")
    for table in dynamodb.list_tables()["TableNames"]:
        if table.startswith(name):
            dynamodb.delete_table(TableName=table)
