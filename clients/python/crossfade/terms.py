"""The words of the migration contract that operators use: stages, jobs and divergences."""

from __future__ import annotations

from enum import Enum

from crossfade.v1 import migration_pb2 as pb


class Stage(Enum):
    """The stages, in the order of the migration."""

    MONGO_ONLY = pb.STAGE_MONGO_ONLY
    MONGO_PRIMARY = pb.STAGE_MONGO_PRIMARY
    DYNAMO_PRIMARY = pb.STAGE_DYNAMO_PRIMARY
    DYNAMO_ONLY = pb.STAGE_DYNAMO_ONLY


class DivergenceKind(Enum):
    """What sort of difference a divergence is; see the contract."""

    STUCK_LAG = pb.DIVERGENCE_KIND_STUCK_LAG
    TRUE_MISMATCH = pb.DIVERGENCE_KIND_TRUE_MISMATCH
    VERSION_CONFLICT = pb.DIVERGENCE_KIND_VERSION_CONFLICT
    MISSING_IN_MIRROR = pb.DIVERGENCE_KIND_MISSING_IN_MIRROR
    GHOST_IN_MIRROR = pb.DIVERGENCE_KIND_GHOST_IN_MIRROR
    REPRESENTATION = pb.DIVERGENCE_KIND_REPRESENTATION
    QUERY_WINDOW = pb.DIVERGENCE_KIND_QUERY_WINDOW
    EVENTUAL = pb.DIVERGENCE_KIND_EVENTUAL
    ERROR_PARITY = pb.DIVERGENCE_KIND_ERROR_PARITY
    UNSUPPORTED = pb.DIVERGENCE_KIND_UNSUPPORTED
    BYPASS = pb.DIVERGENCE_KIND_BYPASS
    MIRROR_AHEAD = pb.DIVERGENCE_KIND_MIRROR_AHEAD
    QUERY_MISMATCH = pb.DIVERGENCE_KIND_QUERY_MISMATCH


class DivergenceState(Enum):
    """What has become of a divergence; see the contract."""

    OPEN = pb.DIVERGENCE_STATE_OPEN
    RECHECKING = pb.DIVERGENCE_STATE_RECHECKING
    REPAIRED = pb.DIVERGENCE_STATE_REPAIRED
    CLOSED = pb.DIVERGENCE_STATE_CLOSED


class JobKind(Enum):
    """What moves or compares documents without a client; see the contract."""

    BACKFILL = pb.JOB_KIND_BACKFILL
    VERIFY = pb.JOB_KIND_VERIFY
    FEED = pb.JOB_KIND_FEED
    SAMPLE = pb.JOB_KIND_SAMPLE


class JobState(Enum):
    """How a job stands; see the contract."""

    RUNNING = pb.JOB_STATE_RUNNING
    FINISHED = pb.JOB_STATE_FINISHED
    FAILED = pb.JOB_STATE_FAILED
    PAUSED = pb.JOB_STATE_PAUSED
