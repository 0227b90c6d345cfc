"""A few of the faults on real processes, and the harness itself; `make faults` plays the whole programme."""

from __future__ import annotations

import asyncio

import pytest

from proxy.embedded.stores import Stores
from tests.faults.links import Link, MongoLink, Trouble, database_of
from tests.faults.programme import SCENARIOS
from tests.faults.scenario import Scenario, Theatre
from tests.fixtures.waiting import until

QUICK = [scenario for scenario in SCENARIOS if scenario.is_quick]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", QUICK, ids=lambda scenario: scenario.name)
async def test_a_fault_is_survived(scenario: Scenario, stores: Stores) -> None:
    theatre = Theatre(stores)
    try:
        verdict = await theatre.play(scenario)
    finally:
        await theatre.close()
    assert verdict.faults == ()
    assert verdict.acknowledged > 100 and verdict.lost == 0


def test_the_programme_has_every_kind_of_fault() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names) >= 40 and len(QUICK) >= 3
    for word in (
        "killed",
        "stopped",
        "cut",
        "blackhole",
        "slow",
        "half-open",
        "control",
        "three",
        "500",
        "pages",
        "trimmed",
        "oplog",
        "past the proxy",
        "hangs",
    ):
        assert any(word in name for name in names), word


@pytest.mark.parametrize("trouble", [Trouble.BLACKHOLE, Trouble.HALF_OPEN])
async def test_a_link_swallows_what_it_should_and_heals(trouble: Trouble) -> None:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(100):
            heard.append(chunk)
            writer.write(chunk.upper())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, Link(*server.sockets[0].getsockname()) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"one")
        assert await reader.read(100) == b"ONE"
        await link.fail(trouble)
        writer.write(b"two")
        if trouble is Trouble.HALF_OPEN:
            await until(lambda: b"two" in heard)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(100), 0.1)
        assert (b"two" in heard) == (trouble is Trouble.HALF_OPEN)
        await link.heal()
        with pytest.raises(ConnectionError):
            await reader.read(100)
        writer.transport.abort()
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"three")
        assert await reader.read(100) == b"THREE"
        writer.transport.abort()


async def test_a_link_that_is_cut_refuses_and_takes_its_port_again() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server, Link(*server.sockets[0].getsockname()) as link:
        await link.fail(Trouble.CUT)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", link.port)
        await link.heal()
        _, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.transport.abort()


async def test_a_link_loses_one_database_and_no_other(mongodb_uri: str) -> None:
    from pymongo import AsyncMongoClient

    from tests.faults.site import place_of

    async with MongoLink(*place_of(mongodb_uri)) as link:
        uri = f"mongodb://127.0.0.1:{link.port}/?directConnection=true"
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(uri)
        async with client:
            assert await client["kept"].list_collection_names() == []
            link.lose("gone")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client["gone"].list_collection_names(), 0.3)
            assert await client["kept"].list_collection_names() == []
            link.lose("")

            async def is_back() -> bool:
                return await client["gone"].list_collection_names() == []

            await until(is_back, timeout=10.0)


def test_the_database_of_a_command_is_found_in_its_bytes() -> None:
    import bson

    body = bson.encode({"ping": 1, "$db": "crossfade"})
    assert database_of(b"\0" * 21 + body) == b"crossfade"
    assert database_of(b"\0" * 16) == b""
