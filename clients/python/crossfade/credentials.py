"""What a client shows of itself, and by what it knows the proxy: TLS and tokens."""

from __future__ import annotations

from pathlib import Path

import grpc


def tls_credentials(
    *, ca: str | Path | None = None, cert: str | Path | None = None, key: str | Path | None = None
) -> grpc.ChannelCredentials:
    """Credentials of files (PEM) for a proxy that is served by TLS.

    `ca` holds the authorities by which the proxy is known, the system's if left out. `cert` and `key`
    are the client's own, where the proxy asks for them. Raises OSError for a file that cannot be
    read, ValueError for one of the two without the other.
    """
    if (cert is None) != (key is None):
        raise ValueError("a client's certificate needs its key, and the key its certificate")
    return grpc.ssl_channel_credentials(_bytes_of(ca), _bytes_of(key), _bytes_of(cert))


def bearer(token: str | None) -> tuple[tuple[str, str], ...]:
    """The headers that show a token. Raises ValueError, without the token, where it cannot be one."""
    if not token:
        return ()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("the token has characters that no token has")
    return (("authorization", f"Bearer {token}"),)


def _bytes_of(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
