"""Every command of the operator's runbook, in the page's own order, on real stores and two real proxies.

The page is taken at its word: its commands are run as they stand, but for addresses, for the collections file
and for how long a rehearsal lasts. Where the page tells to wait, the test asks by `--dry-run` as it tells to.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from crossfade import AsyncMigrationClient, JobKind, Stage
from examples.demo.stack import ROOT, is_serving
from proxy.embedded.addresses import Addresses, Origin
from proxy.embedded.child import spawn
from proxy.embedded.ports import free_port
from proxy.embedded.stores import Store, Stores
from tests.faults.site import JOBS, TASKS, Site, open_site

PAGE = ROOT / "docs" / "runbook.md"
ADDRESS = "127.0.0.1:50051"
"""The address on the page."""

MONGODB = "mongodb://db.example.org/?replicaSet=rs0"
DECLARED = "examples/collections.yaml"
LEASE = 3.0
REHEARSAL = "9s"
"""Longer than the lease and the longest call, as it must be."""

KEY = ("deployment_key", "webtask_container", "webtask_name")
PATIENCE = 120.0
MOVES = ("cutover", "rollback", "rehearse")
EXPECTED = {f"crossfade abort {JOBS}": 1}
"""What does not exit with 0 when all is well: nothing is under way then."""

LAST_OF_THE_JOURNEY = f"crossfade finish {JOBS} --reason"
"""What follows on the page is about a collection that has a mirror; the other one stands in for it."""

_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_SETTING = re.compile(r"export (\w+)=(\S+)")


def lines_of(page: str) -> Iterator[str]:
    """The lines of all shell blocks, without what surrounds them."""
    for block in _BLOCK.findall(page):
        yield from (line.strip() for line in block.splitlines() if line.strip())


@dataclass(slots=True)
class Operator:
    """Reads the page aloud and does what it says; `ran` is what was run, with its exit status."""

    site: Site
    cleanup: AsyncExitStack
    addresses: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    ran: list[tuple[str, int]] = field(default_factory=list)
    is_done: bool = False

    async def follow(self, line: str) -> None:
        """Do one line. Fails where it exits otherwise than the page promises."""
        if setting := _SETTING.fullmatch(line):
            self.environment[setting[1]] = setting[2].replace(ADDRESS, ",".join(self.addresses) or ADDRESS)
            return
        words = self._mine(shlex.split(line, comments=True))
        if words[3:4] == ["serve"]:
            await self._serve(words)
            return
        await self._prepare(line, words)
        expected = next((status for begin, status in EXPECTED.items() if line.startswith(begin)), 0)
        status, said = await self._run(words)
        assert status == expected, f"{line}: exit status {status}\n{said}"
        self.ran.append((line, status))
        self.is_done |= line.startswith(LAST_OF_THE_JOURNEY)

    def _mine(self, words: list[str]) -> list[str]:
        """With this machine's programs, files and times."""
        program = {"python": sys.executable, "crossfade": str(Path(sys.executable).with_name("crossfade"))}
        exchanged = {
            words[0]: [program[words[0]]],
            MONGODB: [self.site.stack.stores.mongodb.address, "--only", self._database],
            DECLARED: [self.site.stack.environment["CROSSFADE_COLLECTIONS"]],
            "60s": [REHEARSAL],
            **({JOBS: [TASKS]} if self.is_done else {}),
        }
        return [mine for word in words for mine in exchanged.get(word, [word])]

    async def _serve(self, words: list[str]) -> None:
        """At least two proxies, the page says."""
        for number in range(2):
            address = f"127.0.0.1:{free_port()}"
            name = f"replica-{number}"
            environment = {**self.site.stack.environment, "CROSSFADE_REPLICA_ID": name}
            command = [address if word == ADDRESS else word for word in words]
            child = spawn(name, command, self.site.stack.directory / f"{name}.log", ROOT, environment)
            self.cleanup.push_async_callback(child.stop)
            assert await child.wait_until(partial(is_serving, address), PATIENCE), child.output()[-2000:]
            self.addresses.append(address)
        self.environment["CROSSFADE_ADDRESS"] = ",".join(self.addresses)
        async with AsyncMigrationClient(self.addresses) as operator:
            await operator.move_stage(TASKS, Stage.MONGO_PRIMARY)
            await operator.wait_for_job(await operator.start_job(TASKS, JobKind.BACKFILL))

    async def fill(self) -> None:
        """What the application has in MongoDB before anybody heard of a proxy."""
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self.site.stack.stores.mongodb.address)
        async with client:
            for name in (JOBS, TASKS):
                collection = client[self._database][name]
                await collection.create_index([(field, 1) for field in KEY], unique=True)
                await collection.insert_many(
                    [{**dict.fromkeys(KEY, f"k{number:02}"), "code": "return 1"} for number in range(40)]
                )

    @property
    def _database(self) -> str:
        return self.site.stack.collections[0].mongo_database

    async def _prepare(self, line: str, words: list[str]) -> None:
        """Wait until a move is safe, by asking; the end is reached from DYNAMO_PRIMARY."""
        if line.startswith(f"crossfade finish {JOBS} --dry-run"):
            crossfade = words[0]
            again = [crossfade, "cutover", JOBS, "--reason", "there again"]
            await self._wait_until_safe(again)
            assert (await self._run(again))[0] == 0
        if "--override" in words:
            async with AsyncMigrationClient(self.addresses) as operator:
                await operator.move_stage(TASKS, Stage.DYNAMO_PRIMARY, override=True, reason="in time")
        elif len(words) > 1 and words[1] in MOVES:
            await self._wait_until_safe(words)

    async def _wait_until_safe(self, words: list[str]) -> None:
        asked = words if "--dry-run" in words else [*words, "--dry-run"]
        deadline = time.monotonic() + PATIENCE
        while True:
            status, said = await self._run(asked)
            if status == 0:
                return
            assert status == 1 and time.monotonic() < deadline, said

    async def _run(self, words: list[str]) -> tuple[int, str]:
        """One command to its end, a watch to its first picture; the exit status and what it said."""
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=self.site.stack.directory,
            env=self._environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(PATIENCE):
            if "--watch" in words:
                assert process.stdout is not None
                await process.stdout.readuntil(JOBS.encode())
                process.send_signal(signal.SIGINT)
            said, _ = await process.communicate(f"{JOBS}\n".encode())
        assert process.returncode is not None
        return process.returncode, said.decode()

    def _environment(self) -> Mapping[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CROSSFADE_")}
        return {**inherited, **self.site.stack.environment, **self.environment}


@pytest.fixture
async def operator(addresses: Addresses, mongodb_uri: str, dynamodb_endpoint: str) -> AsyncIterator[Operator]:
    def store(address: str, given: str | None) -> Store:
        return Store(address, Origin.GIVEN if given else Origin.EMBEDDED)

    stores = Stores(
        store(mongodb_uri, addresses.mongodb_uri), store(dynamodb_endpoint, addresses.dynamodb_endpoint)
    )
    async with open_site(stores, replicas=0, lease=LEASE) as site, AsyncExitStack() as cleanup:
        yield Operator(site, cleanup)


@pytest.fixture(autouse=True)
def hears_interrupts() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl+C, and so would everything that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.timeout(600)  # on a machine that is busy with much else; under a minute on one that is not
async def test_the_commands_of_the_runbook_do_what_it_says(operator: Operator) -> None:
    await operator.fill()
    for line in lines_of(PAGE.read_text()):
        await operator.follow(line)
    verbs = {line.split()[1] for line, _ in operator.ran if line.startswith("crossfade")}
    assert {"replicas", "status", "backfill", "verify", "cutover", "rehearse", "rollback", "finish"} <= verbs
    assert len(operator.ran) > 15
    async with AsyncMigrationClient(operator.addresses) as client:
        assert (await client.get_collection(JOBS)).stage == Stage.DYNAMO_ONLY.value
        assert (await client.get_collection(TASKS)).stage == Stage.MONGO_PRIMARY.value
