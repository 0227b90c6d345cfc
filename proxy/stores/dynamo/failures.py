"""What every answer of DynamoDB, and every silence, means: one table (facts: "Error mapping").

    NotSent          no connection, so nothing happened
    ReplyLost        sent and not answered (or not legibly): a write may have been applied
    ConditionFailed  the condition of a write was not true: an answer rather than a failure

The first two are turned into Unavailable by the transport; the third never leaves the stores of this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxy.core.errors import (
    BadRequest,
    Broken,
    Contended,
    CrossfadeError,
    Outcome,
    Overloaded,
    Reason,
    Refused,
    Unavailable,
)
from proxy.stores.dynamo.values import Item


class NotSent(Exception):
    """The request did not leave: no connection could be made or had."""


class ReplyLost(Exception):
    """The request may have arrived; there is no answer that could be trusted."""


class ConditionFailed(Exception):
    """The condition was false; `item` is what is stored (None: nothing, or it was not asked for).

    `is_after_loss`: an earlier attempt at the same write was not answered; what is stored may be its doing.
    """

    def __init__(self, item: Item | None, is_after_loss: bool = False) -> None:
        super().__init__("the condition of a write was not true")
        self.item = item
        self.is_after_loss = is_after_loss


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer: the status and the JSON object ({} where there is none)."""

    status: int
    payload: dict[str, Any]

    @property
    def error_name(self) -> str:
        return str(self.payload.get("__type", "")).rpartition("#")[2]

    @property
    def message(self) -> str:
        return str(self.payload.get("message") or self.payload.get("Message") or f"HTTP {self.status}")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error says: which of ours it is, and whether the same request may do better soon."""

    error: type[CrossfadeError]
    reason: Reason
    outcome: Outcome = Outcome.NOT_APPLIED
    is_passing: bool = False


_THROTTLED = Meaning(Overloaded, Reason.STORE_THROTTLED, is_passing=True)
_BUSY = Meaning(Contended, Reason.CONTENTION, is_passing=True)
_OUR_CREDENTIALS = Meaning(Broken, Reason.INTERNAL)
_OUR_FAULT = Meaning(Broken, Reason.INTERNAL)
_MISSING = Meaning(Refused, Reason.STORE_REJECTED)
_UNKNOWN = Meaning(Unavailable, Reason.STORE_UNAVAILABLE, Outcome.UNKNOWN, is_passing=True)
_NOT_SENT = Meaning(Unavailable, Reason.STORE_UNAVAILABLE, is_passing=True)

MEANINGS: dict[str, Meaning] = {
    "ThrottlingException": _THROTTLED,
    "ProvisionedThroughputExceededException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "LimitExceededException": _THROTTLED,
    "TransactionConflictException": _BUSY,
    "ReplicatedWriteConflictException": _BUSY,
    "TransactionInProgressException": _BUSY,
    "IdempotentParameterMismatchException": _OUR_FAULT,
    "SerializationException": _OUR_FAULT,
    "ItemCollectionSizeLimitExceededException": Meaning(Refused, Reason.STORE_REJECTED),
    "ResourceNotFoundException": _MISSING,
    "ResourceInUseException": Meaning(Refused, Reason.STORE_REJECTED),
    "AccessDeniedException": _OUR_CREDENTIALS,
    "UnrecognizedClientException": _OUR_CREDENTIALS,
    "InvalidSignatureException": _OUR_CREDENTIALS,
    "IncompleteSignatureException": _OUR_CREDENTIALS,
    "ExpiredTokenException": _OUR_CREDENTIALS,
    "MissingAuthenticationTokenException": _OUR_CREDENTIALS,
    "MissingAuthenticationToken": _OUR_CREDENTIALS,
    "InternalServerError": _UNKNOWN,
    "InternalFailure": _UNKNOWN,
    "ServiceUnavailable": _UNKNOWN,
    "ServiceUnavailableException": _UNKNOWN,
}

_VALIDATION: Sequence[tuple[str, Reason]] = (
    ("Item size has exceeded", Reason.DOCUMENT_TOO_LARGE),
    ("Item size to update has exceeded", Reason.DOCUMENT_TOO_LARGE),
    ("Nesting Levels have exceeded", Reason.DOCUMENT_TOO_DEEP),
    ("Type mismatch for Index Key", Reason.INDEX_FIELD_TYPE),
    ("secondary index key", Reason.INDEX_FIELD_TYPE),
    ("Invalid attribute value type", Reason.INDEX_FIELD_TYPE),
    ("Size of hashkey has exceeded", Reason.KEY_TOO_LONG),
    ("size of rangekey has exceeded", Reason.KEY_TOO_LONG),
)


def meaning_of(reply: Reply) -> Meaning:
    """What an unsuccessful answer means."""
    known = MEANINGS.get(reply.error_name)
    if known is not None:
        return known
    if reply.error_name == "ValidationException":
        return Meaning(BadRequest, _validation_reason(reply.message))
    if reply.error_name == "TransactionCanceledException":
        return _cancelled(reply.payload.get("CancellationReasons") or [])
    return _UNKNOWN if reply.status >= 500 else _OUR_FAULT


def meaning_of_silence(silence: NotSent | ReplyLost) -> Meaning:
    """What it means that there is no answer."""
    return _NOT_SENT if isinstance(silence, NotSent) else _UNKNOWN


def _validation_reason(message: str) -> Reason:
    for part, reason in _VALIDATION:
        if part.lower() in message.lower():
            return reason
    return Reason.STORE_REJECTED


def _cancelled(reasons: Sequence[dict[str, Any]]) -> Meaning:
    """A transaction failed as a whole: by the first reason that is one."""
    codes = {str(reason.get("Code", "None")) for reason in reasons}
    if codes & {"ThrottlingError", "ProvisionedThroughputExceeded"}:
        return _THROTTLED
    if "ValidationError" in codes:
        return Meaning(BadRequest, Reason.STORE_REJECTED)
    return _BUSY
