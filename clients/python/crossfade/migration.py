"""The operator's client: how the migration of each collection stands, the jobs that prepare it, the
verbs that move it, and who moved it.

What is returned are the contract's own messages (crossfade.v1.migration_pb2), whose every field is
explained in proto/crossfade/v1/migration.proto.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import grpc

from crossfade.moves import StageMoves
from crossfade.terms import DivergenceKind, DivergenceState, JobKind
from crossfade.transport import (
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT,
    Address,
    RetryPolicy,
    Transport,
)
from crossfade.v1 import migration_pb2 as pb
from crossfade.v1.migration_pb2_grpc import MigrationServiceStub

if TYPE_CHECKING:
    from crossfade.v1.migration_pb2_grpc import MigrationServiceAsyncStub

REPAIR_TIMEOUT = 60.0
"""Seconds that one page of a repair may take: what is busy is looked at again for a while."""

_ACTOR_HEADER = "x-crossfade-actor"


class AsyncMigrationClient(StageMoves):
    """A client of the MigrationService for asyncio. The arguments are those of AsyncClient, and `actor`:
    on whose behalf it calls, for the audit record of a proxy that does not ask for identities.
    """

    def __init__(
        self,
        address: Address = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        options: Sequence[tuple[str, Any]] = (),
        actor: str = "",
    ) -> None:
        self._transport = Transport(
            address,
            timeout=timeout,
            retry=retry,
            credentials=credentials,
            token=token,
            options=options,
            metadata=((_ACTOR_HEADER, quote(actor, safe=" @+")),) if actor.strip() else (),
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

    async def wait_for_rehearsal(
        self,
        collection: str,
        *,
        on_progress: Callable[[pb.Rehearsal], object] | None = None,
        interval: float = 0.5,
    ) -> pb.Rehearsal:
        """The collection's latest rehearsal when all is told, the way back and what was compared.

        Asks every `interval` seconds; each answer goes to `on_progress`.
        """
        while True:
            rehearsal = (await self.get_collection(collection)).rehearsal
            if rehearsal.state not in (pb.Rehearsal.RUNNING, pb.Rehearsal.RETURNED):
                return rehearsal
            if on_progress:
                on_progress(rehearsal)
            await asyncio.sleep(interval)

    async def start_job(
        self,
        collection: str,
        kind: JobKind,
        *,
        max_rate: float | None = None,
        max_write_units: float | None = None,
        sample_share: float = 0.0,
        anew: bool = False,
        only_resume: bool = False,
        reason: str = "",
    ) -> pb.Job:
        """Start to copy (BACKFILL) or to compare (VERIFY, or a SAMPLE of them) documents, go on with a paused
        run, or join in the one under way. Limits are of all workers together, 0 lifts them.

        Returns at once. Raises Refused if the stage has no mirror, or if there is nothing to go on with and
        `only_resume` is set.
        """
        request = pb.StartJobRequest(
            collection=collection,
            kind=kind.value,
            max_rate=max_rate,
            max_write_units=max_write_units,
            sample_share=sample_share,
            anew=anew,
            only_resume=only_resume,
            reason=reason,
        )
        return await self._transport.call(self._stub.StartJob, request, writes=True)

    async def pause_job(self, collection: str, kind: JobKind, *, reason: str = "") -> pb.Job:
        """Have all workers of a job stop where they are, within a second or so; `start_job` goes on there.

        Raises Refused if none is running.
        """
        request = pb.PauseJobRequest(collection=collection, kind=kind.value, reason=reason)
        return await self._transport.call(self._stub.PauseJob, request, writes=True)

    async def repair(
        self,
        collection: str,
        *,
        divergences: Sequence[str] = (),
        kind: DivergenceKind | None = None,
        last_verify: bool = False,
        on_progress: Callable[[pb.RepairResponse], object] | None = None,
        timeout: float = REPAIR_TIMEOUT,
    ) -> pb.RepairResponse:
        """Mend divergences from the primary and compare again, page by page: all that are not closed, or
        those named, of one kind, or seen since the last verify began. `timeout` is that of a page.

        What was done so far goes to `on_progress`. Raises Refused if there is no mirror.
        """
        request = pb.RepairRequest(
            collection=collection,
            divergences=divergences,
            kind=kind.value if kind else pb.DIVERGENCE_KIND_UNSPECIFIED,
            last_verify=last_verify,
        )
        done = pb.RepairResponse()
        while True:
            page = await self._transport.call(self._stub.Repair, request, writes=True, timeout=timeout)
            _add(done, page)
            if on_progress:
                on_progress(done)
            request.page_token = page.next_page_token
            if not request.page_token:
                return done

    async def explain_divergence(self, collection: str, divergence: str) -> pb.Explanation:
        """What can be known of a divergence now, by its id. Raises NotFound."""
        request = pb.ExplainDivergenceRequest(collection=collection, id=divergence)
        return await self._transport.call(self._stub.ExplainDivergence, request)

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

    async def list_audit_entries(self, *, collection: str = "", limit: int = 100) -> list[pb.AuditEntry]:
        """Who changed what, the latest first, of one collection if given."""
        request = pb.ListAuditEntriesRequest(collection=collection)
        entries: list[pb.AuditEntry] = []
        while len(entries) < limit:
            request.page_size = min(limit - len(entries), 1000)
            response = await self._transport.call(self._stub.ListAuditEntries, request)
            entries += response.entries
            request.page_token = response.next_page_token
            if not request.page_token:
                break
        return entries[:limit]

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


def _add(done: pb.RepairResponse, page: pb.RepairResponse) -> None:
    """Add what a page did to what was done before."""
    done.looked += page.looked
    done.closed += page.closed
    done.unequal += page.unequal
    done.unnamed += page.unnamed
    for result, count in page.results.items():
        done.results[result] += count
