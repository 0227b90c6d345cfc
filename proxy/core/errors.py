"""Every failure a caller can see is one of these classes, with a reason, an outcome and the field at fault.

The class says what the caller should do, the reason says what went wrong::

    CrossfadeError
    ├── BadRequest        change the request             INVALID_ARGUMENT
    ├── Refused           change the state first         FAILED_PRECONDITION
    ├── Unauthenticated   say who you are                UNAUTHENTICATED
    ├── PermissionDenied  have somebody grant it         PERMISSION_DENIED
    ├── NotFound          there is no such thing         NOT_FOUND
    ├── AlreadyExists     a live document has this key   ALREADY_EXISTS
    ├── Contended         read again, then retry         ABORTED
    ├── Overloaded        retry after a pause            RESOURCE_EXHAUSTED
    ├── Unavailable       retry                          UNAVAILABLE
    │   └── Fenced        the writer's epoch is over     (caught inside, surfaces as UNAVAILABLE)
    ├── DeadlineExceeded  retry with the same request id DEADLINE_EXCEEDED
    ├── Unsupported       not offered                    UNIMPLEMENTED
    └── Broken            our fault, or our credentials  INTERNAL

Nothing else may cross a port: adapters translate every driver exception (facts: "Error mapping").
"""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """What a failed call means for the data."""

    NOT_APPLIED = "NOT_APPLIED"
    APPLIED = "APPLIED"
    UNKNOWN = "UNKNOWN"


class Reason(Enum):
    """Why a call failed; names are those of `crossfade.v1.ErrorReason` without its prefix."""

    UNKNOWN_COLLECTION = "UNKNOWN_COLLECTION"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    INVALID_FIELD = "INVALID_FIELD"
    KEY_FIELD_MISSING = "KEY_FIELD_MISSING"
    KEY_FIELD_CHANGED = "KEY_FIELD_CHANGED"
    KEY_FIELD_TYPE = "KEY_FIELD_TYPE"
    KEY_TOO_LONG = "KEY_TOO_LONG"
    DOCUMENT_TOO_LARGE = "DOCUMENT_TOO_LARGE"
    DOCUMENT_TOO_DEEP = "DOCUMENT_TOO_DEEP"
    INDEX_FIELD_TYPE = "INDEX_FIELD_TYPE"
    INVALID_FILTER = "INVALID_FILTER"
    INVALID_UPDATE = "INVALID_UPDATE"
    CONFLICTING_PATHS = "CONFLICTING_PATHS"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"
    NO_INDEX = "NO_INDEX"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    CONTENTION = "CONTENTION"
    HELD = "HELD"
    FENCED = "FENCED"
    STAGE_NOT_ALLOWED = "STAGE_NOT_ALLOWED"
    GATE_CLOSED = "GATE_CLOSED"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    STORE_THROTTLED = "STORE_THROTTLED"
    STORE_REJECTED = "STORE_REJECTED"
    DEADLINE = "DEADLINE"
    MIRROR_UNCONFIRMED = "MIRROR_UNCONFIRMED"
    OVERLOADED = "OVERLOADED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"


class CrossfadeError(Exception):
    """The root of the tree; `str(error)` is one sentence for people.

    `field` is a dotted path in the request ("" when no single field is at fault), `op` the 16 bytes
    that identify the write (empty for reads), `retry_after` seconds to wait before a retry or None.
    """

    reason = Reason.INTERNAL
    outcome = Outcome.NOT_APPLIED

    def __init__(
        self,
        message: str,
        reason: Reason | None = None,
        *,
        field: str = "",
        outcome: Outcome | None = None,
        op: bytes = b"",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.outcome = outcome or type(self).outcome
        self.field = field
        self.op = op
        self.retry_after = retry_after


class BadRequest(CrossfadeError):
    reason = Reason.INVALID_ARGUMENT


class Refused(CrossfadeError):
    reason = Reason.STAGE_NOT_ALLOWED


class Unauthenticated(CrossfadeError):
    reason = Reason.UNAUTHENTICATED


class PermissionDenied(CrossfadeError):
    reason = Reason.PERMISSION_DENIED


class NotFound(CrossfadeError):
    reason = Reason.NOT_FOUND


class AlreadyExists(CrossfadeError):
    reason = Reason.ALREADY_EXISTS


class Contended(CrossfadeError):
    reason = Reason.CONTENTION


class Overloaded(CrossfadeError):
    reason = Reason.OVERLOADED


class Unavailable(CrossfadeError):
    reason = Reason.STORE_UNAVAILABLE


class Fenced(Unavailable):
    """The store, or the document itself, refuses writes of this epoch: reload the flag and go again."""

    reason = Reason.FENCED


class DeadlineExceeded(CrossfadeError):
    reason = Reason.DEADLINE
    outcome = Outcome.UNKNOWN


class Unsupported(CrossfadeError):
    reason = Reason.UNIMPLEMENTED


class Broken(CrossfadeError):
    reason = Reason.INTERNAL
