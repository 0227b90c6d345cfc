"""Looks at everything once for all who watch, as long as somebody does, and hands each the newest picture.

Looking costs the control store some reads, so the pauses grow with what a look takes: a proxy of many
collections spends a quarter of its time on it at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import orjson

from proxy.console.desk import Desk
from proxy.console.picture import Json, paint
from proxy.core.errors import CrossfadeError

_log = logging.getLogger("crossfade.console")

PAUSE = 1.0
SHARE = 3.0
"""Seconds between two looks: at least the first, and so many times what the last one took."""

SIGN_OF_LIFE = 15.0
"""Seconds after which a silent stream says that it lives."""


Lens = Callable[[Json], Json]


@dataclass(eq=False, slots=True)
class _Watcher:
    """One open page; `news` is what it has not been sent yet, the latest only. `lens`: see `stream`."""

    lens: Lens | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    news: bytes = b""

    def tell(self, frame: bytes) -> None:
        self.news = frame
        self.woken.set()


class Lookout:
    """The one who looks. `stream` feeds a page, `look_now` is called when something was changed here."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._watchers: set[_Watcher] = set()
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._is_closed = False

    def look_now(self) -> None:
        self._hurry.set()

    async def stream(self, lens: Lens | None = None) -> AsyncIterator[bytes]:
        """Frames of server-sent events: "picture" with everything, or "trouble" with what went wrong.

        `lens` shows of a picture what is meant for this page; None shows all.
        """
        watcher = _Watcher(lens)
        self._watchers.add(watcher)
        self._begin()
        try:
            yield b"retry: 1000\n\n"
            while not self._is_closed:
                frame = await self._next(watcher)
                if not self._is_closed:
                    yield frame
        finally:
            self._watchers.discard(watcher)

    async def close(self) -> None:
        """End all streams."""
        self._is_closed = True
        for watcher in self._watchers:
            watcher.tell(b"")
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _next(self, watcher: _Watcher) -> bytes:
        try:
            async with asyncio.timeout(SIGN_OF_LIFE):
                await watcher.woken.wait()
        except TimeoutError:
            return b": still here\n\n"
        watcher.woken.clear()
        return watcher.news

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_while_watched(), name="console.lookout")
        else:
            self._hurry.set()

    async def _look_while_watched(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._watchers:
            self._hurry.clear()
            began = clock()
            event, data = await self._look()
            frame = _frame(event, data)
            for watcher in self._watchers:
                lens = watcher.lens if event == "picture" else None
                watcher.tell(_frame(event, lens(data)) if lens else frame)
            await self._rest(max(PAUSE, SHARE * (clock() - began)))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            return

    async def _look(self) -> tuple[str, Json]:
        try:
            return "picture", await paint(self._desk)
        except CrossfadeError as error:
            return "trouble", {"message": error.message}
        except Exception:
            _log.exception("the console cannot see")
            return "trouble", {"message": "the proxy failed to look; its log says why"}


def _frame(event: str, data: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.encode(), orjson.dumps(data))
