"""The public keys that signed tokens are verified with, from a JWKS file or address.

Invariant: only keys that nobody can sign with but their owner are taken; a set that holds none is refused.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

import jwt

from proxy.access.files import AccessError, read_text

TIMEOUT = 5.0
"""Seconds that an address may take to answer."""

MAX_BYTES = 1024 * 1024

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""All of them have a private and a public key; `none` and shared secrets are not among them."""


def is_address(place: str) -> bool:
    return place.startswith(("https://", "http://"))


def read_keys(place: str) -> Mapping[str, jwt.PyJWK]:
    """The keys by their ids; blocks while an address is asked. Raises AccessError."""
    text = _fetch(place) if is_address(place) else read_text(place)
    try:
        listed = json.loads(text)["keys"]
        keys = {str(key["kid"]): jwt.PyJWK(key) for key in listed if _is_usable(key)}
    except (ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
        raise AccessError(f"{place} is not a JWKS: {type(error).__name__}") from error
    if not keys:
        raise AccessError(f"{place} has no key with a kid that can verify a signature")
    return keys


def _is_usable(key: Any) -> bool:
    is_for_signatures = key.get("use", "sig") == "sig"
    is_public = key.get("kty") in ("RSA", "EC", "OKP") and "d" not in key
    return is_for_signatures and is_public and "kid" in key and key.get("alg", ALGORITHMS[0]) in ALGORITHMS


def _fetch(place: str) -> str:
    request = urllib.request.Request(place, headers={"Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            data: bytes = answer.read(MAX_BYTES + 1)
    except OSError as error:
        raise AccessError(f"{place} does not answer: {type(error).__name__}") from error
    if len(data) > MAX_BYTES:
        raise AccessError(f"{place} is larger than {MAX_BYTES} bytes")
    return data.decode("utf-8", "replace")
