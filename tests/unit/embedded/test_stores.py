"""Where the stores come from: the order, and a sentence for every address that does not do."""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from proxy.embedded.addresses import Addresses, Origin
from proxy.embedded.child import Child, spawn
from proxy.embedded.containers import engine_answers
from proxy.embedded.given import check_mongodb
from proxy.embedded.missing import MissingPart, PortTaken
from proxy.embedded.mongod_binary import mongod_command
from proxy.embedded.ports import free_port, is_listening, run_on_port
from proxy.embedded.stores import open_dynamodb, open_mongodb, open_stores
from tests.unit.embedded.processes import is_alive, wait_for_death


def test_addresses_come_from_the_environment() -> None:
    environment = {
        "CROSSFADE_MONGODB_URI": "mongodb://a/",
        "CROSSFADE_DYNAMODB_ENDPOINT": "http://b:1",
        "CROSSFADE_STORES": "embedded",
        "DOCKER_HOST": "tcp://c:2375",
    }
    assert Addresses.from_environment(environment) == Addresses(
        "mongodb://a/", "http://b:1", Origin.EMBEDDED, "tcp://c:2375"
    )
    assert Addresses.from_environment({"CROSSFADE_MONGODB_URI": ""}) == Addresses()


def test_a_wrong_word_for_the_stores_is_refused() -> None:
    with pytest.raises(MissingPart, match=r"^CROSSFADE_STORES is 'cloud': set it to auto, .*\.$"):
        Addresses.from_environment({"CROSSFADE_STORES": "cloud"})


async def test_given_addresses_are_used_as_they_are(mongodb_uri: str, dynamodb_endpoint: str) -> None:
    async with open_stores(Addresses(mongodb_uri, dynamodb_endpoint)) as stores:
        assert (stores.mongodb.address, stores.mongodb.origin) == (mongodb_uri, Origin.GIVEN)
        assert stores.dynamodb.address == dynamodb_endpoint
        assert stores.dynamodb.origin is Origin.GIVEN


async def test_without_docker_the_store_is_embedded(tmp_path: Path) -> None:
    addresses = Addresses(docker_host=f"unix://{tmp_path}/none.sock")
    async with open_dynamodb(addresses) as store:
        assert store.origin is Origin.EMBEDDED


async def test_docker_asked_for_but_absent_says_what_to_do(tmp_path: Path) -> None:
    addresses = Addresses(origin=Origin.DOCKER, docker_host=f"unix://{tmp_path}/none.sock")
    with pytest.raises(MissingPart, match=r"^CROSSFADE_STORES is docker but no engine answers"):
        async with open_mongodb(addresses):
            pass


def test_an_engine_is_known_by_its_ping(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    assert not engine_answers(f"unix://{path}")
    with _engine(path, b"HTTP/1.0 200 OK\r\n\r\nOK"):
        assert engine_answers(f"unix://{path}")
    with _engine(path, b"HTTP/1.0 500 Internal Server Error\r\n\r\n"):
        assert not engine_answers(f"unix://{path}")
    assert not engine_answers("npipe:////./pipe/docker_engine")


async def test_one_missing_part_stops_the_other_store(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setenv("PATH", "/nonexistent")

    def recorded(name: str, command: list[str | Path], log: Path, directory: Path) -> Child:
        child = spawn(name, command, log, directory)
        started.append(child.pid)
        return child

    monkeypatch.setattr("proxy.embedded.mongod.spawn", recorded)
    with pytest.raises(MissingPart, match=r"^Java is missing"):
        async with open_stores(Addresses(origin=Origin.EMBEDDED)):
            pass
    assert len(started) == 1
    assert not is_alive(started[0])


async def test_a_mongod_that_is_no_replica_set_is_refused(tmp_path: Path) -> None:
    async with _standalone(tmp_path) as port:
        with pytest.raises(
            MissingPart, match=rf"^MongoDB at 127\.0\.0\.1:{port} is not a replica set, .* once\.$"
        ):
            await check_mongodb(f"mongodb://127.0.0.1:{port}/")


async def test_an_address_where_nothing_listens_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("proxy.embedded.given._PATIENCE_MS", 200)
    port = free_port()
    with pytest.raises(MissingPart, match=rf"^No replica set .* 127\.0\.0\.1:{port} ") as refusal:
        await check_mongodb(f"mongodb://user:secret@127.0.0.1:{port}/")
    assert "secret" not in str(refusal.value)
    with pytest.raises(MissingPart, match=rf"^Nothing listens at 127\.0\.0\.1:{port}: start .*"):
        async with open_dynamodb(Addresses(dynamodb_endpoint=f"http://127.0.0.1:{port}")):
            pass


@pytest.mark.parametrize("uri", ["nonsense", "mongodb://", "mongodb://a:b@c:d@e/"])
async def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(MissingPart, match=r"^CROSSFADE_MONGODB_URI is no usable MongoDB address"):
        await check_mongodb(uri)


async def test_a_free_port_lost_to_another_process_is_tried_again() -> None:
    tried: list[int] = []

    async def lose_twice(port: int) -> int:
        tried.append(port)
        if len(tried) < 3:
            raise PortTaken("it", port)
        return port

    assert await run_on_port(None, lose_twice) == tried[-1]
    assert len(tried) == 3


async def test_the_command_line_serves_until_a_signal() -> None:
    process = await _command_line()
    assert process.stdout is not None
    addresses = json.loads(await process.stdout.readline())
    assert addresses["mongodb_origin"] == addresses["dynamodb_origin"] == "embedded"
    await check_mongodb(addresses["mongodb_uri"])
    pids = _children(process.pid)
    assert len(pids) == 2
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert not any(is_alive(pid) for pid in pids)


async def test_children_die_with_a_parent_that_is_killed() -> None:
    process = await _command_line()
    assert process.stdout is not None
    await process.stdout.readline()
    pids = _children(process.pid)
    assert len(pids) == 2
    process.kill()
    await process.wait()
    for pid in pids:
        await wait_for_death(pid)


async def test_the_command_line_says_one_sentence_when_a_part_is_missing() -> None:
    process = await _command_line(PATH="/nonexistent")
    output, error = await process.communicate()
    assert process.returncode == 1
    assert output == b""
    assert error.decode().startswith("Java is missing")
    assert error.count(b"\n") == 1


async def _command_line(**environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "proxy.embedded",
        env={**os.environ, "CROSSFADE_STORES": "embedded", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@asynccontextmanager
async def _standalone(directory: Path) -> AsyncIterator[int]:
    port = free_port()
    command = [*mongod_command(directory / "libraries"), "--port", str(port), "--dbpath", directory]
    child = spawn("mongod", command, directory / "mongod.log", directory)

    async def answers() -> bool:
        return is_listening("127.0.0.1", port)

    try:
        assert await child.wait_until(answers, within=30)
        yield port
    finally:
        child.kill()


@contextmanager
def _engine(path: Path, reply: bytes) -> Iterator[None]:
    """Answers one connection as a Docker engine would."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=_reply_once, args=(server, reply))
        thread.start()
        yield
        thread.join()
    path.unlink()


def _reply_once(server: socket.socket, reply: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(reply)
