"""What callers pass before they are served: who they are, and whether the connection is to be trusted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from proxy.access.certificates import Certificates, TlsFiles
from proxy.access.door import Door, DoorSettings
from proxy.access.files import AccessError
from proxy.access.issuer import Issuer
from proxy.config import ConfigError, ProxyConfig, load_policy
from proxy.core.policy import Policy

_log = logging.getLogger("crossfade")


@dataclass(frozen=True, slots=True)
class Gates:
    """Nothing at all where both are None: nobody is asked, and everything is in the clear."""

    door: Door | None
    certificates: Certificates | None


def open_gates(config: ProxyConfig) -> Gates:
    """The gates that the settings ask for. Raises AccessError."""
    return Gates(_door_of(config), _certificates_of(config))


@asynccontextmanager
async def kept_fresh(gates: Gates) -> AsyncIterator[None]:
    """Within the block, what decides who may come in is read again when it changes."""
    if gates.door is None:
        _log.info("nobody is asked who they are: whoever reaches this address may do everything")
        yield
        return
    watch = asyncio.create_task(gates.door.watch(), name="door.watch")
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


def _door_of(config: ProxyConfig) -> Door | None:
    if not config.access:
        return None
    issuer = Issuer(config.jwks, config.jwt_issuer, config.jwt_audience, config.jwt_groups)
    settings = DoorSettings(config.access, config.static_tokens, issuer if config.jwks else None)
    return Door(settings, policy_in)


def _certificates_of(config: ProxyConfig) -> Certificates | None:
    if not config.tls_cert:
        return None
    return Certificates(TlsFiles(config.tls_cert, config.tls_key, config.tls_client_ca))


def policy_in(path: str) -> Policy:
    """The policy in a file. Raises AccessError."""
    try:
        return load_policy(path)
    except ConfigError as error:
        raise AccessError(str(error)) from error
