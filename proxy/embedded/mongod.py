"""A MongoDB replica set of real mongods on 127.0.0.1, writable when `start` returns.

The data is thrown away on `stop`. Members are known by port and pid, so that tests can kill and
revive them.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from proxy.embedded.child import Child, spawn
from proxy.embedded.missing import MissingPart, PortTaken
from proxy.embedded.mongod_binary import mongod_command
from proxy.embedded.ports import run_on_port
from proxy.embedded.scratch import ScratchDirectory
from proxy.embedded.wire import run_command

_ADDRESS_IN_USE = 48  # mongod's exit code
_START_DEADLINE = 30.0  # seconds, for a member to answer and for a primary to be elected

# Chosen for tests: TTL every second instead of every minute, a no-op every second so that the
# positions of change streams move on, no quiet time before a stop.
_PARAMETERS = {
    "ttlMonitorSleepSecs": "1",
    "periodicNoopIntervalSecs": "1",
    "shutdownTimeoutMillisForSignaledShutdown": "0",
    "diagnosticDataCollectionEnabled": "false",
}
_ELECTION = {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 200}


@dataclass(frozen=True, slots=True)
class Member:
    """One mongod of a set; `child` changes when it is revived, port and data do not."""

    port: int
    data: Path
    child: Child

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class ReplicaSet:
    """`members` mongods in one set; an async context manager, or `start()` and `stop()`.

    `ports` fixes the ports (one a member); without it each takes a free one. `parameters` are
    added to mongod's `--setParameter`, `options` to its command line. `oplog_size` is in megabytes.
    """

    def __init__(
        self,
        members: int = 1,
        *,
        ports: Sequence[int] = (),
        parameters: Mapping[str, str] | None = None,
        name: str = "crossfade",
        oplog_size: int = 256,
        options: Sequence[str | Path] = (),
    ) -> None:
        if ports and len(ports) != members:
            raise ValueError(f"{members} members need {members} ports, not {len(ports)}")
        self._ports = tuple(ports)
        self._size = members
        self._parameters = {**_PARAMETERS, **(parameters or {})}
        self._name = name
        self._oplog_size = oplog_size
        self._options = tuple(options)
        self._scratch: ScratchDirectory | None = None
        self._mongod: list[str | Path] = []
        self._members: list[Member] = []

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(self._members)

    @property
    def uri(self) -> str:
        """Names every member and the set, so that drivers follow a new primary."""
        hosts = ",".join(member.address for member in self._members)
        return f"mongodb://{hosts}/?replicaSet={self._name}"

    async def start(self) -> Self:
        """Start and initiate; MissingPart says what to do when that is impossible here."""
        self._scratch = ScratchDirectory()
        try:
            self._mongod = mongod_command(self._scratch.path / "libraries")
            for number in range(self._size):
                self._members.append(await self._start_member(self._scratch.path, number))
            await self._initiate()
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Stop every member and remove the data; harmless when called twice."""
        await asyncio.gather(*(member.child.stop() for member in self._members))
        self._members.clear()
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def primary(self) -> Member:
        """The member that takes writes now; waits for an election."""
        deadline = time.monotonic() + _START_DEADLINE
        while True:
            for member in self._members:
                if not member.child.has_exited and await _is_writable(member.port):
                    return member
            if time.monotonic() > deadline:
                raise MissingPart(
                    f"The replica set elected no primary within {_START_DEADLINE:.0f} s: "
                    "is a majority of its members alive?"
                )
            await asyncio.sleep(0.02)

    def kill(self, member: Member) -> None:
        """SIGKILL one member; its data stays for `revive`."""
        member.child.kill()

    async def revive(self, member: Member) -> Member:
        """Start a killed member again on its port and data; returns it once it answers."""
        revived = await self._run(member.port, member.data)
        self._members[self._members.index(member)] = revived
        return revived

    async def _start_member(self, directory: Path, number: int) -> Member:
        data = directory / f"member-{number}"
        data.mkdir()
        wanted = self._ports[number] if self._ports else None
        return await run_on_port(wanted, lambda port: self._run(port, data))

    async def _run(self, port: int, data: Path) -> Member:
        log = data / "mongod.log"
        child = spawn("mongod", self._command(port, data), log, data)
        try:
            answers = await child.wait_until(lambda: _answers(port), _START_DEADLINE)
        except BaseException:
            child.kill()
            raise
        if not answers:
            raise _reason_of_death(child, port)
        return Member(port, data, child)

    def _command(self, port: int, data: Path) -> list[str | Path]:
        command = [*self._mongod, "--port", str(port), "--dbpath", data]
        command += ["--replSet", self._name, "--bind_ip", "127.0.0.1", "--nounixsocket"]
        command += ["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", str(self._oplog_size)]
        command += self._options
        for name, value in self._parameters.items():
            command += ["--setParameter", f"{name}={value}"]
        return command

    async def _initiate(self) -> None:
        first = self._members[0]
        members = [{"_id": n, "host": m.address} for n, m in enumerate(self._members)]
        config = {"_id": self._name, "members": members, "settings": _ELECTION}
        await run_command(first.port, {"replSetInitiate": config}, _START_DEADLINE)
        await self.primary()
        if not await first.child.wait_until(self._is_complete, _START_DEADLINE):
            raise first.child.died_early()

    async def _is_complete(self) -> bool:
        """Whether every member is primary or secondary, so that w:majority survives a kill."""
        status = await run_command(self._members[0].port, {"replSetGetStatus": 1})
        return all(member["stateStr"] in ("PRIMARY", "SECONDARY") for member in status["members"])


async def _answers(port: int) -> bool:
    return await _hello(port) is not None


async def _is_writable(port: int) -> bool:
    hello = await _hello(port)
    return hello is not None and bool(hello["isWritablePrimary"])


async def _hello(port: int) -> dict[str, Any] | None:
    """None when nobody answers."""
    try:
        return await run_command(port, {"hello": 1}, timeout=1.0)
    except OSError:
        return None


def _reason_of_death(child: Child, port: int) -> MissingPart:
    output = child.output()
    if child.process.returncode == _ADDRESS_IN_USE:
        return PortTaken("mongod", port)
    if library := re.search(r"error while loading shared libraries: (\S+?):", output):
        return MissingPart(
            f"mongod needs the library {library[1]}: apt-get install libcurl4 libssl3 liblzma5."
        )
    return child.died_early()
