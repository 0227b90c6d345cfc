"""One call to DynamoDB at little cost (own signing, orjson, one pooled session), repeated only where safe.

A call is one of core.errors or an answer; ConditionFailed is an answer too. A request is repeated after an
attempt whose fate is unknown only if repeating it cannot do harm: reads, and writes under a condition, whose
caller recognises its own earlier write in what the failed condition returns. If any attempt may have been
applied, the outcome of the call's failure is UNKNOWN, whatever the last attempt said.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias
from zlib import crc32

import aiohttp
import orjson
from yarl import URL

from proxy.core.deadline import seconds_left
from proxy.core.errors import CrossfadeError, Outcome
from proxy.core.reading import Pool
from proxy.stores.dynamo.credentials import CredentialSource
from proxy.stores.dynamo.failures import (
    ConditionFailed,
    Meaning,
    NotSent,
    Reply,
    ReplyLost,
    meaning_of,
    meaning_of_silence,
)
from proxy.stores.dynamo.signing import DYNAMODB, STREAMS, Signer

Request: TypeAlias = dict[str, Any]
Attempt: TypeAlias = Callable[[str, Request], Awaitable[Reply]]
Intercept: TypeAlias = Callable[[str, Request, Attempt], Awaitable[Reply]]
"""Stands before every attempt: it may pass it on (changed or not), answer itself, or raise NotSent or
ReplyLost before or after passing it on. For tests and fault injection."""

Spent: TypeAlias = Callable[[str, str, float], None]
"""Told of every answer: the table, "read" or "write", and the capacity units that DynamoDB bills for it."""

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})
_BILLED = _WRITES | frozenset({"GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"})
_SKIPPED_HEADERS = ("User-Agent", "Accept")


@dataclass(frozen=True, slots=True)
class DynamoSettings:
    """How to reach DynamoDB. `endpoint` None is the region's own; durations in seconds.

    With `is_streams` it is DynamoDB Streams that is reached: another API, at another of the region's hosts.
    """

    region: str = "us-east-1"
    endpoint: str | None = None
    profile: str | None = None
    connections: int = 128
    connect_timeout: float = 1.0
    attempt_timeout: float = 2.0
    call_timeout: float = 5.0
    attempts: int = 3
    pause: float = 0.025  # at most, before the second attempt; doubled for each one after
    is_streams: bool = False

    @property
    def url(self) -> URL:
        suffix = ".cn" if self.region.startswith("cn-") else ""
        host = "streams.dynamodb" if self.is_streams else "dynamodb"
        return URL(self.endpoint or f"https://{host}.{self.region}.amazonaws.com{suffix}") / ""

    @property
    def target(self) -> str:
        return STREAMS if self.is_streams else DYNAMODB


class Transport:
    """The connection pool of one process (or of one role in it: shadow reads may have their own)."""

    def __init__(
        self, settings: DynamoSettings, intercept: Intercept | None = None, spent: Spent | None = None
    ) -> None:
        self._settings = settings
        self._intercept = intercept
        self._spent = spent
        self._url = settings.url
        host, port = self._url.host or "", self._url.explicit_port
        self._signer = Signer(f"{host}:{port}" if port else host, settings.region, settings.target)
        self._credentials = CredentialSource(settings.profile)
        self._session: aiohttp.ClientSession | None = None
        self._in_flight = 0

    @property
    def pool(self) -> Pool:
        """How busy the connections are; how many are open and idle the HTTP library does not say."""
        limit = self._settings.connections
        return Pool("aws.dynamodb", min(self._in_flight, limit), None, max(0, self._in_flight - limit), limit)

    def warm_up(self) -> None:
        """Begin what the first call would wait for: to look for credentials."""
        self._credentials.look_soon()

    async def call(self, operation: str, request: Request, timeout: float | None = None) -> dict[str, Any]:
        """The answer of one operation within `timeout` seconds, retries included.

        Raises ConditionFailed, or one of core.errors whose outcome says whether a write may have happened.
        """
        limit = timeout or self._settings.call_timeout
        deadline = time.monotonic() + min(limit, seconds_left() or limit)
        is_repeatable = _is_repeatable(operation, request)
        may_be_applied = False
        if self._spent and operation in _BILLED:
            request = {**request, "ReturnConsumedCapacity": "TOTAL"}
        for attempt in count(1):
            answer = await self._try(operation, request, deadline)
            if isinstance(answer, dict):
                return answer
            if isinstance(answer, ConditionFailed):
                raise ConditionFailed(answer.item, is_after_loss=may_be_applied)
            may_be_applied |= operation in _WRITES and answer.outcome is Outcome.UNKNOWN
            pause = random.uniform(0, self._settings.pause * 2 ** (attempt - 1))
            is_last = attempt >= self._settings.attempts or time.monotonic() + pause > deadline
            is_safe = is_repeatable or answer.outcome is Outcome.NOT_APPLIED
            if is_last or not (answer.is_passing and is_safe):
                raise answer.error(may_be_applied)
            await asyncio.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def close(self) -> None:
        """Close the pool; calls under way fail."""
        if self._session is not None:
            await self._session.close()

    async def _try(
        self, operation: str, request: Request, deadline: float
    ) -> dict[str, Any] | ConditionFailed | _Failure:
        try:
            reply = await self._attempt(operation, request, deadline)
        except (NotSent, ReplyLost) as silence:
            return _Failure(operation, meaning_of_silence(silence), str(silence))
        except CrossfadeError as error:  # there are no credentials to sign with
            return _Failure(operation, Meaning(type(error), error.reason), error.message)
        if reply.status == 200:
            if self._spent:
                self._note_spent(self._spent, operation, reply.payload)
            return reply.payload
        if reply.error_name == "ConditionalCheckFailedException":
            return ConditionFailed(reply.payload.get("Item"))
        return _Failure(operation, meaning_of(reply), reply.message)

    @staticmethod
    def _note_spent(spent: Spent, operation: str, payload: dict[str, Any]) -> None:
        """One table's units, or a list of several tables'; failures do not tell theirs."""
        told = payload.get("ConsumedCapacity") or ()
        for one in (told,) if isinstance(told, dict) else told:
            spent(one["TableName"], "write" if operation in _WRITES else "read", one["CapacityUnits"])

    async def _attempt(self, operation: str, request: Request, deadline: float) -> Reply:
        timeout = max(0.001, min(self._settings.attempt_timeout, deadline - time.monotonic()))
        if self._intercept is None:
            return await self._post(operation, request, timeout)
        return await self._intercept(operation, request, lambda op, req: self._post(op, req, timeout))

    async def _post(self, operation: str, request: Request, timeout: float) -> Reply:
        body = orjson.dumps(request)
        credentials = await self._credentials.current()
        headers = self._signer.headers(operation, body, credentials, time.time())
        limits = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, self._settings.connect_timeout))
        session = self._session or self._open_session()
        self._in_flight += 1
        try:
            async with session.post(self._url, data=body, headers=headers, timeout=limits) as response:
                return _reply(response, await response.read())
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            raise NotSent(f"DynamoDB cannot be reached: {error}") from error
        except TimeoutError as error:
            raise ReplyLost(f"DynamoDB did not answer within {timeout:.2f} s") from error
        except aiohttp.ClientError as error:
            raise ReplyLost(f"the connection to DynamoDB broke: {error!r}") from error
        finally:
            self._in_flight -= 1

    def _open_session(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.connections, keepalive_timeout=20),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SKIPPED_HEADERS,
            auto_decompress=False,
        )
        return self._session


@dataclass(frozen=True, slots=True)
class _Failure:
    """One failed attempt."""

    operation: str
    meaning: Meaning
    message: str

    @property
    def outcome(self) -> Outcome:
        return self.meaning.outcome

    @property
    def is_passing(self) -> bool:
        return self.meaning.is_passing

    def error(self, may_be_applied: bool) -> CrossfadeError:
        outcome = Outcome.UNKNOWN if may_be_applied else Outcome.NOT_APPLIED
        message = f"{self.operation}: {self.message}"
        return self.meaning.error(message, self.meaning.reason, outcome=outcome)


def _is_repeatable(operation: str, request: Request) -> bool:
    """Whether applying the request twice does what applying it once does, for a caller that knows its own."""
    if operation == "TransactWriteItems":
        return "ClientRequestToken" in request
    return operation not in _WRITES or "ConditionExpression" in request


def _reply(response: aiohttp.ClientResponse, body: bytes) -> Reply:
    """Raises ReplyLost where the body did not arrive as it was sent."""
    checksum = response.headers.get("x-amz-crc32")
    if checksum is not None and int(checksum) != crc32(body):
        raise ReplyLost("the answer of DynamoDB was damaged on its way")
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if response.status == 200:
            raise ReplyLost("the answer of DynamoDB is not JSON") from error
        payload = {}
    return Reply(response.status, payload if isinstance(payload, dict) else {})
