"""The operator's client: how the migration of each collection stands, the jobs that prepare it, and
the one verb that moves it.

What is returned are the contract's own messages (crossfade.v1.migration_pb2), whose every field is
explained in proto/crossfade/v1/migration.proto.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

import grpc

from crossfade.transport import (
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT,
    Address,
    Repeat,
    RetryPolicy,
    Transport,
)
from crossfade.v1 import migration_pb2 as pb
from crossfade.v1.migration_pb2_grpc import MigrationServiceStub

if TYPE_CHECKING:
    from crossfade.v1.migration_pb2_grpc import MigrationServiceAsyncStub


class Stage(Enum):
    """The stages, in the order of the migration."""

    MONGO_ONLY = pb.STAGE_MONGO_ONLY
    MONGO_PRIMARY = pb.STAGE_MONGO_PRIMARY
    DYNAMO_PRIMARY = pb.STAGE_DYNAMO_PRIMARY
    DYNAMO_ONLY = pb.STAGE_DYNAMO_ONLY


class DivergenceKind(Enum):
    """What sort of difference a divergence is; see the contract."""

    STUCK_LAG = pb.DIVERGENCE_KIND_STUCK_LAG
    TRUE_MISMATCH = pb.DIVERGENCE_KIND_TRUE_MISMATCH
    VERSION_CONFLICT = pb.DIVERGENCE_KIND_VERSION_CONFLICT
    MISSING_IN_MIRROR = pb.DIVERGENCE_KIND_MISSING_IN_MIRROR
    GHOST_IN_MIRROR = pb.DIVERGENCE_KIND_GHOST_IN_MIRROR
    REPRESENTATION = pb.DIVERGENCE_KIND_REPRESENTATION
    QUERY_WINDOW = pb.DIVERGENCE_KIND_QUERY_WINDOW
    EVENTUAL = pb.DIVERGENCE_KIND_EVENTUAL
    ERROR_PARITY = pb.DIVERGENCE_KIND_ERROR_PARITY
    UNSUPPORTED = pb.DIVERGENCE_KIND_UNSUPPORTED
    BYPASS = pb.DIVERGENCE_KIND_BYPASS
    MIRROR_AHEAD = pb.DIVERGENCE_KIND_MIRROR_AHEAD
    QUERY_MISMATCH = pb.DIVERGENCE_KIND_QUERY_MISMATCH


class DivergenceState(Enum):
    """What has become of a divergence; see the contract."""

    OPEN = pb.DIVERGENCE_STATE_OPEN
    RECHECKING = pb.DIVERGENCE_STATE_RECHECKING
    REPAIRED = pb.DIVERGENCE_STATE_REPAIRED
    CLOSED = pb.DIVERGENCE_STATE_CLOSED


class JobKind(Enum):
    """What moves or compares documents without a client; see the contract."""

    BACKFILL = pb.JOB_KIND_BACKFILL
    VERIFY = pb.JOB_KIND_VERIFY
    FEED = pb.JOB_KIND_FEED


class JobState(Enum):
    """How a job stands; see the contract."""

    RUNNING = pb.JOB_STATE_RUNNING
    FINISHED = pb.JOB_STATE_FINISHED
    FAILED = pb.JOB_STATE_FAILED


class AsyncMigrationClient:
    """A client of the MigrationService for asyncio. The arguments are those of AsyncClient."""

    def __init__(
        self,
        address: Address = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._transport = Transport(
            address, timeout=timeout, retry=retry, credentials=credentials, options=options
        )
        self._stub: MigrationServiceAsyncStub = MigrationServiceStub(self._transport.channel)

    async def list_collections(self) -> list[pb.Collection]:
        """All configured collections, by name, without counts."""
        request = pb.ListCollectionsRequest()
        collections: list[pb.Collection] = []
        while True:
            response = await self._transport.call(self._stub.ListCollections, request)
            collections += response.collections
            request.page_token = response.next_page_token
            if not request.page_token:
                return collections

    async def get_collection(self, name: str) -> pb.Collection:
        """All about one collection, with counts. Raises UnknownCollection."""
        return await self._transport.call(self._stub.GetCollection, pb.GetCollectionRequest(name=name))

    async def move_stage(
        self,
        collection: str,
        target: Stage,
        *,
        dry_run: bool = False,
        reason: str = "",
        override: bool = False,
        epoch: int | None = None,
        timeout: float = 60.0,
    ) -> pb.MoveStageResponse:
        """Move a collection to a neighbouring stage, or with `dry_run` only check whether that is
        safe.

        Never repeated on its own. Raises GateClosed with its `checks` if a check fails and is not
        overridden, Refused if the stage is no neighbour, EtagMismatch if `epoch` is given and past.
        """
        request = pb.MoveStageRequest(
            collection=collection,
            target=target.value,
            dry_run=dry_run,
            reason=reason,
            override=override,
            epoch=epoch,
        )
        return await self._transport.call(
            self._stub.MoveStage, request, repeat=Repeat.NEVER, writes=not dry_run, timeout=timeout
        )

    async def start_job(self, collection: str, kind: JobKind) -> pb.Job:
        """Start to copy (BACKFILL) or to compare (VERIFY) all documents, or join in the run under way.

        Returns at once. Raises Refused if the stage has no mirror.
        """
        request = pb.StartJobRequest(collection=collection, kind=kind.value)
        return await self._transport.call(self._stub.StartJob, request, writes=True)

    async def wait_for_job(
        self,
        job: pb.Job,
        *,
        on_progress: Callable[[pb.Job], object] | None = None,
        interval: float = 0.25,
    ) -> pb.Job:
        """The job when it runs no more, or its successor if it was started again meanwhile.

        Asks every `interval` seconds; each answer goes to `on_progress`. Failures in passing are
        waited out by the client's retries; the rest are raised, and the job goes on.
        """
        while job.state == pb.JOB_STATE_RUNNING:
            await asyncio.sleep(interval)
            collection = await self.get_collection(job.collection)
            job = next((found for found in collection.jobs if found.kind == job.kind), job)
            if on_progress:
                on_progress(job)
        return job

    async def list_divergences(
        self,
        *,
        collection: str = "",
        kind: DivergenceKind | None = None,
        state: DivergenceState | None = None,
        limit: int = 100,
    ) -> list[pb.Divergence]:
        """The latest divergences, of one collection, kind and state if given."""
        request = pb.ListDivergencesRequest(
            collection=collection,
            kind=kind.value if kind else pb.DIVERGENCE_KIND_UNSPECIFIED,
            state=state.value if state else pb.DIVERGENCE_STATE_UNSPECIFIED,
        )
        divergences: list[pb.Divergence] = []
        while len(divergences) < limit:
            request.page_size = min(limit - len(divergences), 1000)
            response = await self._transport.call(self._stub.ListDivergences, request)
            divergences += response.divergences
            request.page_token = response.next_page_token
            if not request.page_token:
                break
        return divergences[:limit]

    async def list_replicas(self) -> list[pb.Replica]:
        """The replicas of the proxy, by id."""
        request = pb.ListReplicasRequest()
        replicas: list[pb.Replica] = []
        while True:
            response = await self._transport.call(self._stub.ListReplicas, request)
            replicas += response.replicas
            request.page_token = response.next_page_token
            if not request.page_token:
                return replicas

    async def get_replica(self, id: str = "") -> pb.Replica:
        """One replica; the one that answers if no id is given. Raises NotFound."""
        return await self._transport.call(self._stub.GetReplica, pb.GetReplicaRequest(id=id))

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
