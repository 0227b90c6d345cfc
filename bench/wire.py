"""A gRPC client that costs a few microseconds a call, so that load is not what is measured.

It speaks as much of HTTP/2 as unary calls to a gRPC server need: requests are frames made beforehand, answers
are counted and not parsed. Calls share one connection. Header compression is declined, so that the status is
found in the trailers as it is written there.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
_WIDE = 2**31 - 1
_USUAL = 65_535
_OK = b"grpc-status\x010"


class CallFailed(Exception):
    """A call did not end with OK."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def headers_of(path: str, authority: str) -> bytes:
    """The header block of a call, without compression state; the deadline is 30 s, as a client's would be."""
    literal = [
        (b"\x04", path.encode()),
        (b"\x01", authority.encode()),
        (b"\x0f\x10", b"application/grpc"),
        (b"\x00\x02te", b"trailers"),
        (b"\x00\x0cgrpc-timeout", b"30S"),
    ]
    return b"\x83\x86" + b"".join(name + bytes((len(value),)) + value for name, value in literal)


class Connection(asyncio.Protocol):
    """One connection. `call` sends a message and gives a future of the answer's message (None: not kept)."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._parts: dict[int, list[bytes]] = {}
        self._rest = b""
        self._stream = -1
        self._received = 0
        self._window = _USUAL
        self._stream_window = _USUAL
        self._frame_size = 16_384
        self._windows: dict[int, int] = {}
        self._unsent: deque[tuple[int, memoryview]] = deque()
        self._blocks: dict[str, bytes] = {}
        self._authority = ""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        host, port = transport.get_extra_info("peername")[:2]
        self._authority = f"{host}:{port}"
        settings = b"".join(struct.pack(">HI", *pair) for pair in ((1, 0), (2, 0), (4, _WIDE)))
        widen = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", _WIDE - _USUAL))
        transport.write(PREFACE + frame(SETTINGS, 0, 0, settings) + widen)

    def connection_lost(self, error: Exception | None) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(CallFailed(f"the connection was lost: {error}"))

    def call(self, path: str, message: bytes) -> asyncio.Future[bytes]:
        """Send a request; the future fails with CallFailed unless the call ends with OK."""
        self._stream = stream = self._stream + 2
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[stream] = future
        block = self._blocks.get(path) or self._blocks.setdefault(path, headers_of(path, self._authority))
        head = frame(HEADERS, END_HEADERS, stream, block)
        body = b"\0" + struct.pack(">I", len(message)) + message
        if len(body) <= min(self._window, self._stream_window, self._frame_size) and not self._unsent:
            self._window -= len(body)
            self._transport.write(head + frame(DATA, END_STREAM, stream, body))
        else:
            self._windows[stream] = self._stream_window
            self._transport.write(head)
            self._unsent.append((stream, memoryview(body)))
            self._send_more()
        return future

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= 9:
            size = int.from_bytes(data[at : at + 3], "big")
            if end - at < 9 + size:
                break
            kind, flags, stream = struct.unpack_from(">BBI", data, at + 3)
            self._take(kind, flags, stream, data[at + 9 : at + 9 + size])
            at += 9 + size
        self._rest = data[at:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self._parts.setdefault(stream, []).append(payload)
            self._acknowledge(len(payload))
        elif kind == HEADERS:
            if flags & END_STREAM:
                self._end(stream, payload)
        elif handler := _HANDLERS.get(kind):
            handler(self, flags, stream, payload)

    def _end(self, stream: int, trailers: bytes) -> None:
        future, parts = self._waiting.pop(stream), self._parts.pop(stream, [])
        if future.done():
            return
        if _OK in trailers:
            future.set_result(b"".join(parts)[5:])
        else:
            future.set_exception(CallFailed(repr(trailers[:300])))

    def _acknowledge(self, size: int) -> None:
        """Give the server its window back, long before it is used up."""
        self._received += size
        if self._received > 2**29:
            self._transport.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self._received)))
            self._received = 0

    def _send_more(self) -> None:
        """Send what is too large for one frame or the server's windows, in order, as far as they let us."""
        while self._unsent:
            stream, body = self._unsent[0]
            room = min(self._window, self._windows[stream], self._frame_size, len(body))
            if room <= 0:
                return
            is_last = room == len(body)
            self._transport.write(frame(DATA, END_STREAM * is_last, stream, bytes(body[:room])))
            self._window -= room
            self._windows[stream] -= room
            if is_last:
                self._unsent.popleft()
                del self._windows[stream]
            else:
                self._unsent[0] = (stream, body[room:])

    def _take_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if flags & ACK:
            return
        for name, value in struct.iter_unpack(">HI", payload):
            if name == 4:
                for open_stream in self._windows:
                    self._windows[open_stream] += value - self._stream_window
                self._stream_window = value
            elif name == 5:
                self._frame_size = value
        self._transport.write(frame(SETTINGS, ACK, 0))
        self._send_more()

    def _take_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if not flags & ACK:
            self._transport.write(frame(PING, ACK, 0, payload))

    def _take_window(self, flags: int, stream: int, payload: bytes) -> None:
        (more,) = struct.unpack(">I", payload)
        if not stream:
            self._window += more
        elif stream in self._windows:
            self._windows[stream] += more
        self._send_more()

    def _take_reset(self, flags: int, stream: int, payload: bytes) -> None:
        future = self._waiting.pop(stream, None)
        self._parts.pop(stream, None)
        if future is not None and not future.done():
            future.set_exception(CallFailed(f"the stream was reset: {payload.hex()}"))


_HANDLERS: dict[int, Callable[[Connection, int, int, bytes], None]] = {
    SETTINGS: Connection._take_settings,
    PING: Connection._take_ping,
    WINDOW_UPDATE: Connection._take_window,
    RESET: Connection._take_reset,
}


async def connect(address: str) -> Connection:
    host, _, port = address.rpartition(":")
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, int(port))
    return connection
