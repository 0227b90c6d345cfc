"""What an operator must not overlook: a feed that lost its place, or whose reconciler fell silent."""

from __future__ import annotations

import time
from collections.abc import Iterable

from crossfade.cli.tables import Alarm
from crossfade.cli.wording import name_of, words
from crossfade.v1 import migration_pb2 as pb

_SILENT = 30.0
"""Seconds without a word of the reconciler, which reports every few."""


def feed_of(collection: pb.Collection) -> pb.Job | None:
    """The reconciler's work on a collection that has a mirror."""
    if collection.mirror.store == pb.STORE_UNSPECIFIED:
        return None
    return next((job for job in collection.jobs if job.kind == pb.JOB_KIND_FEED), None)


def feed_state(collection: pb.Collection) -> str:
    """In one word or two."""
    feed = feed_of(collection)
    if feed is None:
        return "-"
    if feed.state == pb.JOB_STATE_RUNNING and (silence := _silence(feed)):
        return f"silent {silence:.0f} s"
    return words(name_of(pb.JobState, feed.state, "JOB_STATE_"))


def alarms(collections: Iterable[pb.Collection]) -> tuple[Alarm, ...]:
    """A sentence for every collection whose mirror may miss something."""
    told = ((collection.name, _complaint(collection)) for collection in collections)
    return tuple(Alarm(f"ALARM {name}: {complaint}") for name, complaint in told if complaint)


def _complaint(collection: pb.Collection) -> str:
    feed = feed_of(collection)
    if feed is None:
        return ""
    if feed.state == pb.JOB_STATE_FAILED:
        return f"the feed failed: {feed.message or 'no reason was given'}"
    if silence := _silence(feed):
        return f"no reconciler has reported for {silence:.0f} s (or the clocks differ); nothing is caught up"
    return ""


def _silence(feed: pb.Job) -> float:
    """Seconds since it reported, by this machine's clock; 0 where that is nothing to speak of."""
    since = time.time() - feed.update_time.ToNanoseconds() / 1e9
    return since if since > _SILENT else 0.0
