"""The tests' own stores are exchanged as they age, whatever runs meanwhile; a given one stays; those that
cannot be had fail the tests that ask with one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from proxy.embedded.addresses import Addresses, Origin
from proxy.embedded.stores import Store, open_stores
from tests.fixtures import stores
from tests.fixtures.stores import Renewed, opened_stores


class Source:
    """Opens stores that are nothing but a number, in whatever loop it is called."""

    def __init__(self, origin: Origin) -> None:
        self.opened = 0
        self.closed: list[asyncio.AbstractEventLoop] = []
        self._origin = origin

    def __call__(self) -> AbstractAsyncContextManager[Store]:
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Store]:
        loop = asyncio.get_running_loop()
        self.opened += 1
        yield Store(f"store {self.opened}", self._origin)
        assert asyncio.get_running_loop() is loop, "where it was opened"
        self.closed.append(loop)


async def test_an_old_store_is_exchanged_while_a_loop_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(Origin.EMBEDDED)
    renewed = Renewed(source)
    assert [renewed.young().address for _ in range(2)] == ["store 1"] * 2
    monkeypatch.setattr(stores, "LIFE", -1.0)
    assert renewed.young().address == "store 2"
    assert len(source.closed) == 1
    renewed.close()
    assert len(source.closed) == 2 and all(loop.is_closed() for loop in source.closed)


async def test_a_given_store_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "LIFE", -1.0)
    renewed = Renewed(Source(Origin.GIVEN))
    assert [renewed.young().address for _ in range(2)] == ["store 1"] * 2
    renewed.close()


async def test_stores_that_cannot_be_had_fail_whoever_asks_with_one_sentence() -> None:
    opening = open_stores(Addresses(mongodb_uri="nonsense", dynamodb_endpoint="http://127.0.0.1:1"))
    with pytest.raises(pytest.fail.Exception, match=r"^CROSSFADE_MONGODB_URI is no usable") as failed:
        async with opened_stores(opening):
            pass
    assert not failed.value.pytrace
    assert failed.value.__context__ is None, "it would be shown too, with its traceback"
