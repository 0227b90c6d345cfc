import datetime

from crossfade.v1 import document_pb2 as _document_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_MONGO_ONLY: _ClassVar[Stage]
    STAGE_MONGO_PRIMARY: _ClassVar[Stage]
    STAGE_DYNAMO_PRIMARY: _ClassVar[Stage]
    STAGE_DYNAMO_ONLY: _ClassVar[Stage]

class Store(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STORE_UNSPECIFIED: _ClassVar[Store]
    STORE_MONGODB: _ClassVar[Store]
    STORE_DYNAMODB: _ClassVar[Store]

class Step(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_UNSPECIFIED: _ClassVar[Step]
    STEP_CHECK: _ClassVar[Step]
    STEP_HOLD: _ClassVar[Step]
    STEP_FENCE: _ClassVar[Step]
    STEP_DRAIN: _ClassVar[Step]
    STEP_PUBLISH: _ClassVar[Step]
    STEP_ABORT: _ClassVar[Step]

class JobKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_KIND_UNSPECIFIED: _ClassVar[JobKind]
    JOB_KIND_BACKFILL: _ClassVar[JobKind]
    JOB_KIND_VERIFY: _ClassVar[JobKind]
    JOB_KIND_FEED: _ClassVar[JobKind]
    JOB_KIND_SAMPLE: _ClassVar[JobKind]

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_RUNNING: _ClassVar[JobState]
    JOB_STATE_FINISHED: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_PAUSED: _ClassVar[JobState]

class DivergenceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIVERGENCE_KIND_UNSPECIFIED: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_STUCK_LAG: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_TRUE_MISMATCH: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_VERSION_CONFLICT: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_MISSING_IN_MIRROR: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_GHOST_IN_MIRROR: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_REPRESENTATION: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_QUERY_WINDOW: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_EVENTUAL: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_ERROR_PARITY: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_UNSUPPORTED: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_BYPASS: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_MIRROR_AHEAD: _ClassVar[DivergenceKind]
    DIVERGENCE_KIND_QUERY_MISMATCH: _ClassVar[DivergenceKind]

class DivergenceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIVERGENCE_STATE_UNSPECIFIED: _ClassVar[DivergenceState]
    DIVERGENCE_STATE_OPEN: _ClassVar[DivergenceState]
    DIVERGENCE_STATE_RECHECKING: _ClassVar[DivergenceState]
    DIVERGENCE_STATE_REPAIRED: _ClassVar[DivergenceState]
    DIVERGENCE_STATE_CLOSED: _ClassVar[DivergenceState]

class DivergenceSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIVERGENCE_SOURCE_UNSPECIFIED: _ClassVar[DivergenceSource]
    DIVERGENCE_SOURCE_SHADOW_READ: _ClassVar[DivergenceSource]
    DIVERGENCE_SOURCE_RECONCILER: _ClassVar[DivergenceSource]
    DIVERGENCE_SOURCE_VERIFY: _ClassVar[DivergenceSource]
STAGE_UNSPECIFIED: Stage
STAGE_MONGO_ONLY: Stage
STAGE_MONGO_PRIMARY: Stage
STAGE_DYNAMO_PRIMARY: Stage
STAGE_DYNAMO_ONLY: Stage
STORE_UNSPECIFIED: Store
STORE_MONGODB: Store
STORE_DYNAMODB: Store
STEP_UNSPECIFIED: Step
STEP_CHECK: Step
STEP_HOLD: Step
STEP_FENCE: Step
STEP_DRAIN: Step
STEP_PUBLISH: Step
STEP_ABORT: Step
JOB_KIND_UNSPECIFIED: JobKind
JOB_KIND_BACKFILL: JobKind
JOB_KIND_VERIFY: JobKind
JOB_KIND_FEED: JobKind
JOB_KIND_SAMPLE: JobKind
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_FINISHED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_PAUSED: JobState
DIVERGENCE_KIND_UNSPECIFIED: DivergenceKind
DIVERGENCE_KIND_STUCK_LAG: DivergenceKind
DIVERGENCE_KIND_TRUE_MISMATCH: DivergenceKind
DIVERGENCE_KIND_VERSION_CONFLICT: DivergenceKind
DIVERGENCE_KIND_MISSING_IN_MIRROR: DivergenceKind
DIVERGENCE_KIND_GHOST_IN_MIRROR: DivergenceKind
DIVERGENCE_KIND_REPRESENTATION: DivergenceKind
DIVERGENCE_KIND_QUERY_WINDOW: DivergenceKind
DIVERGENCE_KIND_EVENTUAL: DivergenceKind
DIVERGENCE_KIND_ERROR_PARITY: DivergenceKind
DIVERGENCE_KIND_UNSUPPORTED: DivergenceKind
DIVERGENCE_KIND_BYPASS: DivergenceKind
DIVERGENCE_KIND_MIRROR_AHEAD: DivergenceKind
DIVERGENCE_KIND_QUERY_MISMATCH: DivergenceKind
DIVERGENCE_STATE_UNSPECIFIED: DivergenceState
DIVERGENCE_STATE_OPEN: DivergenceState
DIVERGENCE_STATE_RECHECKING: DivergenceState
DIVERGENCE_STATE_REPAIRED: DivergenceState
DIVERGENCE_STATE_CLOSED: DivergenceState
DIVERGENCE_SOURCE_UNSPECIFIED: DivergenceSource
DIVERGENCE_SOURCE_SHADOW_READ: DivergenceSource
DIVERGENCE_SOURCE_RECONCILER: DivergenceSource
DIVERGENCE_SOURCE_VERIFY: DivergenceSource

class Collection(_message.Message):
    __slots__ = ("name", "stage", "epoch", "primary", "stage_time", "mongo_namespace", "dynamo_table", "partition_key", "sort_key", "indexes", "settings", "mirror", "counts", "change", "jobs", "rehearsal")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    STAGE_TIME_FIELD_NUMBER: _ClassVar[int]
    MONGO_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    DYNAMO_TABLE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_KEY_FIELD_NUMBER: _ClassVar[int]
    SORT_KEY_FIELD_NUMBER: _ClassVar[int]
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    REHEARSAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    stage: Stage
    epoch: int
    primary: Store
    stage_time: _timestamp_pb2.Timestamp
    mongo_namespace: str
    dynamo_table: str
    partition_key: _containers.RepeatedScalarFieldContainer[str]
    sort_key: _containers.RepeatedScalarFieldContainer[str]
    indexes: _containers.RepeatedCompositeFieldContainer[Index]
    settings: CollectionSettings
    mirror: MirrorHealth
    counts: Counts
    change: Change
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    rehearsal: Rehearsal
    def __init__(self, name: _Optional[str] = ..., stage: _Optional[_Union[Stage, str]] = ..., epoch: _Optional[int] = ..., primary: _Optional[_Union[Store, str]] = ..., stage_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., mongo_namespace: _Optional[str] = ..., dynamo_table: _Optional[str] = ..., partition_key: _Optional[_Iterable[str]] = ..., sort_key: _Optional[_Iterable[str]] = ..., indexes: _Optional[_Iterable[_Union[Index, _Mapping]]] = ..., settings: _Optional[_Union[CollectionSettings, _Mapping]] = ..., mirror: _Optional[_Union[MirrorHealth, _Mapping]] = ..., counts: _Optional[_Union[Counts, _Mapping]] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ..., rehearsal: _Optional[_Union[Rehearsal, _Mapping]] = ...) -> None: ...

class Index(_message.Message):
    __slots__ = ("name", "kind", "partition_key", "sort_key")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Index.Kind]
        LOCAL: _ClassVar[Index.Kind]
        GLOBAL: _ClassVar[Index.Kind]
    KIND_UNSPECIFIED: Index.Kind
    LOCAL: Index.Kind
    GLOBAL: Index.Kind
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PARTITION_KEY_FIELD_NUMBER: _ClassVar[int]
    SORT_KEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: Index.Kind
    partition_key: _containers.RepeatedScalarFieldContainer[str]
    sort_key: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[Index.Kind, str]] = ..., partition_key: _Optional[_Iterable[str]] = ..., sort_key: _Optional[_Iterable[str]] = ...) -> None: ...

class CollectionSettings(_message.Message):
    __slots__ = ("shadow_rate", "mirror_timeout", "allow_scan", "allow_eventual", "best_effort_rollback", "redacted_paths")
    SHADOW_RATE_FIELD_NUMBER: _ClassVar[int]
    MIRROR_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_SCAN_FIELD_NUMBER: _ClassVar[int]
    ALLOW_EVENTUAL_FIELD_NUMBER: _ClassVar[int]
    BEST_EFFORT_ROLLBACK_FIELD_NUMBER: _ClassVar[int]
    REDACTED_PATHS_FIELD_NUMBER: _ClassVar[int]
    shadow_rate: float
    mirror_timeout: _duration_pb2.Duration
    allow_scan: bool
    allow_eventual: bool
    best_effort_rollback: bool
    redacted_paths: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, shadow_rate: _Optional[float] = ..., mirror_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., allow_scan: _Optional[bool] = ..., allow_eventual: _Optional[bool] = ..., best_effort_rollback: _Optional[bool] = ..., redacted_paths: _Optional[_Iterable[str]] = ...) -> None: ...

class MirrorHealth(_message.Message):
    __slots__ = ("store", "breaker", "applied", "deferred", "lag", "pending", "last_error", "last_error_time")
    class Breaker(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        BREAKER_UNSPECIFIED: _ClassVar[MirrorHealth.Breaker]
        CLOSED: _ClassVar[MirrorHealth.Breaker]
        OPEN: _ClassVar[MirrorHealth.Breaker]
        HALF_OPEN: _ClassVar[MirrorHealth.Breaker]
    BREAKER_UNSPECIFIED: MirrorHealth.Breaker
    CLOSED: MirrorHealth.Breaker
    OPEN: MirrorHealth.Breaker
    HALF_OPEN: MirrorHealth.Breaker
    STORE_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    DEFERRED_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_TIME_FIELD_NUMBER: _ClassVar[int]
    store: Store
    breaker: MirrorHealth.Breaker
    applied: int
    deferred: int
    lag: _duration_pb2.Duration
    pending: int
    last_error: str
    last_error_time: _timestamp_pb2.Timestamp
    def __init__(self, store: _Optional[_Union[Store, str]] = ..., breaker: _Optional[_Union[MirrorHealth.Breaker, str]] = ..., applied: _Optional[int] = ..., deferred: _Optional[int] = ..., lag: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., pending: _Optional[int] = ..., last_error: _Optional[str] = ..., last_error_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Counts(_message.Message):
    __slots__ = ("mongo_documents", "dynamo_documents", "shadow_compared", "shadow_matched", "shadow_dropped", "open_divergences")
    MONGO_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    DYNAMO_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SHADOW_COMPARED_FIELD_NUMBER: _ClassVar[int]
    SHADOW_MATCHED_FIELD_NUMBER: _ClassVar[int]
    SHADOW_DROPPED_FIELD_NUMBER: _ClassVar[int]
    OPEN_DIVERGENCES_FIELD_NUMBER: _ClassVar[int]
    mongo_documents: int
    dynamo_documents: int
    shadow_compared: int
    shadow_matched: int
    shadow_dropped: int
    open_divergences: int
    def __init__(self, mongo_documents: _Optional[int] = ..., dynamo_documents: _Optional[int] = ..., shadow_compared: _Optional[int] = ..., shadow_matched: _Optional[int] = ..., shadow_dropped: _Optional[int] = ..., open_divergences: _Optional[int] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("from_stage", "to_stage", "step", "start_time", "coordinator", "reason")
    FROM_STAGE_FIELD_NUMBER: _ClassVar[int]
    TO_STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    from_stage: Stage
    to_stage: Stage
    step: Step
    start_time: _timestamp_pb2.Timestamp
    coordinator: str
    reason: str
    def __init__(self, from_stage: _Optional[_Union[Stage, str]] = ..., to_stage: _Optional[_Union[Stage, str]] = ..., step: _Optional[_Union[Step, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., coordinator: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Rehearsal(_message.Message):
    __slots__ = ("id", "state", "actor", "reason", "start_time", "return_time", "end_time", "hold_there", "hold_back", "failed_returns", "shadow_compared", "shadow_matched", "shadow_dropped", "divergences")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Rehearsal.State]
        RUNNING: _ClassVar[Rehearsal.State]
        RETURNED: _ClassVar[Rehearsal.State]
        REPORTED: _ClassVar[Rehearsal.State]
    STATE_UNSPECIFIED: Rehearsal.State
    RUNNING: Rehearsal.State
    RETURNED: Rehearsal.State
    REPORTED: Rehearsal.State
    class DivergencesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    RETURN_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    HOLD_THERE_FIELD_NUMBER: _ClassVar[int]
    HOLD_BACK_FIELD_NUMBER: _ClassVar[int]
    FAILED_RETURNS_FIELD_NUMBER: _ClassVar[int]
    SHADOW_COMPARED_FIELD_NUMBER: _ClassVar[int]
    SHADOW_MATCHED_FIELD_NUMBER: _ClassVar[int]
    SHADOW_DROPPED_FIELD_NUMBER: _ClassVar[int]
    DIVERGENCES_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: Rehearsal.State
    actor: str
    reason: str
    start_time: _timestamp_pb2.Timestamp
    return_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    hold_there: _duration_pb2.Duration
    hold_back: _duration_pb2.Duration
    failed_returns: int
    shadow_compared: int
    shadow_matched: int
    shadow_dropped: int
    divergences: _containers.ScalarMap[str, int]
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[Rehearsal.State, str]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., return_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., hold_there: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., hold_back: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., failed_returns: _Optional[int] = ..., shadow_compared: _Optional[int] = ..., shadow_matched: _Optional[int] = ..., shadow_dropped: _Optional[int] = ..., divergences: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ListCollectionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCollectionsResponse(_message.Message):
    __slots__ = ("collections", "next_page_token")
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collections: _containers.RepeatedCompositeFieldContainer[Collection]
    next_page_token: str
    def __init__(self, collections: _Optional[_Iterable[_Union[Collection, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetCollectionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class MoveStageRequest(_message.Message):
    __slots__ = ("collection", "target", "dry_run", "reason", "override", "epoch")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    collection: str
    target: Stage
    dry_run: bool
    reason: str
    override: bool
    epoch: int
    def __init__(self, collection: _Optional[str] = ..., target: _Optional[_Union[Stage, str]] = ..., dry_run: _Optional[bool] = ..., reason: _Optional[str] = ..., override: _Optional[bool] = ..., epoch: _Optional[int] = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ("collection", "dry_run", "reason", "override", "epoch")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    collection: str
    dry_run: bool
    reason: str
    override: bool
    epoch: int
    def __init__(self, collection: _Optional[str] = ..., dry_run: _Optional[bool] = ..., reason: _Optional[str] = ..., override: _Optional[bool] = ..., epoch: _Optional[int] = ...) -> None: ...

class RehearseRequest(_message.Message):
    __slots__ = ("collection", "duration", "dry_run", "reason", "override", "epoch")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    collection: str
    duration: _duration_pb2.Duration
    dry_run: bool
    reason: str
    override: bool
    epoch: int
    def __init__(self, collection: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., dry_run: _Optional[bool] = ..., reason: _Optional[str] = ..., override: _Optional[bool] = ..., epoch: _Optional[int] = ...) -> None: ...

class AbortRequest(_message.Message):
    __slots__ = ("collection", "reason")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    collection: str
    reason: str
    def __init__(self, collection: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class AbortResponse(_message.Message):
    __slots__ = ("collection", "aborted")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    ABORTED_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    aborted: bool
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ..., aborted: _Optional[bool] = ...) -> None: ...

class MoveStageResponse(_message.Message):
    __slots__ = ("collection", "checks", "moved", "hold", "steps")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    checks: _containers.RepeatedCompositeFieldContainer[Check]
    moved: bool
    hold: _duration_pb2.Duration
    steps: _containers.RepeatedCompositeFieldContainer[StepTiming]
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ..., checks: _Optional[_Iterable[_Union[Check, _Mapping]]] = ..., moved: _Optional[bool] = ..., hold: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[StepTiming, _Mapping]]] = ...) -> None: ...

class Check(_message.Message):
    __slots__ = ("name", "result", "evidence", "overridable")
    class Result(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RESULT_UNSPECIFIED: _ClassVar[Check.Result]
        PASSED: _ClassVar[Check.Result]
        FAILED: _ClassVar[Check.Result]
        NOT_APPLICABLE: _ClassVar[Check.Result]
    RESULT_UNSPECIFIED: Check.Result
    PASSED: Check.Result
    FAILED: Check.Result
    NOT_APPLICABLE: Check.Result
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    OVERRIDABLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    result: Check.Result
    evidence: str
    overridable: bool
    def __init__(self, name: _Optional[str] = ..., result: _Optional[_Union[Check.Result, str]] = ..., evidence: _Optional[str] = ..., overridable: _Optional[bool] = ...) -> None: ...

class StepTiming(_message.Message):
    __slots__ = ("step", "duration")
    STEP_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    step: Step
    duration: _duration_pb2.Duration
    def __init__(self, step: _Optional[_Union[Step, str]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("collection", "kind", "state", "clean", "counts", "epoch", "start_time", "update_time", "message", "total", "done", "rate", "workers", "remaining", "coverage", "differing_at_most", "max_rate", "max_write_units")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CLEAN_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_AT_MOST_FIELD_NUMBER: _ClassVar[int]
    MAX_RATE_FIELD_NUMBER: _ClassVar[int]
    MAX_WRITE_UNITS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    kind: JobKind
    state: JobState
    clean: bool
    counts: _containers.ScalarMap[str, int]
    epoch: int
    start_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    message: str
    total: int
    done: int
    rate: float
    workers: int
    remaining: _duration_pb2.Duration
    coverage: float
    differing_at_most: float
    max_rate: float
    max_write_units: float
    def __init__(self, collection: _Optional[str] = ..., kind: _Optional[_Union[JobKind, str]] = ..., state: _Optional[_Union[JobState, str]] = ..., clean: _Optional[bool] = ..., counts: _Optional[_Mapping[str, int]] = ..., epoch: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ..., total: _Optional[int] = ..., done: _Optional[int] = ..., rate: _Optional[float] = ..., workers: _Optional[int] = ..., remaining: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., coverage: _Optional[float] = ..., differing_at_most: _Optional[float] = ..., max_rate: _Optional[float] = ..., max_write_units: _Optional[float] = ...) -> None: ...

class StartJobRequest(_message.Message):
    __slots__ = ("collection", "kind", "max_rate", "max_write_units", "sample_share", "anew", "only_resume", "reason")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MAX_RATE_FIELD_NUMBER: _ClassVar[int]
    MAX_WRITE_UNITS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_SHARE_FIELD_NUMBER: _ClassVar[int]
    ANEW_FIELD_NUMBER: _ClassVar[int]
    ONLY_RESUME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    collection: str
    kind: JobKind
    max_rate: float
    max_write_units: float
    sample_share: float
    anew: bool
    only_resume: bool
    reason: str
    def __init__(self, collection: _Optional[str] = ..., kind: _Optional[_Union[JobKind, str]] = ..., max_rate: _Optional[float] = ..., max_write_units: _Optional[float] = ..., sample_share: _Optional[float] = ..., anew: _Optional[bool] = ..., only_resume: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class PauseJobRequest(_message.Message):
    __slots__ = ("collection", "kind", "reason")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    collection: str
    kind: JobKind
    reason: str
    def __init__(self, collection: _Optional[str] = ..., kind: _Optional[_Union[JobKind, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class RepairRequest(_message.Message):
    __slots__ = ("collection", "divergences", "kind", "last_verify", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    DIVERGENCES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LAST_VERIFY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    divergences: _containers.RepeatedScalarFieldContainer[str]
    kind: DivergenceKind
    last_verify: bool
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., divergences: _Optional[_Iterable[str]] = ..., kind: _Optional[_Union[DivergenceKind, str]] = ..., last_verify: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class RepairResponse(_message.Message):
    __slots__ = ("looked", "closed", "results", "unequal", "unnamed", "next_page_token")
    class ResultsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    LOOKED_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    UNEQUAL_FIELD_NUMBER: _ClassVar[int]
    UNNAMED_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    looked: int
    closed: int
    results: _containers.ScalarMap[str, int]
    unequal: int
    unnamed: int
    next_page_token: str
    def __init__(self, looked: _Optional[int] = ..., closed: _Optional[int] = ..., results: _Optional[_Mapping[str, int]] = ..., unequal: _Optional[int] = ..., unnamed: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ExplainDivergenceRequest(_message.Message):
    __slots__ = ("collection", "id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    id: str
    def __init__(self, collection: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("divergence", "looked", "agrees", "primary_version", "mirror_version", "differences", "primary_operations", "mirror_operations", "cause", "advice")
    DIVERGENCE_FIELD_NUMBER: _ClassVar[int]
    LOOKED_FIELD_NUMBER: _ClassVar[int]
    AGREES_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_VERSION_FIELD_NUMBER: _ClassVar[int]
    MIRROR_VERSION_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    MIRROR_OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    divergence: Divergence
    looked: bool
    agrees: bool
    primary_version: Version
    mirror_version: Version
    differences: _containers.RepeatedCompositeFieldContainer[FieldDifference]
    primary_operations: _containers.RepeatedCompositeFieldContainer[SeenOperation]
    mirror_operations: _containers.RepeatedCompositeFieldContainer[SeenOperation]
    cause: str
    advice: str
    def __init__(self, divergence: _Optional[_Union[Divergence, _Mapping]] = ..., looked: _Optional[bool] = ..., agrees: _Optional[bool] = ..., primary_version: _Optional[_Union[Version, _Mapping]] = ..., mirror_version: _Optional[_Union[Version, _Mapping]] = ..., differences: _Optional[_Iterable[_Union[FieldDifference, _Mapping]]] = ..., primary_operations: _Optional[_Iterable[_Union[SeenOperation, _Mapping]]] = ..., mirror_operations: _Optional[_Iterable[_Union[SeenOperation, _Mapping]]] = ..., cause: _Optional[str] = ..., advice: _Optional[str] = ...) -> None: ...

class SeenOperation(_message.Message):
    __slots__ = ("op", "seen_by_other")
    OP_FIELD_NUMBER: _ClassVar[int]
    SEEN_BY_OTHER_FIELD_NUMBER: _ClassVar[int]
    op: bytes
    seen_by_other: bool
    def __init__(self, op: _Optional[bytes] = ..., seen_by_other: _Optional[bool] = ...) -> None: ...

class ListDivergencesRequest(_message.Message):
    __slots__ = ("collection", "kind", "state", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    kind: DivergenceKind
    state: DivergenceState
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., kind: _Optional[_Union[DivergenceKind, str]] = ..., state: _Optional[_Union[DivergenceState, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDivergencesResponse(_message.Message):
    __slots__ = ("divergences", "next_page_token")
    DIVERGENCES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    divergences: _containers.RepeatedCompositeFieldContainer[Divergence]
    next_page_token: str
    def __init__(self, divergences: _Optional[_Iterable[_Union[Divergence, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListAuditEntriesRequest(_message.Message):
    __slots__ = ("collection", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuditEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AuditEntry(_message.Message):
    __slots__ = ("time", "actor", "action", "collection", "reason", "before", "after", "details")
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    actor: str
    action: str
    collection: str
    reason: str
    before: str
    after: str
    details: _struct_pb2.Struct
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., action: _Optional[str] = ..., collection: _Optional[str] = ..., reason: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ..., details: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Divergence(_message.Message):
    __slots__ = ("id", "collection", "key", "kind", "state", "source", "primary", "primary_version", "mirror_version", "differences", "description", "first_seen_time", "last_seen_time", "occurrences", "trace_id", "history")
    ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_VERSION_FIELD_NUMBER: _ClassVar[int]
    MIRROR_VERSION_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    id: str
    collection: str
    key: _document_pb2.Document
    kind: DivergenceKind
    state: DivergenceState
    source: DivergenceSource
    primary: Store
    primary_version: Version
    mirror_version: Version
    differences: _containers.RepeatedCompositeFieldContainer[FieldDifference]
    description: str
    first_seen_time: _timestamp_pb2.Timestamp
    last_seen_time: _timestamp_pb2.Timestamp
    occurrences: int
    trace_id: str
    history: _containers.RepeatedCompositeFieldContainer[DivergenceStep]
    def __init__(self, id: _Optional[str] = ..., collection: _Optional[str] = ..., key: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., kind: _Optional[_Union[DivergenceKind, str]] = ..., state: _Optional[_Union[DivergenceState, str]] = ..., source: _Optional[_Union[DivergenceSource, str]] = ..., primary: _Optional[_Union[Store, str]] = ..., primary_version: _Optional[_Union[Version, _Mapping]] = ..., mirror_version: _Optional[_Union[Version, _Mapping]] = ..., differences: _Optional[_Iterable[_Union[FieldDifference, _Mapping]]] = ..., description: _Optional[str] = ..., first_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., occurrences: _Optional[int] = ..., trace_id: _Optional[str] = ..., history: _Optional[_Iterable[_Union[DivergenceStep, _Mapping]]] = ...) -> None: ...

class DivergenceStep(_message.Message):
    __slots__ = ("time", "state", "replica", "evidence")
    TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    state: DivergenceState
    replica: str
    evidence: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[DivergenceState, str]] = ..., replica: _Optional[str] = ..., evidence: _Optional[str] = ...) -> None: ...

class Version(_message.Message):
    __slots__ = ("epoch", "revision", "op", "tombstone")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    revision: int
    op: bytes
    tombstone: bool
    def __init__(self, epoch: _Optional[int] = ..., revision: _Optional[int] = ..., op: _Optional[bytes] = ..., tombstone: _Optional[bool] = ...) -> None: ...

class FieldDifference(_message.Message):
    __slots__ = ("path", "primary", "mirror", "redacted")
    PATH_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    REDACTED_FIELD_NUMBER: _ClassVar[int]
    path: str
    primary: _document_pb2.Value
    mirror: _document_pb2.Value
    redacted: bool
    def __init__(self, path: _Optional[str] = ..., primary: _Optional[_Union[_document_pb2.Value, _Mapping]] = ..., mirror: _Optional[_Union[_document_pb2.Value, _Mapping]] = ..., redacted: _Optional[bool] = ...) -> None: ...

class ListReplicasRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListReplicasResponse(_message.Message):
    __slots__ = ("replicas", "next_page_token")
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    replicas: _containers.RepeatedCompositeFieldContainer[Replica]
    next_page_token: str
    def __init__(self, replicas: _Optional[_Iterable[_Union[Replica, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetReplicaRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class Replica(_message.Message):
    __slots__ = ("id", "address", "version", "start_time", "heartbeat_time", "alive", "collections")
    ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIME_FIELD_NUMBER: _ClassVar[int]
    ALIVE_FIELD_NUMBER: _ClassVar[int]
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    id: str
    address: str
    version: str
    start_time: _timestamp_pb2.Timestamp
    heartbeat_time: _timestamp_pb2.Timestamp
    alive: bool
    collections: _containers.RepeatedCompositeFieldContainer[ReplicaCollection]
    def __init__(self, id: _Optional[str] = ..., address: _Optional[str] = ..., version: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., heartbeat_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., alive: _Optional[bool] = ..., collections: _Optional[_Iterable[_Union[ReplicaCollection, _Mapping]]] = ...) -> None: ...

class ReplicaCollection(_message.Message):
    __slots__ = ("collection", "epoch", "held")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    collection: str
    epoch: int
    held: bool
    def __init__(self, collection: _Optional[str] = ..., epoch: _Optional[int] = ..., held: _Optional[bool] = ...) -> None: ...
