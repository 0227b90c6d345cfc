"""One command to one mongod over a connection of its own: MongoDB's OP_MSG, nothing kept between.

A driver watches its servers in the background, which is of no use while they start and die.
"""

import asyncio
import socket
import struct
from typing import Any

import bson

from proxy.embedded.missing import MissingPart

_OP_MSG = 2013
_HEADER = struct.Struct("<iiii")  # length, request id, response to, opcode
_FLAGS_AND_KIND = bytes(5)  # no flags; one section, of kind 0: a document


class CommandFailed(MissingPart):
    """The mongod understood the command and refused it."""


async def run_command(port: int, command: dict[str, Any], timeout: float = 10.0) -> dict[str, Any]:
    """The reply of the admin database; OSError when nobody answers within `timeout` seconds."""
    reply = await asyncio.to_thread(_exchange, port, command, timeout)
    if not reply.get("ok"):
        raise CommandFailed(f"mongod on port {port} refuses {next(iter(command))}: {reply.get('errmsg')}")
    return reply


def _exchange(port: int, command: dict[str, Any], timeout: float) -> dict[str, Any]:
    body = _FLAGS_AND_KIND + bson.encode({**command, "$db": "admin"})
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(_HEADER.pack(_HEADER.size + len(body), 1, 0, _OP_MSG) + body)
        length, *_ = _HEADER.unpack(_receive(connection, _HEADER.size))
        payload = _receive(connection, length - _HEADER.size)
    return bson.decode(payload[len(_FLAGS_AND_KIND) :])


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("mongod closed the connection")
        received += part
    return received
