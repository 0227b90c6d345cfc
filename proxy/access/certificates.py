"""The certificate and key that the proxy shows, and whose certificates it takes; read again when replaced.

Invariant: a handshake gets a certificate and the key that belongs to it; halves of two pairs are never used.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from proxy.access.files import AccessError, Kept, mark_of

_log = logging.getLogger("crossfade.access")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files: our certificate chain, its key, and who vouches for clients' (empty: nobody is
    asked for one)."""

    certificate: str
    key: str
    client_authority: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for path in (self.certificate, self.key, self.client_authority) if path)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the files held together, and a server's context made of it; `repr` shows none of it."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    client_authority: bytes | None = field(repr=False)
    context: ssl.SSLContext = field(repr=False)


class Certificates:
    """The newest pair that fits; one that does not is logged, and the one before goes on."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises AccessError where the files cannot be read or do not fit."""
        self._files = files
        self._shown = Kept(files.paths, lambda: _read(files))

    @property
    def asks_clients(self) -> bool:
        """Whether a client has to show a certificate of its own."""
        return self._files.client_authority != ""

    def newest(self) -> Shown:
        """What is to be shown now; looks at the files' times, and reads only what has changed."""
        try:
            if self._shown.refresh():
                _log.info("certificates replaced", extra={"certificate": self._files.certificate})
        except AccessError as error:
            _log.error("the certificates stay as they were: %s", error)
        return self._shown.value

    def context(self) -> ssl.SSLContext:
        """A server's context whose every handshake uses the newest pair; it asks no client for one."""
        first = _context(self._files)

        def choose(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
            connection.context = self.newest().context

        first.sni_callback = choose
        return first


def _read(files: TlsFiles) -> Shown:
    before = mark_of(*files.paths)
    context = _context(files)  # raises where they do not fit
    shown = Shown(
        _bytes_of(files.certificate),
        _bytes_of(files.key),
        _bytes_of(files.client_authority) if files.client_authority else None,
        context,
    )
    if mark_of(*files.paths) != before:
        raise AccessError("they are being replaced")
    return shown


def _bytes_of(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {error.strerror}") from error


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
    except OSError as error:  # ssl.SSLError is one
        raise AccessError(f"{files.certificate} and {files.key} are not a certificate and its key") from error
    return context
