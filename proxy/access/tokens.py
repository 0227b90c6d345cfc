"""Static tokens for small set-ups: a file of names and of the SHA-256 of each token, never the tokens."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping

from proxy.access.files import AccessError, read_text

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._@-]{1,100})\s+(?P<digest>[0-9a-f]{64})")


def digest_of(token: str) -> str:
    """The SHA-256 of a token, in hex: what files and caches hold in its place."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_token(name: str) -> tuple[str, str]:
    """A fresh token and the line of the file that lets it in. Raises AccessError for no such name."""
    token = secrets.token_urlsafe(32)
    line = f"{name} {digest_of(token)}"
    if not _LINE.fullmatch(line):
        raise AccessError("the name must be 1 to 100 letters, digits and . _ @ -")
    return token, line


def read_tokens(path: str) -> Mapping[str, str]:
    """Names by the digests of their tokens; empty lines and lines after # do not count. Raises AccessError.

    A name may have several tokens, so that one can be replaced without a gap; a token has one name.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise AccessError(f"{path}, line {number}: must be a name and the SHA-256 of its token in hex")
        if match["digest"] in names:
            raise AccessError(f"{path}, line {number}: the token is there twice")
        names[match["digest"]] = match["name"]
    return names
