"""Backfills, verifies and the reconciler's work, as protobuf."""

from __future__ import annotations

from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate.fault import fault
from proxy.api.translate.operations import moment
from proxy.core.errors import Reason
from proxy.core.flag import Job
from proxy.cutover.checks import is_clean

KINDS = {
    "backfill": pb.JOB_KIND_BACKFILL,
    "verify": pb.JOB_KIND_VERIFY,
    "feed": pb.JOB_KIND_FEED,
}
STATES = {
    "running": pb.JOB_STATE_RUNNING,
    "finished": pb.JOB_STATE_FINISHED,
    "failed": pb.JOB_STATE_FAILED,
}
STARTABLE = {pb.JOB_KIND_BACKFILL: "backfill", pb.JOB_KIND_VERIFY: "verify"}


def read_job_kind(value: pb.JobKind) -> str:
    """The core's name of a kind that can be started. Raises BadRequest for any other."""
    kind = STARTABLE.get(value)
    if kind is None:
        raise fault("a backfill or a verify can be started, nothing else", Reason.INVALID_ARGUMENT, "kind")
    return kind


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
