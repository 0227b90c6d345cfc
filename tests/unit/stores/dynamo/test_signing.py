"""The signature is botocore's own, header for header, with and without a session token."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from proxy.stores.dynamo.signing import Credentials, Signer

HOST = "dynamodb.eu-west-1.amazonaws.com"


def botocore_authorization(headers: dict[str, str], body: bytes, credentials: Credentials, now: float) -> str:
    signed = ("Host", "Content-Type", "X-Amz-Target")
    request = AWSRequest("POST", f"https://{HOST}/", {name: headers[name] for name in signed}, body)
    frozen = BotoCredentials(credentials.access_key, credentials.secret_key, credentials.token or None)
    with patch("botocore.auth.get_current_datetime") as clock:
        clock.return_value = datetime.fromtimestamp(now, UTC)
        SigV4Auth(frozen, "dynamodb", "eu-west-1").add_auth(request)
    authorization: str = request.headers["Authorization"]
    return authorization


@pytest.mark.parametrize("token", ["", "a/session+token=="])
def test_it_is_botocores_signature(token: str) -> None:
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token)
    signer = Signer(HOST, "eu-west-1")
    for now in (1_500_283_380.9, 1_500_283_381.0, 1_500_400_000.0):  # the second, and the day, change
        headers = signer.headers("PutItem", b'{"TableName":"t"}', credentials, now)
        expected = botocore_authorization(headers, b'{"TableName":"t"}', credentials, now)
        assert headers["Authorization"] == expected
        assert headers.get("X-Amz-Security-Token", "") == token


def test_other_credentials_have_another_signature() -> None:
    signer = Signer(HOST, "eu-west-1")
    first = signer.headers("PutItem", b"{}", Credentials("A", "one"), 1e9)
    assert (
        first["Authorization"]
        != signer.headers("PutItem", b"{}", Credentials("A", "two"), 1e9)["Authorization"]
    )
    assert first == signer.headers("PutItem", b"{}", Credentials("A", "one"), 1e9)
