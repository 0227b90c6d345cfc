"""Errors of the core as gRPC statuses with details: one table from class to code, one from reason to advice.

An exception that is no `CrossfadeError` is a fault of the proxy: it is logged with its traceback under a
random id, and the client learns that id and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import secrets

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from crossfade.v1 import error_pb2
from proxy.core import errors
from proxy.core.errors import Broken, CrossfadeError, Outcome, Reason, Unavailable

TRAILER = "grpc-status-details-bin"
MAX_TEXT = 1000
"""Characters of a message or hint that are sent: gRPC's clients accept 8 KB of metadata in all."""
MAX_EXTRA = 4096
"""Bytes of a further detail (the checks of a gate) that are sent at most."""

_log = logging.getLogger("crossfade.api")

CODES: dict[type[CrossfadeError], grpc.StatusCode] = {
    errors.CrossfadeError: grpc.StatusCode.INTERNAL,
    errors.BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Refused: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Contended: grpc.StatusCode.ABORTED,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Fenced: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Unsupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.Broken: grpc.StatusCode.INTERNAL,
}

HINTS: dict[Reason, str] = {
    Reason.UNKNOWN_COLLECTION: "Declare the collection in the proxy's collections file, or correct its name.",
    Reason.INVALID_ARGUMENT: "Correct the field that is named.",
    Reason.INVALID_FIELD: "Correct the field that is named.",
    Reason.KEY_FIELD_MISSING: "Give a value to every key field of the collection.",
    Reason.KEY_FIELD_CHANGED: "Delete the document and insert another: keys never change.",
    Reason.KEY_FIELD_TYPE: "Send the type that the collection declares for the field.",
    Reason.KEY_TOO_LONG: "Shorten the key: 2048 bytes of partition key, 1024 bytes of sort key.",
    Reason.DOCUMENT_TOO_LARGE: "Keep documents under DynamoDB's 400 KB, names and type hints included.",
    Reason.DOCUMENT_TOO_DEEP: "Flatten the document.",
    Reason.INDEX_FIELD_TYPE: "Leave the field out to keep the document out of the index.",
    Reason.INVALID_FILTER: "Correct the filter.",
    Reason.INVALID_UPDATE: "Correct the update.",
    Reason.CONFLICTING_PATHS: "Let only one operator touch a path or a part of it.",
    Reason.INVALID_PAGE_TOKEN: "Start again at the first page, with the same collection, filter and order.",
    Reason.NO_INDEX: "Declare an index for the query, or allow scans.",
    Reason.NOT_FOUND: "Check the name.",
    Reason.ALREADY_EXISTS: "Replace or update the document that has this key.",
    Reason.ETAG_MISMATCH: "Read again, then decide again.",
    Reason.CONTENTION: "Retry after a short random pause.",
    Reason.HELD: "Retry: the primary is changing.",
    Reason.FENCED: "Retry: the replica is learning of a newer epoch.",
    Reason.STAGE_NOT_ALLOWED: "Move one stage at a time, once no other change is running.",
    Reason.GATE_CLOSED: "Make the failed checks pass, or override them with a reason.",
    Reason.STORE_UNAVAILABLE: "Retry with the same request id.",
    Reason.STORE_THROTTLED: "Retry after a pause, and raise the table's capacity if this lasts.",
    Reason.STORE_REJECTED: "Look at the store: a validator, a missing table or a permission refuses this.",
    Reason.DEADLINE: "Retry with the same request id and a longer deadline.",
    Reason.MIRROR_UNCONFIRMED: "Retry with the same request id.",
    Reason.OVERLOADED: "Retry after a pause.",
    Reason.UNAUTHENTICATED: "Send a token that is valid now, or present a client certificate.",
    Reason.PERMISSION_DENIED: "Ask for a grant of the role that is named, in the proxy's access file.",
    Reason.UNIMPLEMENTED: "Use a newer proxy, or another call.",
    Reason.INTERNAL: "Look for the id in the proxy's log.",
}
"""What to do, a sentence a reason; docs/errors.md says the same."""

_OUTCOMES = {
    Outcome.NOT_APPLIED: error_pb2.OUTCOME_NOT_APPLIED,
    Outcome.APPLIED: error_pb2.OUTCOME_APPLIED,
    Outcome.UNKNOWN: error_pb2.OUTCOME_UNKNOWN,
}


def code_of(error: CrossfadeError) -> grpc.StatusCode:
    """The gRPC status code of an error: that of its class, or of the nearest class above it."""
    return next(CODES[cls] for cls in type(error).__mro__ if cls in CODES)


def reason_number(reason: Reason) -> error_pb2.ErrorReason:
    """The contract's number for a reason."""
    return error_pb2.ErrorReason.Value(  # type: ignore[return-value] # an int at run time
        f"ERROR_REASON_{reason.name}"
    )


def detail_of(error: CrossfadeError, collection: str = "") -> error_pb2.ErrorDetail:
    """What an error means to the program that gets it."""
    return error_pb2.ErrorDetail(
        reason=reason_number(error.reason),
        outcome=_OUTCOMES[error.outcome],
        op=error.op,
        collection=collection[:MAX_TEXT],
        field=error.field[:MAX_TEXT],
        hint=_hint_of(error)[:MAX_TEXT],
        retry_after_ms=round(error.retry_after * 1000) if error.retry_after else 0,
    )


def status_of(error: CrossfadeError, collection: str = "", *extra: Message) -> bytes:
    """The trailer's bytes: a Status whose details begin with one ErrorDetail; google.rpc.RetryInfo follows
    where a retry makes sense after a while."""
    code = code_of(error)
    status = error_pb2.Status(code=code.value[0], message=error.message[:MAX_TEXT])
    status.details.add().Pack(detail_of(error, collection))
    if error.retry_after:
        pause = error_details_pb2.RetryInfo()
        pause.retry_delay.FromMilliseconds(round(error.retry_after * 1000))
        status.details.add().Pack(pause)
    for message in extra:
        if message.ByteSize() <= MAX_EXTRA:
            status.details.add().Pack(message)
    return status.SerializeToString()


def classify(exception: BaseException, *, writes: bool) -> CrossfadeError:
    """The error that a client gets for any exception; unexpected ones are logged here, with their id."""
    if isinstance(exception, CrossfadeError):
        return exception
    outcome = Outcome.UNKNOWN if writes else Outcome.NOT_APPLIED
    if isinstance(exception, asyncio.CancelledError):
        return Unavailable("the call was cancelled", Reason.STORE_UNAVAILABLE, outcome=outcome)
    incident = secrets.token_hex(8)
    _log.error("unexpected failure %s", incident, exc_info=exception, extra={"incident": incident})
    return Broken(f"the proxy failed; its log has the details under {incident}", outcome=outcome)


def _hint_of(error: CrossfadeError) -> str:
    """The planner's own remedies for a missing index, else the reason's advice."""
    remedy = error.message.partition("; ")[2] if error.reason is Reason.NO_INDEX else ""
    return remedy or HINTS[error.reason]
