"""What a reconciler leaves behind for its successor and for the gate, as the job "feed" of its collection.

`Job.state` is "failed" from the moment that events may have been missed until a full verify, begun after that
moment, has finished; `Job.started_at` is that moment, or when following began. `Job.counts` has the results
by name, and: `lag_ms`, `lag_documents`, `bypass` (writes that bypassed the proxy), `bypass_at` (the last one,
milliseconds since 1970), `blind` (events that named no document), `gaps`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from proxy.core.flag import Job
from proxy.core.stage import StoreName

KIND = "feed"
RECENT = 600.0
"""Seconds for which a position from before an adoption is good for the changes that follow an aborted one: by
then what was adopted has been looked at again, and the feed is still read up soon."""
RUNNING, FAILED = "running", "failed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go on in a store's feed: `applied` to bring the mirror up, `purged` to forget no tombstone."""

    store: StoreName
    applied: str
    purged: str

    def to_text(self) -> str:
        return json.dumps({"store": self.store.value, "applied": self.applied, "purged": self.purged})


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the feed has been followed without a gap since `since` (milliseconds), and why not."""

    since: int
    message: str = ""

    @property
    def state(self) -> str:
        return FAILED if self.message else RUNNING


def secured_kind(store: StoreName) -> str:
    """The kind of job that keeps a position in the feed of a store that may become the primary."""
    return f"{KIND}.{store.value}"


def adopted_kind(store: StoreName) -> str:
    """The kind of job that keeps a position in a mirror's feed from before anything was adopted there."""
    return f"{secured_kind(store)}.adopted"


def is_recent(job: Job, now: int) -> bool:
    """Whether the position is not old: what was adopted behind it may still wait for its second look."""
    return now - job.updated_at < RECENT * 1000


def is_good_for_now(job: Job | None, now: int) -> bool:
    """Whether a collection without a mirror has a position already that its first pass could begin with."""
    if job is None or place_in(job, StoreName.MONGODB) is None:
        return False
    return job.state == RUNNING and is_recent(job, now)


def place_in(job: Job | None, store: StoreName) -> Place | None:
    """The place that a job keeps, if it is one in this store's feed."""
    if job is None:
        return None
    try:
        data = json.loads(job.position)
        place = Place(StoreName(data["store"]), data["applied"], data["purged"])
    except (ValueError, KeyError, TypeError):
        return None
    return place if place.store is store else None


def health_of(job: Job | None, now: int) -> Health:
    """What the last reconciler knew."""
    if job is None:
        return Health(now)
    return Health(job.started_at, job.message if job.state == FAILED else "")


def feed_job(
    collection: str, epoch: int, place: Place, health: Health, counts: Mapping[str, int], now: int
) -> Job:
    """The job as it is saved."""
    return Job(
        collection=collection,
        kind=KIND,
        state=health.state,
        epoch=epoch,
        started_at=health.since,
        updated_at=now,
        counts=dict(counts),
        position=place.to_text(),
        message=health.message,
    )


def secured_job(
    collection: str, epoch: int, store: StoreName, position: str, now: int, *, is_adopted: bool = False
) -> Job:
    """A position taken in the feed of a store before it becomes the primary."""
    place = Place(store, position, position).to_text()
    kind = adopted_kind(store) if is_adopted else secured_kind(store)
    return Job(collection, kind, "secured", epoch, now, now, {}, place)
