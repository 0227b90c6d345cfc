"""The client: one connection to the proxies, and the collections behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import grpc

from crossfade.collection import AsyncCollection
from crossfade.transport import DEFAULT_ADDRESS, DEFAULT_TIMEOUT, Address, RetryPolicy, Transport


class AsyncClient:
    """A client for asyncio.

        async with AsyncClient("crossfade.internal:50051") as client:
            task = await client["webtasks"].find_one({"deployment_key": "auth0", ...})

    `address` is "host:port" (all addresses of the name are used in turn), several of them as a list
    or with commas between, or a target of gRPC's such as "unix:/run/crossfade.sock". `timeout` is
    seconds for a call, retries included; `retry` is how failed calls are repeated. Without
    `credentials` (see `tls_credentials`) the connection is in the clear; `token` says who calls,
    where the proxy asks for it. Belongs to the event loop where it was made, and
    must not be shared with another or across a fork.
    """

    def __init__(
        self,
        address: Address = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._transport = Transport(
            address,
            timeout=timeout,
            retry=retry,
            credentials=credentials,
            token=token,
            options=options,
        )
        self._collections: dict[str, AsyncCollection] = {}

    def __getitem__(self, name: str) -> AsyncCollection:
        """The collection of that name. That the proxy knows it shows at the first call."""
        collection = self._collections.get(name)
        if collection is None:
            collection = self._collections[name] = AsyncCollection(name, self._transport)
        return collection

    get_collection = __getitem__

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
