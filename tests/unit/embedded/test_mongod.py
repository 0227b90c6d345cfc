"""The embedded replica set: real, writable, followed by change streams, gone when stopped."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient, WriteConcern

from proxy.embedded.missing import MissingPart, PortTaken
from proxy.embedded.mongod import Member, ReplicaSet
from tests.unit.embedded.processes import is_alive


@pytest.fixture
async def mongodb(mongodb_uri: str) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_uri)
    async with client:
        yield client


async def test_takes_majority_writes(mongodb: AsyncMongoClient[dict[str, Any]], unique_name: str) -> None:
    collection = mongodb[unique_name].get_collection("c", write_concern=WriteConcern("majority"))
    await collection.insert_one({"_id": 1})
    assert await collection.find_one() == {"_id": 1}
    await mongodb.drop_database(unique_name)


async def test_opens_change_streams(mongodb: AsyncMongoClient[dict[str, Any]], unique_name: str) -> None:
    collection = mongodb[unique_name]["c"]
    async with await collection.watch(max_await_time_ms=100) as stream:
        await collection.insert_one({"_id": "seen"})
        change = await stream.next()
    assert change["fullDocument"] == {"_id": "seen"}
    await mongodb.drop_database(unique_name)


async def test_stop_leaves_no_process_and_no_data() -> None:
    replica_set = await ReplicaSet().start()
    (member,) = replica_set.members
    assert is_alive(member.pid)
    assert member.data.is_dir()
    await replica_set.stop()
    assert not is_alive(member.pid)
    assert not member.data.exists()
    await replica_set.stop()


async def test_parameters_reach_mongod() -> None:
    async with ReplicaSet(parameters={"ttlMonitorSleepSecs": "7"}) as replica_set:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(replica_set.uri)
        async with client:
            reply = await client.admin.command({"getParameter": 1, "ttlMonitorSleepSecs": 1})
    assert reply["ttlMonitorSleepSecs"] == 7


async def test_three_members_survive_the_death_of_their_primary() -> None:
    async with ReplicaSet(3) as replica_set:
        first = await replica_set.primary()
        replica_set.kill(first)
        assert not is_alive(first.pid)
        second = await replica_set.primary()
        assert second.port != first.port
        await _insert_with_majority(replica_set)
        revived = await replica_set.revive(first)
        assert (revived.port, revived.data) == (first.port, first.data)
        replica_set.kill(_other_than(replica_set, revived, second))
        await _insert_with_majority(replica_set)  # needs the revived member's vote


async def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"^Port {port} for mongod is taken: stop .*\.$"):
            await ReplicaSet(ports=[port]).start()


async def test_without_a_mongod_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.embedded.mongod_binary._WHEEL", "no-such-distribution")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingPart, match=r"^mongod is missing: run `make setup` .*\.$"):
        await ReplicaSet().start()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "echo 'mongod: error while loading shared libraries: libcurl.so.4: cannot open'; exit 127",
            r"^mongod needs the library libcurl\.so\.4: apt-get install libcurl4 .*\.$",
        ),
        ("echo starting; echo no disk; exit 3", r"^mongod ended .* code 3; .* no disk$"),
    ],
)
async def test_a_mongod_that_ends_at_once_is_explained(
    script: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongod = tmp_path / "mongod"
    mongod.write_text(f"#!/bin/sh\n{script}\n")
    mongod.chmod(0o755)
    monkeypatch.setattr("proxy.embedded.mongod_binary._WHEEL", "no-such-distribution")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(MissingPart, match=sentence):
        await ReplicaSet().start()


async def _insert_with_majority(replica_set: ReplicaSet) -> None:
    await replica_set.primary()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(replica_set.uri)
    async with client:
        concern = WriteConcern("majority", wtimeout=20_000)
        await client["t"].get_collection("c", write_concern=concern).insert_one({})


def _other_than(replica_set: ReplicaSet, *kept: Member) -> Member:
    ports = {member.port for member in kept}
    return next(member for member in replica_set.members if member.port not in ports)
