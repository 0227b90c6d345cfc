"""What operators see, as protobuf: collections, gate checks, divergences and replicas."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate.fault import fault
from proxy.core.collection import Collection, Index, IndexKind
from proxy.core.comparison import Kind
from proxy.core.errors import Reason
from proxy.core.flag import Change, Flag, Job, Replica
from proxy.core.stage import Stage, StoreName
from proxy.cutover.checks import GateCheck
from proxy.cutover.coordinator import MoveReport
from proxy.cutover.machine import Step
from proxy.cutover.overview import CollectionStatus, MirrorHealth

STAGES = {
    Stage.MONGO_ONLY: pb.STAGE_MONGO_ONLY,
    Stage.MONGO_PRIMARY: pb.STAGE_MONGO_PRIMARY,
    Stage.DYNAMO_PRIMARY: pb.STAGE_DYNAMO_PRIMARY,
    Stage.DYNAMO_ONLY: pb.STAGE_DYNAMO_ONLY,
}
STORES = {
    StoreName.MONGODB: pb.STORE_MONGODB,
    StoreName.DYNAMODB: pb.STORE_DYNAMODB,
}
STEPS = {
    Step.AWAIT_HOLD: pb.STEP_HOLD,
    Step.RAISE_FENCE: pb.STEP_FENCE,
    Step.DRAIN: pb.STEP_DRAIN,
    Step.PUBLISH: pb.STEP_PUBLISH,
    Step.ABORT: pb.STEP_ABORT,
}
KINDS = {
    Kind.STUCK_LAG: pb.DIVERGENCE_KIND_STUCK_LAG,
    Kind.TRUE_MISMATCH: pb.DIVERGENCE_KIND_TRUE_MISMATCH,
    Kind.VERSION_CONFLICT: pb.DIVERGENCE_KIND_VERSION_CONFLICT,
    Kind.MISSING_IN_MIRROR: pb.DIVERGENCE_KIND_MISSING_IN_MIRROR,
    Kind.GHOST_IN_MIRROR: pb.DIVERGENCE_KIND_GHOST_IN_MIRROR,
    Kind.MIRROR_AHEAD: pb.DIVERGENCE_KIND_MIRROR_AHEAD,
    Kind.QUERY_MISMATCH: pb.DIVERGENCE_KIND_QUERY_MISMATCH,
    Kind.ERROR_PARITY: pb.DIVERGENCE_KIND_ERROR_PARITY,
    Kind.REPRESENTATION: pb.DIVERGENCE_KIND_REPRESENTATION,
    Kind.QUERY_WINDOW: pb.DIVERGENCE_KIND_QUERY_WINDOW,
    Kind.BYPASS: pb.DIVERGENCE_KIND_BYPASS,
}
STATES = {
    "open": pb.DIVERGENCE_STATE_OPEN,
    "rechecking": pb.DIVERGENCE_STATE_RECHECKING,
    "repaired": pb.DIVERGENCE_STATE_REPAIRED,
    "closed": pb.DIVERGENCE_STATE_CLOSED,
}
BREAKERS = {
    "closed": pb.MirrorHealth.CLOSED,
    "open": pb.MirrorHealth.OPEN,
    "half_open": pb.MirrorHealth.HALF_OPEN,
}
INDEX_KINDS = {IndexKind.LOCAL: pb.Index.LOCAL, IndexKind.GLOBAL: pb.Index.GLOBAL}
DROPPED = frozenset(("DROPPED", "OVERTAKEN", "UNCOPIED"))
"""Shadow reads that were not compared; UNAVAILABLE ones could not be."""


def read_stage(value: pb.Stage, field: str) -> Stage:
    """The stage of an enum value. Raises BadRequest for none, and for what this server does not know."""
    stage = next((stage for stage, number in STAGES.items() if number == value), None)
    if stage is None:
        raise fault("a stage is required", Reason.INVALID_ARGUMENT, field)
    return stage


def read_kind(value: pb.DivergenceKind) -> str:
    """The core's name of a kind, or empty for any. Raises BadRequest for what this server does not know."""
    if value == pb.DIVERGENCE_KIND_UNSPECIFIED:
        return ""
    kind = next((kind for kind, number in KINDS.items() if number == value), None)
    if kind is None:
        raise fault("this server records no divergence of that kind", Reason.INVALID_ARGUMENT, "kind")
    return kind.value


def read_state(value: pb.DivergenceState) -> str:
    """The core's name of a state, or empty for any. Raises BadRequest for what this server does not know."""
    if value == pb.DIVERGENCE_STATE_UNSPECIFIED:
        return ""
    state = next((state for state, number in STATES.items() if number == value), None)
    if state is None:
        raise fault("this server knows no such state", Reason.INVALID_ARGUMENT, "state")
    return state


def write_collection(target: pb.Collection, status: CollectionStatus, step: Step) -> None:
    """Fill in all of a collection but its counts and jobs; `step` is that of a change, if one is running."""
    flag = status.flag
    target.stage = STAGES[flag.stage]
    target.epoch = flag.epoch
    target.primary = STORES[flag.stage.primary]
    target.stage_time.CopyFrom(moment(flag.published_at))
    _write_declaration(target, status.collection)
    _write_mirror(target.mirror, flag.stage, status.mirror, status.jobs.get("feed"))
    if flag.change is not None:
        _write_change(target.change, flag, flag.change)
        target.change.step = STEPS[step]


def write_counts(target: pb.Counts, status: CollectionStatus) -> None:
    """Fill in the counts of documents and comparisons."""
    mongo = status.estimates.get(StoreName.MONGODB)
    dynamo = status.estimates.get(StoreName.DYNAMODB)
    if mongo is not None:
        target.mongo_documents = mongo
    if dynamo is not None:
        target.dynamo_documents = dynamo
    outcomes = status.mirror.shadow_outcomes
    target.shadow_matched = outcomes.get(Kind.MATCH.value, 0)
    target.shadow_dropped = sum(outcomes.get(name, 0) for name in DROPPED)
    target.shadow_compared = sum(outcomes.get(kind.value, 0) for kind in Kind if kind is not Kind.UNAVAILABLE)
    target.open_divergences = sum(status.divergences.values())


def write_report(target: pb.MoveStageResponse, report: MoveReport) -> None:
    """Fill in what a move did, or would do, but for the collection."""
    target.moved = report.executed
    target.hold.CopyFrom(duration(report.hold_ms))
    for check in report.checks:
        _write_check(target.checks.add(), check)
    for name, milliseconds in report.steps_ms.items():
        step = target.steps.add()
        step.step = STEPS[Step(name)]
        step.duration.CopyFrom(duration(milliseconds))


def write_replica(target: pb.Replica, replica: Replica, statuses: Mapping[str, CollectionStatus]) -> None:
    """Fill in a replica; the epoch it acts upon is known where it has seen the newest flag, else 0."""
    target.id = replica.id
    target.address = replica.address
    target.alive = replica.is_alive
    for name, serial in sorted(replica.seen.items()):
        known = target.collections.add()
        known.collection = name
        status = statuses.get(name)
        if status is None:
            continue
        flag = status.flag
        known.epoch = flag.epoch if serial >= flag.serial else 0
        known.held = flag.change is not None and replica.held.get(name) == flag.change.id


def _write_declaration(target: pb.Collection, collection: Collection) -> None:
    target.name = collection.name
    target.mongo_namespace = f"{collection.mongo_database}.{collection.mongo_collection}"
    target.dynamo_table = collection.table
    target.partition_key.extend(field.name for field in collection.key.partition)
    target.sort_key.extend(field.name for field in collection.key.sort)
    for index in collection.indexes:
        _write_index(target.indexes.add(), index)
    settings = collection.settings
    target.settings.shadow_rate = settings.shadow_rate
    target.settings.mirror_timeout.CopyFrom(duration(settings.mirror_timeout * 1000))
    target.settings.allow_scan = settings.allow_scan
    target.settings.allow_eventual = settings.allow_eventual
    target.settings.redacted_paths.extend(settings.redact)


def _write_index(target: pb.Index, index: Index) -> None:
    target.name = index.name
    target.kind = INDEX_KINDS.get(index.kind, pb.Index.KIND_UNSPECIFIED)
    target.partition_key.extend(field.name for field in index.partition)
    target.sort_key.extend(field.name for field in index.sort)


def _write_mirror(target: pb.MirrorHealth, stage: Stage, health: MirrorHealth, feed: Job | None) -> None:
    target.SetInParent()
    if stage.mirror is not None:
        target.store = STORES[stage.mirror]
        target.breaker = BREAKERS[health.breaker]
        _write_lag(target, feed)
    target.applied = health.applied
    target.deferred = health.deferred
    target.last_error = health.last_error
    if health.last_error_at:
        target.last_error_time.CopyFrom(moment(health.last_error_at))


def _write_lag(target: pb.MirrorHealth, feed: Job | None) -> None:
    """What the reconciler last said, if it has said anything."""
    if feed is not None and "lag_ms" in feed.counts:
        target.lag.CopyFrom(duration(feed.counts["lag_ms"]))
        target.pending = feed.counts.get("lag_documents", 0)


def _write_change(target: pb.Change, flag: Flag, change: Change) -> None:
    target.from_stage = STAGES[flag.stage]
    target.to_stage = STAGES[change.target]
    target.start_time.CopyFrom(moment(change.started_at))
    target.coordinator = change.coordinator
    target.reason = change.reason


def _write_check(target: pb.Check, check: GateCheck) -> None:
    target.name = check.name
    target.result = pb.Check.PASSED if check.passed else pb.Check.FAILED
    target.evidence = check.evidence
    target.overridable = check.overridable


def moment(milliseconds: int) -> Timestamp:
    """A time as protobuf has it."""
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def duration(milliseconds: float) -> Duration:
    """A span of time as protobuf has it."""
    nanoseconds = round(milliseconds * 1_000_000)
    return Duration(seconds=nanoseconds // 1_000_000_000, nanos=nanoseconds % 1_000_000_000)
