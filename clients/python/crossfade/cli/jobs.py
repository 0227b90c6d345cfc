"""Backfills and verifies in words: how far, how fast, and what they found."""

from __future__ import annotations

from collections.abc import Iterable

from crossfade.cli.progress import Progress, left
from crossfade.cli.tables import Cell, Table, Tone, Toned
from crossfade.cli.wording import name_of, time_of, words
from crossfade.v1 import migration_pb2 as pb

_TOLD_APART = frozenset(("lag_ms", "lag_documents", "bypass", "bypass_at"))
"""What the reconciler counts and `lag` and `bypass writes` tell."""

_STARTED = (pb.JOB_KIND_BACKFILL, pb.JOB_KIND_VERIFY, pb.JOB_KIND_SAMPLE)
"""What operators start."""

_COMPARED = (pb.JOB_KIND_VERIFY, pb.JOB_KIND_SAMPLE)


def latest(collection: pb.Collection, kind: pb.JobKind) -> pb.Job | None:
    """The last run of a kind, if there was one."""
    return next((job for job in collection.jobs if job.kind == kind), None)


def jobs_table(collections: Iterable[pb.Collection]) -> Table:
    """Every backfill and verify, a line each."""
    jobs = [job for collection in collections for job in collection.jobs if job.kind in _STARTED]
    return Table(
        ("collection", "job", "state", "progress", "counts", "epoch", "updated"),
        [
            (
                job.collection,
                job_kind(job),
                job_cell(job),
                _progress(job),
                _counts(job) or "-",
                str(job.epoch),
                time_of(job.update_time),
            )
            for job in jobs
        ],
        "no backfill or verify has run",
    )


def job_cell(job: pb.Job | None) -> Cell:
    """How a job stands, in a word or two."""
    if job is None:
        return "-"
    if job.state == pb.JOB_STATE_FINISHED:
        return Toned("clean", Tone.GOOD) if job.clean else Toned("not clean", Tone.BAD)
    state = words(name_of(pb.JobState, job.state, "JOB_STATE_"))
    if job.state == pb.JOB_STATE_RUNNING:
        return Toned(f"{state}{_share(job)}", Tone.BUSY)
    return Toned(state, Tone.BAD if job.state == pb.JOB_STATE_FAILED else Tone.WAIT)


def job_line(job: pb.Job) -> str:
    """How one job stands, in a sentence."""
    return f"{job_kind(job)} of {job.collection}: {job_text(job)}"


def job_kind(job: pb.Job) -> str:
    return words(name_of(pb.JobKind, job.kind, "JOB_KIND_"))


def job_text(job: pb.Job) -> str:
    """How a job stands, with its counts and what it has to say."""
    state = words(name_of(pb.JobState, job.state, "JOB_STATE_"))
    if job.state == pb.JOB_STATE_FINISHED:
        state += ", clean" if job.clean else ", not clean"
    parts = [
        f"{state}{_share(job)} (epoch {job.epoch}, {time_of(job.update_time)})",
        _counts(job),
        _proof(job),
        job.message,
    ]
    return "; ".join(part for part in parts if part)


def tell_progress(progress: Progress, job: pb.Job) -> None:
    """Show how far a job is."""
    what = f"{job_kind(job)} of {job.collection}"
    progress.advance(what, job.done, job.total, job.rate, _counts(job))


def _proof(job: pb.Job) -> str:
    """What a comparison that has finished proves."""
    if job.kind not in _COMPARED or job.state != pb.JOB_STATE_FINISHED:
        return ""
    if job.coverage >= 1:
        return "every document of both stores was compared"
    most = f"with 95 % confidence at most {job.differing_at_most:.2%} of all differ"
    return f"{job.coverage:.1%} of the documents were compared; {most}"


def _share(job: pb.Job) -> str:
    if job.state == pb.JOB_STATE_FINISHED or not job.total:
        return ""
    return f" {min(99, 100 * job.done // job.total)} %"


def _progress(job: pb.Job) -> str:
    if not job.total:
        return f"{job.done}" if job.done else "-"
    pace = f", {job.rate:.0f} a second" if job.state == pb.JOB_STATE_RUNNING and job.rate else ""
    return f"{job.done} of about {job.total}{pace}{left(job.done, job.total, job.rate)}"


def _counts(job: pb.Job) -> str:
    counted = sorted((name.lower(), count) for name, count in job.counts.items() if name not in _TOLD_APART)
    return ", ".join(f"{name} {count}" for name, count in counted)
