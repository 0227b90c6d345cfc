"""The policies in deploy/ allow what the proxy asks of the stores in a whole migration, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import boto3
import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from tests.fixtures.guarded import guarded
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


UNAUTHORIZED = 13

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
    dynamodb_endpoint: str, unique_name: str, tmp_path: Path
) -> None:
    """MongoDB itself refuses the proxy everything else."""
    calls, control = Calls(), f"{unique_name}_control"
    async with guarded(tmp_path) as mongodb:
        try:
            uri = await mongodb.let_in(unique_name, control)
            with calls.recording():
                await play(uri, dynamodb_endpoint, unique_name)
        finally:
            await asyncio.to_thread(_remove, dynamodb_endpoint, unique_name)
    assert {database for database, _ in calls.mongodb} == {unique_name, control}
    assert {f"dynamodb:{operation}" for operation in calls.dynamodb} | FOR_OLD_TABLES == iam_actions()
    assert privileges(calls.mongodb, unique_name) == role_actions("DATABASE")
    assert privileges(calls.mongodb, control) == role_actions("CONTROL")


async def test_the_role_is_what_mongodb_goes_by(unique_name: str, tmp_path: Path) -> None:
    """What the role lacks is refused, in the proxy's own databases and in others."""
    async with guarded(tmp_path) as mongodb:
        uri = await mongodb.let_in(unique_name, f"{unique_name}_control")
        async with AsyncMongoClient[dict[str, Any]](uri) as proxy:
            await proxy[unique_name]["jobs"].insert_one({"_id": 1})
            for forbidden in (
                proxy[unique_name]["jobs"].drop(),
                proxy.drop_database(unique_name),
                proxy["another"]["jobs"].find_one({}),
                proxy["another"]["jobs"].insert_one({"_id": 1}),
                proxy.admin.command({"createUser": "x", "pwd": "x", "roles": ["root"]}),
            ):
                with pytest.raises(OperationFailure) as refused:
                    await forbidden
                assert refused.value.code == UNAUTHORIZED
            assert await proxy[unique_name]["jobs"].find_one({}) == {"_id": 1}


def _remove(dynamodb_endpoint: str, name: str) -> None:
    dynamodb: Any = boto3.client("dynamodb", endpoint_url=dynamodb_endpoint, region_name="us-east-1")
    for table in dynamodb.list_tables()["TableNames"]:
        if table.startswith(name):
            dynamodb.delete_table(TableName=table)
