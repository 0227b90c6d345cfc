"""Turns what a proxy says about a failure into an error of the tree; never raises anything itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import grpc
from google.protobuf.message import DecodeError

from crossfade.errors import (
    CLASS_OF,
    AlreadyExists,
    BadRequest,
    Broken,
    Contended,
    CrossfadeError,
    DeadlineExceeded,
    GateClosed,
    NotFound,
    Outcome,
    Overloaded,
    PermissionDenied,
    Reason,
    Refused,
    Unauthenticated,
    Unreachable,
    Unsupported,
)
from crossfade.v1.error_pb2 import ErrorDetail, Status
from crossfade.v1.migration_pb2 import Check, MoveStageResponse
from crossfade.v1.storage_pb2 import BatchWriteError

TRAILER = "grpc-status-details-bin"

CLASS_OF_STATUS: dict[grpc.StatusCode, type[CrossfadeError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: BadRequest,
    grpc.StatusCode.OUT_OF_RANGE: BadRequest,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.ABORTED: Contended,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.UNAVAILABLE: Unreachable,
    grpc.StatusCode.CANCELLED: Unreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
}
"""What a status means that carries no details: gRPC itself or something on the way made it up."""

_UNSENT = frozenset({BadRequest, Unsupported, Refused, Unauthenticated, PermissionDenied})


def error_from_call(failure: grpc.aio.AioRpcError, *, writes: bool) -> CrossfadeError:
    """The error of a failed call; without details, a write's outcome is UNKNOWN unless refused."""
    status = _status_of(failure)
    detail = ErrorDetail()
    if status is None or not any(any_.Unpack(detail) for any_ in status.details):
        return _bare_error(failure, writes=writes)
    error = error_from_detail(detail, status.message or failure.details() or "", failure.code())
    if isinstance(error, GateClosed):
        error.checks = _checks_in(status)
    return error


def error_from_batch(error: BatchWriteError) -> CrossfadeError:
    """The error of one write of a batch."""
    return error_from_detail(error.detail, error.message, _status_code(error.code))


def error_from_detail(detail: ErrorDetail, message: str, code: grpc.StatusCode) -> CrossfadeError:
    """The error that a detail describes; for a reason of a newer server, by the status."""
    try:
        reason = Reason(detail.reason)
    except ValueError:
        reason = Reason.UNSPECIFIED
    known = reason is not Reason.UNSPECIFIED
    cls = CLASS_OF[reason] if known else CLASS_OF_STATUS.get(code, Broken)
    return cls(
        message or reason.name,
        reason,
        outcome=Outcome(detail.outcome) if detail.outcome in (1, 2, 3) else Outcome.UNKNOWN,
        op=detail.op,
        collection=detail.collection,
        field=detail.field,
        hint=detail.hint,
        retry_after=detail.retry_after_ms / 1000 if detail.retry_after_ms else None,
    )


def _status_of(failure: grpc.aio.AioRpcError) -> Status | None:
    for key, value in cast(Iterable[tuple[str, str | bytes]], failure.trailing_metadata() or ()):
        if key == TRAILER and isinstance(value, bytes):
            try:
                return Status.FromString(value)
            except DecodeError:
                return None
    return None


def _bare_error(failure: grpc.aio.AioRpcError, *, writes: bool) -> CrossfadeError:
    cls = CLASS_OF_STATUS.get(failure.code(), Broken)
    is_certain = not writes or cls in _UNSENT
    return cls(
        failure.details() or failure.code().name,
        outcome=Outcome.NOT_APPLIED if is_certain else Outcome.UNKNOWN,
    )


def _checks_in(status: Status) -> tuple[Check, ...]:
    response = MoveStageResponse()
    found = any(any_.Unpack(response) for any_ in status.details)
    return tuple(response.checks) if found else ()


def _status_code(number: int) -> grpc.StatusCode:
    return next((code for code in grpc.StatusCode if code.value[0] == number), grpc.StatusCode.UNKNOWN)
