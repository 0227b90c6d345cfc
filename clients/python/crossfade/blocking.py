"""The same client for programs without asyncio: it runs the asynchronous one in a thread of its
own.

Nothing is said twice: a method here is the asynchronous method, waited for. Safe to share between
threads.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import grpc

from crossfade.client import AsyncClient
from crossfade.collection import AsyncCollection
from crossfade.cursor import AsyncCursor
from crossfade.migration import AsyncMigrationClient
from crossfade.operations import Filter, Sort
from crossfade.results import Plan
from crossfade.transport import DEFAULT_ADDRESS, DEFAULT_TIMEOUT, Address, RetryPolicy
from crossfade.values import Document

P = ParamSpec("P")
T = TypeVar("T")
Asynchronous = TypeVar("Asynchronous")
Inner = TypeVar("Inner", covariant=True)


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crossfade", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine; an interrupted wait cancels it."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("the client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Blocking(Generic[Inner]):
    """An asynchronous object and the loop where it lives."""

    def __init__(self, inner: Inner, loop: _Loop) -> None:
        self._inner = inner
        self._loop = loop


class _waited(Generic[Asynchronous, P, T]):
    """Makes a method of a blocking object of a method of its asynchronous one, with the same signature."""

    def __init__(self, method: Callable[Concatenate[Asynchronous, P], Coroutine[Any, Any, T]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, owner: _Blocking[Asynchronous], kind: type) -> Callable[P, T]:
        method = self._method

        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return owner._loop.run(method(owner._inner, *args, **kwargs))

        return call


class Cursor(_Blocking[AsyncCursor]):
    """AsyncCursor for `for`."""

    def sort(self, sort: Sort, direction: int | None = None) -> Self:
        self._inner.sort(sort, direction)
        return self

    def limit(self, limit: int) -> Self:
        self._inner.limit(limit)
        return self

    def batch_size(self, batch_size: int) -> Self:
        self._inner.batch_size(batch_size)
        return self

    @property
    def plan(self) -> Plan | None:
        """How the latest page was served; None before the first."""
        return self._inner.plan

    def __iter__(self) -> Iterator[Document]:
        while batch := self._loop.run(self._inner.next_batch()):
            yield from batch

    next_batch = _waited(AsyncCursor.next_batch)
    to_list = _waited(AsyncCursor.to_list)


class Collection(_Blocking[AsyncCollection]):
    """AsyncCollection, waited for."""

    @property
    def name(self) -> str:
        return self._inner.name

    def find(
        self,
        filter: Filter | None = None,
        *,
        sort: Sort | None = None,
        limit: int = 0,
        batch_size: int = 0,
        timeout: float | None = None,
    ) -> Cursor:
        cursor = self._inner.find(filter, sort=sort, limit=limit, batch_size=batch_size, timeout=timeout)
        return Cursor(cursor, self._loop)

    find_one = _waited(AsyncCollection.find_one)
    find_many = _waited(AsyncCollection.find_many)
    find_page = _waited(AsyncCollection.find_page)
    count_documents = _waited(AsyncCollection.count_documents)
    insert_one = _waited(AsyncCollection.insert_one)
    insert_many = _waited(AsyncCollection.insert_many)
    replace_one = _waited(AsyncCollection.replace_one)
    update_one = _waited(AsyncCollection.update_one)
    delete_one = _waited(AsyncCollection.delete_one)
    find_one_and_update = _waited(AsyncCollection.find_one_and_update)
    find_one_and_replace = _waited(AsyncCollection.find_one_and_replace)
    find_one_and_delete = _waited(AsyncCollection.find_one_and_delete)
    bulk_write = _waited(AsyncCollection.bulk_write)


class _BlockingClient(_Blocking[Asynchronous]):
    """Makes an asynchronous client within a new loop, and closes both."""

    def __init__(self, make: Callable[[], Asynchronous]) -> None:
        loop = _Loop()

        async def make_inside() -> Asynchronous:
            return make()

        try:
            super().__init__(loop.run(make_inside()), loop)
        except BaseException:
            loop.close()
            raise

    def _close(self, close: Coroutine[Any, Any, None]) -> None:
        self._loop.run(close)
        self._loop.close()

    def __enter__(self) -> Self:
        return self


class Client(_BlockingClient[AsyncClient]):
    """AsyncClient for programs without asyncio; the arguments are the same.

    with Client("crossfade.internal:50051") as client:
        task = client["webtasks"].find_one({"deployment_key": "auth0", ...})
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
        super().__init__(
            lambda: AsyncClient(
                address,
                timeout=timeout,
                retry=retry,
                credentials=credentials,
                token=token,
                options=options,
            )
        )

    def __getitem__(self, name: str) -> Collection:
        """The collection of that name."""
        return Collection(self._inner[name], self._loop)

    get_collection = __getitem__

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._close(self._inner.close())

    def __exit__(self, *error: object) -> None:
        self.close()


class MigrationClient(_BlockingClient[AsyncMigrationClient]):
    """AsyncMigrationClient for programs without asyncio; the arguments are the same."""

    def __init__(
        self,
        address: Address = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        options: Sequence[tuple[str, Any]] = (),
        actor: str = "",
    ) -> None:
        super().__init__(
            lambda: AsyncMigrationClient(
                address,
                timeout=timeout,
                retry=retry,
                credentials=credentials,
                token=token,
                options=options,
                actor=actor,
            )
        )

    list_collections = _waited(AsyncMigrationClient.list_collections)
    get_collection = _waited(AsyncMigrationClient.get_collection)
    move_stage = _waited(AsyncMigrationClient.move_stage)
    cutover = _waited(AsyncMigrationClient.cutover)
    rollback = _waited(AsyncMigrationClient.rollback)
    rehearse = _waited(AsyncMigrationClient.rehearse)
    wait_for_rehearsal = _waited(AsyncMigrationClient.wait_for_rehearsal)
    abort = _waited(AsyncMigrationClient.abort)
    start_job = _waited(AsyncMigrationClient.start_job)
    pause_job = _waited(AsyncMigrationClient.pause_job)
    repair = _waited(AsyncMigrationClient.repair)
    explain_divergence = _waited(AsyncMigrationClient.explain_divergence)
    wait_for_job = _waited(AsyncMigrationClient.wait_for_job)
    list_divergences = _waited(AsyncMigrationClient.list_divergences)
    list_audit_entries = _waited(AsyncMigrationClient.list_audit_entries)
    list_replicas = _waited(AsyncMigrationClient.list_replicas)
    get_replica = _waited(AsyncMigrationClient.get_replica)

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._close(self._inner.close())

    def __exit__(self, *error: object) -> None:
        self.close()
