"""The embedded DynamoDB Local: takes tables, and explains what is missing in one sentence."""

import asyncio
import socket
from pathlib import Path

import boto3
import pytest

from proxy.embedded.dynamodb_local import DynamoDBLocal
from proxy.embedded.missing import MissingPart, PortTaken
from tests.unit.embedded.processes import is_alive


async def test_creates_tables(dynamodb_endpoint: str, unique_name: str) -> None:
    status = await asyncio.to_thread(_create_and_drop, dynamodb_endpoint, unique_name)
    assert status == "ACTIVE"


async def test_stop_leaves_no_process() -> None:
    dynamodb = await DynamoDBLocal().start()
    pid = dynamodb.pid
    assert is_alive(pid)
    await dynamodb.stop()
    assert not is_alive(pid)
    await dynamodb.stop()


async def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"^Port {port} for DynamoDB Local is taken: .*\.$"):
            await DynamoDBLocal(port).start()


async def test_without_java_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingPart, match=r"^Java is missing .*: install Java 17 or newer .*\.$"):
        await DynamoDBLocal().start()


async def test_without_the_jar_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"^DynamoDB Local is missing .*: run `make setup`, .*"):
        await DynamoDBLocal(package=tmp_path).start()


async def test_an_old_java_is_named_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java"
    java.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -version ]; then echo \'openjdk version "11.0.2" 2019\' >&2; exit 0; fi\n'
        "echo 'Exception: java.lang.UnsupportedClassVersionError: Main has been compiled'\n"
        "exit 1\n"
    )
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(MissingPart, match=rf"^Java 17 .* and {java} is version 11\.0\.2: install"):
        await DynamoDBLocal().start()


def _create_and_drop(endpoint: str, table: str) -> str:
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    try:
        description = client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.delete_table(TableName=table)
    finally:
        client.close()
    return str(description["TableDescription"]["TableStatus"])
