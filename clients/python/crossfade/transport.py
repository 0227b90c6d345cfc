"""The one way to a proxy: every call's address, deadline, retries and errors.

Invariants: a call never outlasts its deadline; a write is repeated only with the request id of its
first attempt; once the outcome of an attempt is UNKNOWN, no later failure of the same call claims
more.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

import grpc

from crossfade.answers import error_from_call
from crossfade.credentials import bearer
from crossfade.errors import CrossfadeError, Outcome

Response = TypeVar("Response", covariant=True)
Request = TypeVar("Request", contravariant=True)

Address = str | Sequence[str]
Metadata = tuple[tuple[str, str | bytes], ...]

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_TIMEOUT = 10.0
"""Seconds that a call may take, retries included, unless it is given others."""

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class Repeat(Enum):
    """When a failed call may be repeated on its own."""

    ALWAYS = "a read, or a write that its request id protects"
    UNAPPLIED = "a write that its request id does not protect: only if it certainly was not applied"
    NEVER = "a call that an operator should see fail"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Pauses between attempts: random from 0 to a bound that doubles ("full jitter"). Seconds."""

    attempts: int = 8
    first_pause: float = 0.02
    longest_pause: float = 1.0

    def pause_after(self, attempt: int, advice: float | None) -> float:
        """Seconds to wait after the attempt (1, 2, ...); at least what the proxy advised."""
        bound = min(self.longest_pause, self.first_pause * 2 ** (attempt - 1))
        return (advice or 0.0) + random.uniform(0.0, bound)


NO_RETRIES = RetryPolicy(attempts=1)


class Method(Protocol[Request, Response]):
    """A unary method of a generated stub."""

    def __call__(
        self, request: Request, /, *, timeout: float | None = None, metadata: Metadata | None = None
    ) -> Awaitable[Response]: ...


class Transport:
    """A channel to one or several proxies, and how calls on it behave. Belongs to one event loop."""

    def __init__(
        self,
        address: Address,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
        metadata: Metadata = (),
        token: str | None = None,
    ) -> None:
        """`metadata` are the headers of every call; `token` says who calls."""
        self.timeout = timeout
        self._metadata = (*metadata, *bearer(token)) or None
        self.retry = retry or RetryPolicy()
        self.channel = _open(target_of(address), credentials, (*_OPTIONS, *options))

    async def call(
        self,
        method: Method[Request, Response],
        request: Request,
        *,
        repeat: Repeat = Repeat.ALWAYS,
        writes: bool = False,
        timeout: float | None = None,
    ) -> Response:
        """The method's response. Raises an error of the tree, and nothing else."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + (self.timeout if timeout is None else timeout)
        attempt, was_unknown = 1, False
        while True:
            try:
                left = max(deadline - clock(), 0.0)
                return await method(request, timeout=left, metadata=self._metadata)
            except grpc.aio.AioRpcError as failure:
                error = error_from_call(failure, writes=writes)
            if was_unknown and error.outcome is Outcome.NOT_APPLIED:
                error.outcome = Outcome.UNKNOWN
            was_unknown = error.outcome is Outcome.UNKNOWN
            pause = self.retry.pause_after(attempt, error.retry_after)
            is_last = attempt >= self.retry.attempts or clock() + pause >= deadline
            if is_last or not _may_repeat(error, repeat):
                raise error
            await asyncio.sleep(pause)
            attempt += 1

    async def close(self) -> None:
        await self.channel.close(None)


def target_of(address: Address) -> str:
    """gRPC's name for one "host:port", several (a list, or one string with commas) or a URI of its
    own.

    A single host name is watched in DNS, and all of its addresses are used in turn. The names of
    several are resolved once, here.
    """
    given = address.split(",") if isinstance(address, str) else list(address)
    hosts = [host.strip() for host in given if host.strip()]
    if not hosts:
        raise ValueError("the address of the proxy is empty")
    if _has_scheme(hosts[0]):
        return ",".join(hosts)
    if len(hosts) == 1:
        return f"dns:///{hosts[0]}"
    return "ipv4:" + ",".join(_resolve(host) for host in hosts)


def _has_scheme(host: str) -> bool:
    return host.partition(":")[0] in {"dns", "ipv4", "ipv6", "unix", "unix-abstract", "xds"}


def _resolve(host: str) -> str:
    name, _, port = host.rpartition(":")
    if not name or not port.isdigit():
        raise ValueError(f"{host!r} is not host:port")
    try:
        return f"{ipaddress.IPv4Address(name)}:{port}"
    except ValueError:
        return f"{socket.gethostbyname(name)}:{port}"


def _open(
    target: str, credentials: grpc.ChannelCredentials | None, options: Sequence[tuple[str, Any]]
) -> grpc.aio.Channel:
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, credentials, options=options)


def _may_repeat(error: CrossfadeError, repeat: Repeat) -> bool:
    if repeat is Repeat.NEVER or not error.is_transient:
        return False
    return repeat is Repeat.ALWAYS or error.outcome is Outcome.NOT_APPLIED
