"""Every driver exception becomes one of `core.errors`, with its outcome (facts: "Error mapping").

A write whose reply was lost, or whose majority was not confirmed, is UNKNOWN: whoever sent it reads again.
"""

from __future__ import annotations

from types import TracebackType

from bson.errors import BSONError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from proxy.core.errors import (
    AlreadyExists,
    BadRequest,
    Broken,
    Contended,
    CrossfadeError,
    DeadlineExceeded,
    Outcome,
    Overloaded,
    Reason,
    Refused,
    Unavailable,
)

BAD_VALUE = 2
IMMUTABLE_FIELD = 66
VALIDATION_FAILED = 121
EMPTY_RANGE = 51175
MAX_TIME_EXPIRED = 50
LOCK_TIMEOUT = 24
NAMESPACE_EXISTS = 48
CURSOR_NOT_FOUND = 43

_UNSAID = frozenset(
    {64, 79, 91, 100, 189, 10058, 10107, 11600, 11602, 13435, 13436, 6, 7, 89, 9001, 262, 317}
)
"""Not writable, stepping down, shutting down, no majority, network: a write may have been applied."""
_CONFLICTS = frozenset({112, 225, 251, 246})
_TOO_LARGE = frozenset({10334, 17419, 17420, 17280})
_UNACCEPTABLE = frozenset({2, 9, 14, 16, 22, 28, 40, 51, 52, 53, 54, 55, 56, 57, 58, 59, 66, 16837, 17287})
_CREDENTIALS = frozenset({13, 18, 8000})
_MISSING = frozenset({26, 27})


DRIVER_ERRORS = (PyMongoError, BSONError, OverflowError, UnicodeError)
"""What the driver and its codec raise."""


class Translated:
    """`with Translated(op, is_write=True):` around driver calls."""

    __slots__ = ("_is_write", "_op")

    def __init__(self, op: bytes = b"", *, is_write: bool = False) -> None:
        self._op = op
        self._is_write = is_write

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DRIVER_ERRORS):
            raise translate(error, self._op, is_write=self._is_write) from error


def translate(error: Exception, op: bytes = b"", *, is_write: bool) -> CrossfadeError:
    """The error that a driver's exception means to the proxy."""
    lost = Outcome.UNKNOWN if is_write else Outcome.NOT_APPLIED
    if isinstance(error, WriteConcernError):
        return Unavailable("MongoDB did not confirm the write by a majority", outcome=lost, op=op)
    if isinstance(error, OperationFailure):
        return _of_reply(error, lost, op)
    if isinstance(error, WaitQueueTimeoutError):
        return Overloaded("no connection to MongoDB was free in time", op=op, retry_after=0.1)
    if isinstance(error, ServerSelectionTimeoutError):
        return Unavailable("MongoDB has no primary that answers", op=op)
    if isinstance(error, NetworkTimeout):
        return Unavailable("MongoDB did not answer in time", outcome=lost, op=op)
    if isinstance(error, ConnectionFailure):
        return Unavailable("the connection to MongoDB was lost", outcome=lost, op=op)
    if isinstance(error, DocumentTooLarge):
        return BadRequest("the document is too large for MongoDB", Reason.DOCUMENT_TOO_LARGE, op=op)
    if isinstance(error, InvalidOperation | ConfigurationError):
        return Broken(f"the MongoDB driver was used wrongly: {error}", op=op)
    return BadRequest(f"not a value that MongoDB can hold: {error}", Reason.INVALID_FIELD, op=op)


def code_of(error: Exception) -> int:
    """MongoDB's number for what went wrong, 0 where the error is not MongoDB's."""
    return (error.code or 0) if isinstance(error, OperationFailure) else 0


def violated_index(error: DuplicateKeyError) -> tuple[str, ...]:
    """The stored names of the fields of the unique index that refused a write; () where it is not told."""
    details = error.details or {}
    return tuple(details.get("keyPattern", ()))


def _of_reply(error: OperationFailure, lost: Outcome, op: bytes) -> CrossfadeError:
    """What MongoDB's own answer means."""
    code = error.code or 0
    text = _sentence(error)
    if isinstance(error, DuplicateKeyError):
        return AlreadyExists("MongoDB refuses a duplicate in a unique index", op=op)
    if code in _CONFLICTS or error.has_error_label("TransientTransactionError"):
        return Contended("the document was being written by others", op=op)
    if code in _UNSAID:
        return Unavailable(f"MongoDB is changing its primary: {text}", outcome=lost, op=op)
    if code == MAX_TIME_EXPIRED:
        return DeadlineExceeded("MongoDB ran out of the time it was given", outcome=lost, op=op)
    if code == VALIDATION_FAILED:
        return BadRequest("the collection's validator refuses the document", Reason.STORE_REJECTED, op=op)
    if code in _TOO_LARGE:
        return BadRequest("the document is too large for MongoDB", Reason.DOCUMENT_TOO_LARGE, op=op)
    if code == 15:
        return BadRequest("the document is nested too deeply", Reason.DOCUMENT_TOO_DEEP, op=op)
    if code in _MISSING or "hint provided does not correspond" in str(error):
        return Refused(f"MongoDB lacks an index or collection: {text}", Reason.NO_INDEX, op=op)
    if code in _UNACCEPTABLE:
        return BadRequest(f"MongoDB refuses the request: {text}", Reason.STORE_REJECTED, op=op)
    if code in _CREDENTIALS:
        return Broken("MongoDB refuses the proxy's credentials", op=op)
    return Broken(f"MongoDB failed with code {code}: {text}", op=op)


def _sentence(error: OperationFailure) -> str:
    """What the server says is wrong, without the query and the reply, which quote the user's values."""
    said = str(error).split(", full error:")[0].split("caused by :: ")[-1]
    return said.splitlines()[0][:200]
