"""Backfills, verifies and the reconciler's work, as protobuf."""

from __future__ import annotations

from math import inf

from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate.fault import fault
from proxy.api.translate.operations import moment
from proxy.core.assurance import assurance_of, is_clean
from proxy.core.errors import Reason
from proxy.core.flag import Job
from proxy.reconcile.charter import JobOrder, charter_of

KINDS = {
    "backfill": pb.JOB_KIND_BACKFILL,
    "verify": pb.JOB_KIND_VERIFY,
    "feed": pb.JOB_KIND_FEED,
    "sample": pb.JOB_KIND_SAMPLE,
}
STATES = {
    "running": pb.JOB_STATE_RUNNING,
    "finished": pb.JOB_STATE_FINISHED,
    "failed": pb.JOB_STATE_FAILED,
    "paused": pb.JOB_STATE_PAUSED,
}
STARTABLE = {
    pb.JOB_KIND_BACKFILL: "backfill",
    pb.JOB_KIND_VERIFY: "verify",
    pb.JOB_KIND_SAMPLE: "sample",
}
SAMPLE_SHARE = 0.01
"""Of the documents, where the request does not say."""


def read_job_kind(value: pb.JobKind) -> str:
    """The core's name of a kind that can be started. Raises BadRequest for any other."""
    kind = STARTABLE.get(value)
    if kind is None:
        text = "a backfill, a verify or a sample can be started, nothing else"
        raise fault(text, Reason.INVALID_ARGUMENT, "kind")
    return kind


def read_order(request: pb.StartJobRequest, actor: str) -> JobOrder:
    """How the job is wanted, and by whom. Raises BadRequest for a limit below 0."""
    return JobOrder(
        rate=_limit(request, "max_rate"),
        max_units=_limit(request, "max_write_units"),
        anew=request.anew,
        only_resume=request.only_resume,
        actor=actor,
        reason=request.reason,
    )


def read_share(request: pb.StartJobRequest) -> float:
    """The share of the documents that a sample looks at. Raises BadRequest for none that could be."""
    share = request.sample_share or SAMPLE_SHARE
    if not 0 < share <= 1:
        raise fault("must be more than 0 and at most 1", Reason.INVALID_ARGUMENT, "sample_share")
    return share


def _limit(request: pb.StartJobRequest, field: str) -> float | None:
    value: float | None = getattr(request, field) if request.HasField(field) else None
    if value is not None and not 0 <= value < inf:
        raise fault("must be a number of 0 or more", Reason.INVALID_ARGUMENT, field)
    return value


def write_job(target: pb.Job, job: Job) -> None:
    """Fill in a job."""
    target.collection = job.collection
    target.kind = KINDS[job.kind]
    target.state = STATES.get(job.state, pb.JOB_STATE_UNSPECIFIED)
    target.clean = is_clean(job)
    for name, count in job.counts.items():
        target.counts[name] = count
    target.epoch = job.epoch
    target.start_time.CopyFrom(moment(job.started_at))
    target.update_time.CopyFrom(moment(job.updated_at))
    target.message = job.message
    target.total, target.done = job.total, job.done
    target.rate, target.workers = job.rate, job.workers
    if job.state == "running" and job.rate > 0:
        target.remaining.FromMilliseconds(int(1000 * max(0, job.total - job.done) / job.rate))
    if job.kind in ("verify", "sample"):
        proof = assurance_of(job)
        target.coverage, target.differing_at_most = proof.coverage, proof.at_most
    if charter := charter_of(job):
        target.max_rate, target.max_write_units = charter.rate, charter.max_units
