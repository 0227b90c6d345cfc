"""Where a reader stands in the shards of a DynamoDB stream, and which shards it may read next.

Invariants: a child is read only after its parent was read to its end, so the events of a key stay in order;
a shard that was not read to its end is never forgotten silently; a split or a merge loses nothing, because
every shard that appears after the position was taken is read from its beginning.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from proxy.core.exchange import FeedLost


class Stand(Enum):
    """How far a shard has been read."""

    BEGINNING = "T"  # nothing yet: start at its oldest record
    SINCE = "S"  # nothing yet: records older than the time in `at` (milliseconds) are of no interest
    AFTER = "A"  # everything up to the sequence number in `at`
    DONE = "D"  # it is closed, and everything in it was read


@dataclass(frozen=True, slots=True)
class Place:
    """A stand in one shard."""

    stand: Stand
    at: str = ""


BEGINNING = Place(Stand.BEGINNING)
DONE = Place(Stand.DONE)


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as the stream describes it."""

    id: str
    parent: str | None
    is_open: bool


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A stand in every shard of one stream; `at` is when it was taken, in milliseconds since 1970."""

    stream: str
    at: int
    places: Mapping[str, Place] = field(default_factory=dict)

    def to_text(self) -> str:
        places = {shard: place.stand.value + place.at for shard, place in self.places.items()}
        return json.dumps({"stream": self.stream, "at": self.at, "shards": places}, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> StreamPosition:
        """Raises FeedLost for a text that is no position of ours."""
        try:
            data = json.loads(text)
            places = {shard: Place(Stand(stand[0]), stand[1:]) for shard, stand in data["shards"].items()}
            return cls(data["stream"], data["at"], places)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise FeedLost(f"{text!r} is not a position in a DynamoDB stream") from error

    def put(self, shard: str, place: Place) -> StreamPosition:
        return replace(self, places={**self.places, shard: place})


def position_now(stream: str, now: int, shards: Iterable[Shard]) -> StreamPosition:
    """The position from which everything after `now` is seen: what is closed already is of no interest."""
    since = Place(Stand.SINCE, str(now))
    return StreamPosition(stream, now, {shard.id: since if shard.is_open else DONE for shard in shards})


def catch_up(position: StreamPosition, shards: Iterable[Shard]) -> StreamPosition:
    """The position in the stream as it is described now: new shards join, finished ones that expired leave.

    Raises FeedLost when a shard expired before it was read to its end.
    """
    described = {shard.id for shard in shards}
    for shard, place in position.places.items():
        if shard not in described and place != DONE:
            raise FeedLost(f"the shard {shard} expired before it was read to its end")
    places = {shard: position.places.get(shard, BEGINNING) for shard in described}
    return replace(position, places=places)


def readable(position: StreamPosition, shards: Iterable[Shard]) -> list[str]:
    """The shards to read now: those whose parents were read to their ends, or have expired."""
    places = position.places
    return [
        shard.id
        for shard in shards
        if places[shard.id] != DONE and (shard.parent is None or places.get(shard.parent, DONE) == DONE)
    ]
