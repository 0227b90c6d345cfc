"""The gRPC server of one proxy process: services, health, reflection, limits, and a graceful end.

Health is NOT_SERVING until `become_ready` and again from `drain` on, so that load balancers send calls only
where they are served.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Protocol

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health  # type: ignore[attr-defined] # the stubs lack it
from grpc_reflection.v1alpha import reflection

from crossfade.v1 import migration_pb2, migration_pb2_grpc, storage_pb2, storage_pb2_grpc
from proxy.api.admission import Admission
from proxy.api.guard import AccessLog, CallSignals, Guard
from proxy.core.crowd import Crowd
from proxy.core.identity import Doorkeeper

_log = logging.getLogger("crossfade.api")

SERVICES = (
    storage_pb2.DESCRIPTOR.services_by_name["StorageService"].full_name,
    migration_pb2.DESCRIPTOR.services_by_name["MigrationService"].full_name,
)
REFLECTED = (*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the proxy listens. Durations in seconds, sizes in bytes.

    With `reuse_port` several processes share one port, and the kernel spreads connections over them.
    """

    address: str = "127.0.0.1:50051"
    reuse_port: bool = False
    max_message_size: int = 16 * 1024 * 1024
    default_deadline: float = 30.0
    grace: float = 10.0
    drain_delay: float = 0.0  # seconds between "not serving" and the end of accepting, for load balancers
    keepalive: float = 30.0
    access_log: AccessLog = AccessLog.ERRORS


class Certificates(Protocol):
    """What the server shows in a handshake; asked at each, so that it can be replaced."""

    @property
    def asks_clients(self) -> bool: ...

    def newest(self) -> Shown: ...


class Shown(Protocol):
    """A certificate chain and its key, and who vouches for the certificates of clients; all PEM."""

    @property
    def certificate(self) -> bytes: ...

    @property
    def key(self) -> bytes: ...

    @property
    def client_authority(self) -> bytes | None: ...


class Server:
    """One listening gRPC server. `port` is known once `start` returned."""

    def __init__(
        self,
        storage: storage_pb2_grpc.StorageServiceServicer,
        migration: migration_pb2_grpc.MigrationServiceServicer,
        signals: CallSignals,
        settings: ServerSettings,
        *,
        door: Doorkeeper | None = None,
        certificates: Certificates | None = None,
        crowd: Crowd | None = None,
    ) -> None:
        """Without a `door` everybody may call, without `certificates` in the clear, without a `crowd`
        however many there are."""
        self._settings = settings
        self._certificates = certificates
        guard = Guard(signals, settings.access_log, Admission(door) if door else None, crowd)
        self._health = health.HealthServicer()
        self._server = grpc.aio.server(options=_options(settings))
        guarded = guard.before(self._server)
        storage_pb2_grpc.add_StorageServiceServicer_to_server(storage, guarded)
        migration_pb2_grpc.add_MigrationServiceServicer_to_server(migration, guarded)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(REFLECTED, self._server)
        self.port = 0

    async def start(self) -> None:
        """Listen, not yet ready. Raises OSError when the address cannot be had."""
        await self._announce(health_pb2.HealthCheckResponse.NOT_SERVING)
        address = self._settings.address
        try:
            self.port = self._open(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: is another program using the port?") from error
        await self._server.start()

    def _open(self, address: str) -> int:
        if self._certificates is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, _credentials(self._certificates))

    async def become_ready(self) -> None:
        """Tell health checks that calls are served."""
        await self._announce(health_pb2.HealthCheckResponse.SERVING)
        _log.info("serving", extra={"address": self._settings.address, "port": self.port})

    async def drain(self) -> None:
        """Stop being ready, refuse new calls, and let those in flight finish within the grace period."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self._settings.drain_delay)
        await self._server.stop(self._settings.grace)
        _log.info("drained", extra={"port": self.port})

    async def _announce(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for service in ("", *SERVICES):
            await self._health.set(service, status)


def _credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Credentials that show the newest certificate in every handshake."""

    def configure() -> grpc.ServerCertificateConfiguration:
        shown = certificates.newest()
        return grpc.ssl_server_certificate_configuration(
            [(shown.key, shown.certificate)], shown.client_authority
        )

    return grpc.dynamic_ssl_server_credentials(
        configure(), configure, require_client_authentication=certificates.asks_clients
    )


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    keepalive_ms = round(settings.keepalive * 1000)
    return [
        ("grpc.so_reuseport", int(settings.reuse_port)),
        ("grpc.max_receive_message_length", settings.max_message_size),
        ("grpc.max_send_message_length", settings.max_message_size),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", keepalive_ms // 3),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients may probe the connection every few seconds without being sent away.
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]
