"""What goes wrong in a soak, again and again: mirrors that fail, changes of the primary, a death."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from crossfade import Stage
from tests.faults.bypass import Bypass
from tests.faults.links import Trouble
from tests.faults.looks import all_alive, breakers_closed, breakers_open, caught_up, flipped
from tests.faults.site import Site
from tests.faults.verdict import Evidence
from tests.soak.clients import COLLECTIONS
from tests.soak.judgement import Course, Period, Window

LASTS = 0.3
"""The share of a step's time for which its fault lasts."""
REST = 0.25
"""The share of a step's time for which nothing is wrong at its end, at least."""
VICTIM = 0
"""The replica that dies, and whose MongoDB is slow; nothing ever befalls the other."""


@dataclass(slots=True)
class Troubles:
    """All that goes wrong on one site, and when it did."""

    site: Site
    evidence: Evidence
    bypass: Bypass
    began: float = field(default_factory=time.monotonic)
    stage: Stage = Stage.MONGO_PRIMARY
    windows: list[Window] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    async def run(self, programme: Programme, seconds: float, cycles: int) -> None:
        """So many times everything, in about so many seconds."""
        step = seconds / (cycles * len(programme))
        for cycle in range(cycles):
            for name, strike in programme:
                ends = time.monotonic() + step
                if name != DEATH or cycle % 2 == 0:  # so that some lives are long
                    with self.window(name):
                        await strike(self, step * LASTS)
                await asyncio.sleep(max(step * REST, ends - time.monotonic()))

    def course(self) -> Course:
        """What has happened up to now."""
        self._turn_page(self.stage)
        return Course(self.began, time.monotonic(), tuple(self.windows), tuple(self.periods))

    @contextmanager
    def window(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.windows.append(Window(name, began, time.monotonic()))

    async def flip(self) -> None:
        """All collections to the other primary; from then on MongoDB's fence keeps direct writers out."""
        await self.bypass.keep_apart()
        before = len(self.evidence.notes)
        await flipped(self.site, self.evidence, names=COLLECTIONS)
        del self.evidence.notes[before:]
        is_mongo = self.stage is Stage.MONGO_PRIMARY
        self._turn_page(Stage.DYNAMO_PRIMARY if is_mongo else Stage.MONGO_PRIMARY)

    def _turn_page(self, stage: Stage) -> None:
        now = time.monotonic()
        self.periods.append(Period(self.stage.name, self._since, now))
        self.stage, self._since = stage, now


async def _break_mirror(trouble: Trouble, troubles: Troubles, seconds: float) -> None:
    """DynamoDB, the mirror, for all replicas: they must notice, and have caught up at the end."""
    links = [one.dynamo for one in troubles.site.replicas]
    await asyncio.gather(*(link.fail(trouble, delay=1.5) for link in links))
    began = time.monotonic()
    await breakers_open(troubles.site)
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    await asyncio.gather(*(link.heal() for link in links))
    await breakers_closed(troubles.site)
    await caught_up(troubles.site)


async def _cut(troubles: Troubles, seconds: float) -> None:
    await _break_mirror(Trouble.CUT, troubles, seconds)


async def _slow(troubles: Troubles, seconds: float) -> None:
    await _break_mirror(Trouble.SLOW, troubles, seconds)


async def _half_open(troubles: Troubles, seconds: float) -> None:
    await _break_mirror(Trouble.HALF_OPEN, troubles, seconds)


async def _slow_mongo(troubles: Troubles, seconds: float) -> None:
    """MongoDB, the mirror now, for one replica."""
    link = troubles.site.replicas[VICTIM].mongo
    await link.fail(Trouble.SLOW, delay=0.05)
    await asyncio.sleep(seconds)
    await link.heal()
    await caught_up(troubles.site)


async def _flip(troubles: Troubles, seconds: float) -> None:
    await troubles.flip()


async def _kill(troubles: Troubles, seconds: float) -> None:
    """SIGKILL, and a while without it."""
    troubles.site.replicas[VICTIM].kill()
    await asyncio.sleep(seconds)
    await troubles.site.revive(VICTIM)
    await all_alive(troubles.site)
    await caught_up(troubles.site)


Strike = Callable[[Troubles, float], Awaitable[None]]
Programme = Sequence[tuple[str, Strike]]

DEATH = "a proxy killed, and started again"
FORWARDS, BACK = "DynamoDB made primary", "MongoDB made primary"
PROGRAMME: Programme = (
    ("DynamoDB cut", _cut),
    (FORWARDS, _flip),
    ("MongoDB slow for one proxy", _slow_mongo),
    (DEATH, _kill),
    (BACK, _flip),
    ("DynamoDB slow", _slow),
    ("DynamoDB half-open", _half_open),
)
"""One cycle: every step has the same time."""
