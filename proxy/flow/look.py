"""A look: what one read saw in the primary, kept until it is compared with what the mirror holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from proxy.core.errors import CrossfadeError
from proxy.core.exchange import Page
from proxy.core.keys import Key
from proxy.core.query import PageRequest, Plan
from proxy.core.stage import Published
from proxy.core.version import Record

Records = Mapping[Key, Record | None]

_NO_PAGE = Page((), None)


@dataclass(frozen=True, slots=True)
class PointRead:
    """What a read by key saw in the primary."""

    keys: Sequence[Key]
    records: Sequence[Record | None]


@dataclass(frozen=True, slots=True)
class QueryRead:
    """What a query saw in the primary: a page, or the error it ended in."""

    plan: Plan
    page: PageRequest
    answer: Page | CrossfadeError


@dataclass(frozen=True, slots=True)
class Look:
    """A read that waits to be compared, and the stage under which it was answered."""

    published: Published
    read: PointRead | QueryRead
    where: object  # in the trace of the call

    @property
    def documents(self) -> int:
        """How many documents it keeps from being forgotten; one at least."""
        if isinstance(self.read, PointRead):
            return len(self.read.keys)
        return max(1, len(self.read.answer.records)) if isinstance(self.read.answer, Page) else 1

    def without_documents(self) -> Look:
        """What a recheck needs, which may wait for seconds and reads everything anew."""
        if isinstance(self.read, PointRead):
            return replace(self, read=PointRead((), ()))
        return replace(self, read=replace(self.read, answer=_NO_PAGE))


def seen_by(look: Look) -> Records:
    """What a look at points saw."""
    assert isinstance(look.read, PointRead), "only points are looked at together"
    return dict(zip(look.read.keys, look.read.records, strict=True))


def grouped(looks: Iterable[Look]) -> list[list[Look]]:
    """Points of one stage together; queries alone, and what is traced, for it belongs to its own call."""
    alone: list[list[Look]] = []
    together: dict[Published, list[Look]] = {}
    for look in looks:
        if look.where is None and isinstance(look.read, PointRead):
            together.setdefault(look.published, []).append(look)
        else:
            alone.append([look])
    return [*together.values(), *alone]
