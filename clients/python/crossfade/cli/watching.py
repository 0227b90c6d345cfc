"""`--watch`: the same question again and again, its answer in the place of the last one until Ctrl+C."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from crossfade.cli.answer import Answer
from crossfade.cli.tables import Alarm, plain
from crossfade.cli.terminal import console_on, live_on, picture
from crossfade.errors import DeadlineExceeded, Unavailable

if TYPE_CHECKING:
    from rich.live import Live

Look = Callable[[], Awaitable[Answer]]


class Window:
    """Shows one answer after another: redrawn on a terminal; through a pipe only what is new, and as JSON
    every answer on a line of its own."""

    def __init__(self, in_json: bool) -> None:
        self._in_json = in_json
        console = None if in_json else console_on(sys.stdout)
        self._live: Live | None = live_on(console) if console else None
        self._shown = ""

    def show(self, answer: Answer) -> None:
        if self._in_json:
            print(json.dumps(answer.data), flush=True)
        elif self._live is not None:
            self._live.update(picture((f"{_now()}  (Ctrl+C ends)", *answer.parts)), refresh=True)
        else:
            self._say("\n".join(plain(part) for part in answer.parts))

    def _say(self, text: str) -> None:
        if text != self._shown:
            print(f"--- {_now()}\n{text}", flush=True)
        self._shown = text

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


async def watch(look: Look, interval: float, in_json: bool) -> Answer:
    """Look every `interval` seconds until interrupted; the last answer. A proxy that is away is said, and
    asked again; what it refuses is raised."""
    answer = Answer((), None)
    with Window(in_json) as window:
        try:
            while True:
                answer = await _look(look)
                window.show(answer)
                await asyncio.sleep(interval)
        except asyncio.CancelledError:  # Ctrl+C is how a watch ends
            return answer


async def _look(look: Look) -> Answer:
    try:
        return await look()
    except (Unavailable, DeadlineExceeded) as error:
        told = f"NO ANSWER: {error}; asking again"
        return Answer((Alarm(told),), {"error": {"message": str(error)}}, is_good=False)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
