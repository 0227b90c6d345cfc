"""What would let somebody in by an oversight: listening to a network that is not asked who it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from proxy.core.place import host_of, is_loopback


class Entrances(Protocol):
    """Where a proxy listens, and what callers have to show there; the settings of these names."""

    @property
    def listen(self) -> str: ...

    @property
    def insecure(self) -> bool: ...

    @property
    def console(self) -> str: ...

    @property
    def console_exposed(self) -> bool: ...

    @property
    def tls_cert(self) -> str: ...

    @property
    def tls_key(self) -> str: ...

    @property
    def tls_client_ca(self) -> str: ...

    @property
    def access(self) -> str: ...

    @property
    def static_tokens(self) -> str: ...

    @property
    def jwks(self) -> str: ...

    @property
    def jwt_issuer(self) -> str: ...

    @property
    def jwt_audience(self) -> str: ...


def openings(entrances: Entrances) -> Iterator[str]:
    """A sentence for each oversight, and for each setting that says only half of what it must."""
    yield from _beyond_loopback(entrances)
    yield from _halves(entrances)


def lacks(entrances: Entrances) -> str:
    """What this proxy lacks to listen to a network, in words; empty where it lacks nothing."""
    if not entrances.access:
        return "and asks nobody who they are (CROSSFADE_ACCESS)"
    return "" if entrances.tls_cert else "in the clear, where tokens can be read (CROSSFADE_TLS_CERT)"


def _beyond_loopback(entrances: Entrances) -> Iterator[str]:
    missing = lacks(entrances)
    for variable, address, allowance, is_allowed in (
        ("CROSSFADE_LISTEN", entrances.listen, "CROSSFADE_INSECURE", entrances.insecure),
        ("CROSSFADE_CONSOLE", entrances.console, "CROSSFADE_CONSOLE_EXPOSED", entrances.console_exposed),
    ):
        if address and missing and not is_allowed and not is_loopback(host_of(address)):
            yield (
                f"{variable} is {address!r}, beyond loopback, {missing}: "
                f"set {allowance}=true if that is what you want"
            )


def _halves(entrances: Entrances) -> Iterator[str]:
    has_tokens = bool(entrances.static_tokens or entrances.jwks)
    if bool(entrances.tls_cert) != bool(entrances.tls_key) or (
        entrances.tls_client_ca and not entrances.tls_cert
    ):
        yield "CROSSFADE_TLS_CERT and CROSSFADE_TLS_KEY go together, and CROSSFADE_TLS_CLIENT_CA with both"
    if has_tokens and not entrances.access:
        yield "CROSSFADE_ACCESS is needed where there are tokens: a token alone gives no role"
    if entrances.access and not (has_tokens or entrances.tls_client_ca):
        yield (
            "CROSSFADE_ACCESS lets nobody in without CROSSFADE_STATIC_TOKENS, CROSSFADE_JWKS or "
            "CROSSFADE_TLS_CLIENT_CA"
        )
    if len({bool(entrances.jwks), bool(entrances.jwt_issuer), bool(entrances.jwt_audience)}) > 1:
        yield "CROSSFADE_JWKS, CROSSFADE_JWT_ISSUER and CROSSFADE_JWT_AUDIENCE go together"
