"""Every call that fails raises one of these, and each says why, whether the write happened, and
what to do.

The class says what the program should do, the reason says what went wrong::

    CrossfadeError
    ├── BadRequest             change the request
    │   ├── InvalidDocument    ... the document, its key or one of its fields
    │   ├── InvalidFilter      ... the filter
    │   └── InvalidUpdate      ... the update
    ├── Refused                change the state of affairs first
    │   ├── NoIndex            ... declare the index that `hint` names
    │   └── GateClosed         ... look at `checks`
    ├── Unauthenticated        send a valid token, or present a certificate
    ├── PermissionDenied       have the role granted that the call needs
    ├── NotFound               there is no such thing (never a document: that is a result)
    │   └── UnknownCollection
    ├── AlreadyExists          a document has this key
    ├── Contended              others write the same document; repeat
    │   └── EtagMismatch       ... but read again first
    ├── Overloaded             repeat after `retry_after` seconds
    ├── Unavailable            repeat
    │   └── Unreachable        no proxy answered at all
    ├── DeadlineExceeded       the time was too short
    ├── Unsupported            not offered
    ├── Broken                 a fault of the proxy
    └── BulkWriteError         some writes of a batch failed; see `errors`

`outcome` is what the program must act on after a failed write: NOT_APPLIED and APPLIED are certain,
UNKNOWN means that only a call with the same request id may be repeated without risk.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossfade.results import BulkWriteResult
    from crossfade.v1.migration_pb2 import Check


class Outcome(Enum):
    """Whether a write that failed was applied. The numbers are those of `crossfade.v1.Outcome`."""

    NOT_APPLIED = 1
    APPLIED = 2
    UNKNOWN = 3


class Reason(Enum):
    """Why a call failed. The names and numbers are those of `crossfade.v1.ErrorReason`."""

    UNSPECIFIED = 0
    UNKNOWN_COLLECTION = 1
    INVALID_FIELD = 2
    KEY_FIELD_MISSING = 3
    KEY_FIELD_CHANGED = 4
    KEY_FIELD_TYPE = 5
    KEY_TOO_LONG = 6
    DOCUMENT_TOO_LARGE = 7
    DOCUMENT_TOO_DEEP = 8
    INDEX_FIELD_TYPE = 9
    INVALID_FILTER = 10
    INVALID_UPDATE = 11
    CONFLICTING_PATHS = 12
    INVALID_PAGE_TOKEN = 13
    INVALID_ARGUMENT = 14
    NO_INDEX = 15
    NOT_FOUND = 16
    ALREADY_EXISTS = 17
    ETAG_MISMATCH = 18
    CONTENTION = 19
    HELD = 20
    FENCED = 21
    STAGE_NOT_ALLOWED = 22
    GATE_CLOSED = 23
    STORE_UNAVAILABLE = 24
    STORE_THROTTLED = 25
    STORE_REJECTED = 26
    DEADLINE = 27
    MIRROR_UNCONFIRMED = 28
    OVERLOADED = 29
    UNIMPLEMENTED = 30
    INTERNAL = 31
    UNAUTHENTICATED = 32
    PERMISSION_DENIED = 33


class CrossfadeError(Exception):
    """The root of the tree; `str(error)` is one sentence for people, with the hint.

    `op` is the 16-byte id of the write (empty for reads), `collection` and `field` name what is at
    fault ("" if nothing in particular), `retry_after` is seconds or None.
    """

    is_transient = False
    """Whether the same call, repeated, may well succeed."""

    def __init__(
        self,
        message: str,
        reason: Reason = Reason.UNSPECIFIED,
        *,
        outcome: Outcome = Outcome.NOT_APPLIED,
        op: bytes = b"",
        collection: str = "",
        field: str = "",
        hint: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.outcome = outcome
        self.op = op
        self.collection = collection
        self.field = field
        self.hint = hint
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class BadRequest(CrossfadeError):
    """The request can never succeed as it is."""


class InvalidDocument(BadRequest):
    """The document, its key or one of its fields cannot be stored."""


class InvalidFilter(BadRequest):
    """The filter is malformed."""


class InvalidUpdate(BadRequest):
    """The update is malformed, or does not fit the document that it meets."""


class Refused(CrossfadeError):
    """The request is well-formed, but the state of affairs forbids it."""


class NoIndex(Refused):
    """No declared index serves the query; `hint` names the one to declare."""


class GateClosed(Refused):
    """A stage was not moved because checks failed; `checks` holds all of them with their evidence."""

    checks: Sequence[Check] = ()


class Unauthenticated(CrossfadeError):
    """The proxy asks who calls, and the token or the certificate does not tell."""


class PermissionDenied(CrossfadeError):
    """The caller does not have the role that the call needs for this collection."""


class NotFound(CrossfadeError):
    """What the call names does not exist."""


class UnknownCollection(NotFound):
    """No collection of that name is configured in the proxy."""


class AlreadyExists(CrossfadeError):
    """A document of that key exists: PyMongo's DuplicateKeyError."""


class Contended(CrossfadeError):
    """Too many writers of one document, or another change of the stage."""

    is_transient = True


class EtagMismatch(Contended):
    """The document has changed, or is gone, since its etag was read."""

    is_transient = False


class Overloaded(CrossfadeError):
    """The proxy or the primary sheds load."""

    is_transient = True


class Unavailable(CrossfadeError):
    """The primary cannot be reached, is changing, or could not confirm the write."""

    is_transient = True


class Unreachable(Unavailable):
    """No proxy answered, or the connection broke before the answer."""


class DeadlineExceeded(CrossfadeError):
    """The call's time ran out."""


class Unsupported(CrossfadeError):
    """Crossfade does not offer this."""


class Broken(CrossfadeError):
    """A fault of the proxy, or an answer that is not from a proxy."""


class BulkWriteError(CrossfadeError):
    """Some writes of a batch failed: `errors` maps their positions to why, `result` tells of the
    others.

    The outcome is UNKNOWN if that of any write is, else NOT_APPLIED: of the failed writes, that is.
    """

    def __init__(self, errors: dict[int, CrossfadeError], result: BulkWriteResult) -> None:
        position, first = next(iter(errors.items()))
        unknown = any(error.outcome is Outcome.UNKNOWN for error in errors.values())
        super().__init__(
            f"{len(errors)} writes of the batch failed; the first at position {position}: {first}",
            first.reason,
            outcome=Outcome.UNKNOWN if unknown else Outcome.NOT_APPLIED,
            op=first.op,
            collection=first.collection,
            field=first.field,
        )
        self.errors = errors
        self.result = result


CLASS_OF: dict[Reason, type[CrossfadeError]] = {
    Reason.UNSPECIFIED: CrossfadeError,
    Reason.UNKNOWN_COLLECTION: UnknownCollection,
    Reason.INVALID_FIELD: InvalidDocument,
    Reason.KEY_FIELD_MISSING: InvalidDocument,
    Reason.KEY_FIELD_CHANGED: InvalidDocument,
    Reason.KEY_FIELD_TYPE: InvalidDocument,
    Reason.KEY_TOO_LONG: InvalidDocument,
    Reason.DOCUMENT_TOO_LARGE: InvalidDocument,
    Reason.DOCUMENT_TOO_DEEP: InvalidDocument,
    Reason.INDEX_FIELD_TYPE: InvalidDocument,
    Reason.INVALID_FILTER: InvalidFilter,
    Reason.INVALID_UPDATE: InvalidUpdate,
    Reason.CONFLICTING_PATHS: InvalidUpdate,
    Reason.INVALID_PAGE_TOKEN: BadRequest,
    Reason.INVALID_ARGUMENT: BadRequest,
    Reason.NO_INDEX: NoIndex,
    Reason.NOT_FOUND: NotFound,
    Reason.ALREADY_EXISTS: AlreadyExists,
    Reason.ETAG_MISMATCH: EtagMismatch,
    Reason.CONTENTION: Contended,
    Reason.HELD: Unavailable,
    Reason.FENCED: Unavailable,
    Reason.STAGE_NOT_ALLOWED: Refused,
    Reason.GATE_CLOSED: GateClosed,
    Reason.STORE_UNAVAILABLE: Unavailable,
    Reason.STORE_THROTTLED: Overloaded,
    Reason.STORE_REJECTED: Refused,
    Reason.DEADLINE: DeadlineExceeded,
    Reason.MIRROR_UNCONFIRMED: Unavailable,
    Reason.OVERLOADED: Overloaded,
    Reason.UNIMPLEMENTED: Unsupported,
    Reason.INTERNAL: Broken,
    Reason.UNAUTHENTICATED: Unauthenticated,
    Reason.PERMISSION_DENIED: PermissionDenied,
}
"""Which class a reason raises. Complete: a test compares it with the contract."""
