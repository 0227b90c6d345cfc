"""AWS Signature Version 4 for DynamoDB's JSON protocol, with a signing key kept for the day.

Source: "Create a signed AWS API request", IAM User Guide. The header names are fixed, so the canonical
request is one template; only the body's hash, the time and the operation vary.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

_SERVICE = "dynamodb"
DYNAMODB = "DynamoDB_20120810."
STREAMS = "DynamoDBStreams_20120810."
_TYPE = "application/x-amz-json-1.0"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What requests are signed with; `token` is empty for long-lived keys."""

    access_key: str
    secret_key: str
    token: str = ""


class Signer:
    """Signs requests to one host in one region; `target` names the API there."""

    def __init__(self, host: str, region: str, target: str = DYNAMODB) -> None:
        self._host = host
        self._target = target
        self._region = region
        self._key = b""
        self._key_for: tuple[str, str] | None = None
        self._second = -1
        self._stamp = ""

    def headers(self, operation: str, body: bytes, credentials: Credentials, now: float) -> dict[str, str]:
        """Every header of a POST of `body` at `now` (seconds since 1970)."""
        stamp = self._stamp_at(int(now))
        target = self._target + operation
        token_line, token_name = "", ""
        if credentials.token:
            token_line = f"x-amz-security-token:{credentials.token}\n"
            token_name = "x-amz-security-token;"
        names = f"content-type;host;x-amz-date;{token_name}x-amz-target"
        canonical = (
            f"POST\n/\n\ncontent-type:{_TYPE}\nhost:{self._host}\nx-amz-date:{stamp}\n{token_line}"
            f"x-amz-target:{target}\n\n{names}\n{hashlib.sha256(body).hexdigest()}"
        )
        scope = f"{stamp[:8]}/{self._region}/{_SERVICE}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(self._signing_key(stamp[:8], credentials), to_sign.encode(), "sha256").hex()
        headers = {
            "Host": self._host,
            "Content-Type": _TYPE,
            "X-Amz-Date": stamp,
            "X-Amz-Target": target,
            "Accept-Encoding": "identity",
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
                f"SignedHeaders={names}, Signature={signature}"
            ),
        }
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
        return headers

    def _stamp_at(self, second: int) -> str:
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
        return self._stamp

    def _signing_key(self, day: str, credentials: Credentials) -> bytes:
        if self._key_for != (day, credentials.secret_key):
            key = ("AWS4" + credentials.secret_key).encode()
            for part in (day, self._region, _SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._key_for = key, (day, credentials.secret_key)
        return self._key
