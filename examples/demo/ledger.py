"""The ledger: every write that the traffic was promised, and what the stores must therefore hold at the end.

A write that was acknowledged must be seen; one whose outcome is unknown may be; no write may be seen twice.
Each document is judged by one kind of entry, by how its writes leave a mark: a counter, a list or a state.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Name: TypeAlias = tuple[str, ...]
"""A document: its collection, then its key's values."""


@dataclass(frozen=True, slots=True)
class Held:
    """A live document as a store holds it: its fields, and its BSON bytes."""

    fields: Mapping[str, Any]
    data: bytes


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one document: acknowledged writes that are not there, and writes that are there twice."""

    lost: int = 0
    doubled: int = 0


class Entry(Protocol):
    """What the traffic was promised about one document."""

    def judge(self, found: Held | None) -> Judgement: ...


@dataclass(slots=True)
class Untouched:
    """A document of the old application that nobody has written since: it must stay to the byte."""

    data: bytes

    def judge(self, found: Held | None) -> Judgement:
        return Judgement(lost=int(found is None or found.data != self.data))


@dataclass(slots=True)
class Tally:
    """A counter that every write raises by one, from `base`."""

    field: str
    base: int
    acknowledged: int = 0
    unknown: int = 0

    def judge(self, found: Held | None) -> Judgement:
        expected = self.base + self.acknowledged
        value = int(found.fields[self.field]) if found else self.base - 1
        return Judgement(max(0, expected - value), max(0, value - expected - self.unknown))


@dataclass(slots=True)
class Journal:
    """A list at `path` to which every write adds its token; only the last `limit` are kept, if there is one.

    `mark` is the name of the token in an element, or nothing where the token is the element. `exists` says
    that the document itself was promised.
    """

    path: tuple[str, ...]
    mark: str = ""
    limit: int | None = None
    exists: bool = False
    acknowledged: list[str] = dataclasses.field(default_factory=list)
    unknown: int = 0

    def judge(self, found: Held | None) -> Judgement:
        return self.judge_fields(found.fields if found else None)

    def judge_fields(self, fields: Mapping[str, Any] | None) -> Judgement:
        if fields is None:
            return Judgement(lost=max(len(self.acknowledged), int(self.exists)))
        seen = Counter(self._tokens(fields))
        kept = self.acknowledged
        if self.limit is not None:
            kept = kept[-max(0, self.limit - self.unknown) :] if self.limit > self.unknown else []
        lost = sum(1 for token in kept if not seen[token])
        return Judgement(lost, sum(count - 1 for count in seen.values() if count > 1))

    def _tokens(self, fields: Mapping[str, Any]) -> Iterable[str]:
        value: Any = fields
        for name in self.path:
            value = value.get(name) if value else None
        return [element[self.mark] if self.mark else element for element in value or ()]


@dataclass(slots=True)
class State:
    """A document with one writer, that is created, changed and deleted; `field` holds the last write's token.

    `token` is None while it is deleted; `unknown` are the tokens that may be there instead.
    """

    field: str
    token: str | None = None
    unknown: set[str | None] = dataclasses.field(default_factory=set)

    def may_be(self, token: str | None) -> bool:
        return token == self.token or token in self.unknown

    def judge(self, found: Held | None) -> Judgement:
        token = found.fields.get(self.field) if found else None
        return Judgement(lost=int(not self.may_be(token)))


@dataclass(frozen=True, slots=True)
class Owned:
    """A job that one worker has owned; times in milliseconds of this machine's clock.

    It asked at `asked`, was told so at `told`, and gave the job back at `released`, or it ran out at `until`.
    """

    job: Name
    asked: float
    told: float
    released: float
    until: float

    def collides_with(self, other: Owned) -> bool:
        """Whether both owned the job at one time; neither may have come after the other's end."""
        return not (self._may_follow(other) or other._may_follow(self))

    def _may_follow(self, other: Owned) -> bool:
        return self.told >= other.released or self.asked >= other.until


@dataclass(slots=True)
class Ledger:
    """All entries, and what was noticed on the way."""

    entries: dict[Name, Entry] = dataclasses.field(default_factory=dict)
    owned: list[Owned] = dataclasses.field(default_factory=list)
    acknowledged: Counter[str] = dataclasses.field(default_factory=Counter)
    unknown: Counter[str] = dataclasses.field(default_factory=Counter)
    stale_reads: list[str] = dataclasses.field(default_factory=list)

    def remember(self, collection: str) -> None:
        """One more acknowledged write."""
        self.acknowledged[collection] += 1

    def doubt(self, collection: str) -> None:
        """One more write of which nobody knows whether it was applied."""
        self.unknown[collection] += 1

    def tally(self, name: Name, field: str, base: int) -> Tally:
        """The counter of a document; from now on it is not untouched any more."""
        entry = self.entries.get(name)
        if not isinstance(entry, Tally):
            entry = self.entries[name] = Tally(field, base)
        return entry

    def collisions(self) -> int:
        """How often two workers owned one job at the same time."""
        jobs: dict[Name, list[Owned]] = {}
        for one in self.owned:
            jobs.setdefault(one.job, []).append(one)
        return sum(_collisions(sorted(owned, key=lambda one: one.asked)) for owned in jobs.values())

    def judge(self, stored: Mapping[Name, Held]) -> Judgement:
        """All entries against the documents of one store."""
        judgements = [entry.judge(stored.get(name)) for name, entry in self.entries.items()]
        return Judgement(sum(one.lost for one in judgements), sum(one.doubled for one in judgements))

    def broken(self, stored: Mapping[Name, Held]) -> list[Name]:
        """The documents that do not hold what was promised."""
        return [name for name, entry in self.entries.items() if entry.judge(stored.get(name)) != Judgement()]


def _collisions(owned: list[Owned]) -> int:
    pairs = ((one, other) for place, one in enumerate(owned) for other in owned[place + 1 :])
    return sum(one.collides_with(other) for one, other in pairs)
