"""A TCP fault proxy: a link between one proxy process and one store, which fails in every way a network can.

A link belongs to one event loop. Its port stays the same through all troubles.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

_CHUNK = 256 * 1024
_AT_ONCE = struct.pack("ii", 1, 0)
_DATABASE = b"\x02$db\x00"  # the field of every MongoDB command that names its database


class Trouble(Enum):
    """How a link may fail."""

    NONE = "none"
    CUT = "cut"  # open connections are reset, new ones refused
    BLACKHOLE = "blackhole"  # connections are taken, and everything sent is swallowed
    SLOW = "slow"  # everything arrives, later
    HALF_OPEN = "half-open"  # requests arrive, replies are swallowed


@dataclass(slots=True, eq=False)
class Pipe:
    """One connection through a link: both ends, and the tasks that copy between them."""

    ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def reset(self) -> None:
        for end in self.ends:
            _reset(end)
        for task in self.tasks:
            task.cancel()


def _reset(end: asyncio.StreamWriter) -> None:
    """Close it as a crashed peer would: by RST, without a farewell."""
    if end.transport.is_closing():
        return
    with contextlib.suppress(OSError, ValueError):
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    end.transport.abort()


class Link:
    """Forwards a local port to `host:port`; an async context manager."""

    def __init__(self, host: str, port: int) -> None:
        self.trouble = Trouble.NONE
        self.delay = 0.0
        self.port = 0
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._pipes: set[Pipe] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def fail(self, trouble: Trouble, delay: float = 0.5) -> None:
        """From now on this is wrong with the link; `delay` is in seconds, for SLOW."""
        self.trouble, self.delay = trouble, delay
        if trouble is Trouble.CUT:
            self._refuse()

    async def heal(self) -> None:
        """All is well again. What was swallowed stays lost: connections that lost anything are reset."""
        was, self.trouble = self.trouble, Trouble.NONE
        if was is Trouble.CUT:
            await self._listen()
        elif was in (Trouble.BLACKHOLE, Trouble.HALF_OPEN):
            self.reset()

    def lead_to(self, host: str, port: int) -> None:
        """From now on it leads elsewhere; open connections are reset."""
        if self._target != (host, port):
            self._target = (host, port)
            self.reset()

    def reset(self) -> None:
        """Reset all open connections."""
        for pipe in tuple(self._pipes):
            pipe.reset()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._carry(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # as the end of any connection
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        pipe = Pipe((writer, far_writer))
        pipe.tasks = [
            asyncio.create_task(self.carry_requests(pipe, reader, far_writer)),
            asyncio.create_task(self.carry_replies(pipe, far_reader, writer)),
        ]
        self._pipes.add(pipe)
        try:
            await asyncio.wait(pipe.tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pipes.discard(pipe)
            pipe.reset()
            await asyncio.gather(*pipe.tasks, return_exceptions=True)

    async def carry_requests(
        self, pipe: Pipe, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while chunk := await source.read(_CHUNK):
            if self.trouble is not Trouble.BLACKHOLE:
                await self.hand_over(chunk, sink)

    async def carry_replies(
        self, pipe: Pipe, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while chunk := await source.read(_CHUNK):
            if self.trouble not in (Trouble.BLACKHOLE, Trouble.HALF_OPEN):
                await self.hand_over(chunk, sink)

    async def hand_over(self, chunk: bytes, sink: asyncio.StreamWriter) -> None:
        if self.trouble is Trouble.SLOW:
            await asyncio.sleep(self.delay)
        with contextlib.suppress(OSError):
            sink.write(chunk)
            await sink.drain()


class MongoLink(Link):
    """A link to a mongod that can also lose everything about one database, and nothing else."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.lost_database = ""
        self._asked: dict[Pipe, bytes] = {}

    def lose(self, database: str) -> None:
        """Swallow all commands on that database, and replies to those under way; "" loses nothing more."""
        self.lost_database = database
        if not database:
            self.reset()

    async def carry_requests(
        self, pipe: Pipe, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await source.readexactly(4)
                message = head + await source.readexactly(struct.unpack("<i", head)[0] - 4)
                self._asked[pipe] = database_of(message)
                if self.trouble is not Trouble.BLACKHOLE and not self._loses(pipe):
                    await self.hand_over(message, sink)
        self._asked.pop(pipe, None)

    async def carry_replies(
        self, pipe: Pipe, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while chunk := await source.read(_CHUNK):
            is_swallowed = self.trouble in (Trouble.BLACKHOLE, Trouble.HALF_OPEN) or self._loses(pipe)
            if not is_swallowed:
                await self.hand_over(chunk, sink)

    def _loses(self, pipe: Pipe) -> bool:
        """Whether what this connection was asked last is lost; MongoDB answers one command at a time."""
        return bool(self.lost_database) and self._asked.get(pipe) == self.lost_database.encode()


def database_of(message: bytes) -> bytes:
    """The database that a command of MongoDB's wire protocol is for; empty if it names none."""
    at = message.find(_DATABASE)
    if at < 0:
        return b""
    start = at + len(_DATABASE) + 4
    return message[start : message.index(b"\x00", start)]
