"""MigrationService: what operators see and steer, by the overview, the coordinator and the divergence log."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Protocol

from crossfade.v1 import migration_pb2 as pb
from crossfade.v1 import migration_pb2_grpc
from proxy.api.interceptors import DetailedError
from proxy.api.translate import divergences, jobs, operations
from proxy.api.translate.fault import fault
from proxy.api.translate.targets import read_size
from proxy.core.errors import Contended, NotFound, Reason, Refused
from proxy.core.flag import Job
from proxy.core.ports import DivergenceLog, DivergenceQuery
from proxy.core.stage import Stage
from proxy.cutover.coordinator import Coordinator
from proxy.cutover.overview import CollectionStatus, Overview

PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000
ACTOR_HEADER = "x-crossfade-actor"
"""The header in which a client says on whose behalf it calls, for the audit record."""


class Workshop(Protocol):
    """What backfills and verifies collections in the background."""

    async def start_job(self, collection: str, kind: str) -> Job:
        """Start a "backfill" or "verify" and return at once, with the running one where there is one."""
        ...


class MigrationServicer(migration_pb2_grpc.MigrationServiceServicer):
    """Serves operators; raises `core.errors`, which the interceptor maps. `replica_id` is this replica."""

    def __init__(
        self,
        overview: Overview,
        coordinator: Coordinator,
        divergences: DivergenceLog,
        workshop: Workshop,
        replica_id: str,
    ) -> None:
        self._workshop = workshop
        self._overview = overview
        self._coordinator = coordinator
        self._divergences = divergences
        self._replica_id = replica_id

    async def ListCollections(
        self, request: pb.ListCollectionsRequest, context: Any
    ) -> pb.ListCollectionsResponse:
        size, after = _page_of(request)
        statuses = [s for s in await self._overview.collections() if s.collection.name > after]
        response = pb.ListCollectionsResponse()
        for status in statuses[:size]:
            collection = response.collections.add()
            operations.write_collection(collection, status)
            _write_jobs(collection, status)
        if len(statuses) > size:
            response.next_page_token = _seal(statuses[size - 1].collection.name)
        return response

    async def GetCollection(self, request: pb.GetCollectionRequest, context: Any) -> pb.Collection:
        status = await self._overview.collection(request.name)
        response = pb.Collection()
        operations.write_collection(response, status)
        operations.write_counts(response.counts, status)
        _write_jobs(response, status)
        return response

    async def StartJob(self, request: pb.StartJobRequest, context: Any) -> pb.Job:
        status = await self._overview.collection(request.collection)
        kind = jobs.read_job_kind(request.kind)
        if status.flag.stage.mirror is None:
            text = f"{request.collection} has no mirror in {status.flag.stage.value}"
            raise Refused(text, Reason.STAGE_NOT_ALLOWED)
        response = pb.Job()
        jobs.write_job(response, await self._workshop.start_job(request.collection, kind))
        return response

    async def MoveStage(self, request: pb.MoveStageRequest, context: Any) -> pb.MoveStageResponse:
        status = await self._overview.collection(request.collection)
        target = operations.read_stage(request.target, "target")
        _check_epoch(request, status)
        if request.override and not request.reason:
            raise fault("an override needs a reason", Reason.INVALID_ARGUMENT, "reason")
        if status.flag.stage is target and status.flag.change is None:
            return _unmoved(status)
        actor = _actor_of(context)
        try:
            report = await self._coordinator.move(
                request.collection,
                target,
                actor=actor,
                reason=request.reason,
                dry_run=request.dry_run,
                override=request.override,
            )
        except Refused as refusal:
            if refusal.reason is not Reason.GATE_CLOSED:
                raise
            checks = await self._explain(request.collection, target, actor)
            raise DetailedError(refusal, checks) from refusal
        response = pb.MoveStageResponse()
        operations.write_report(response, report)
        status = await self._overview.collection(request.collection)
        operations.write_collection(response.collection, status)
        return response

    async def ListDivergences(
        self, request: pb.ListDivergencesRequest, context: Any
    ) -> pb.ListDivergencesResponse:
        size, after = _page_of(request)
        query = DivergenceQuery(
            collection=request.collection,
            kind=operations.read_kind(request.kind),
            state=operations.read_state(request.state),
            limit=size + 1,
            before=_row_of(after) if after else None,
        )
        found = await self._divergences.list(query)
        response = pb.ListDivergencesResponse()
        for divergence in found[:size]:
            divergences.write_divergence(response.divergences.add(), divergence)
        if len(found) > size:
            last = found[size - 1]
            response.next_page_token = _seal(json.dumps([last.last_seen, last.id]))
        return response

    async def ListReplicas(self, request: pb.ListReplicasRequest, context: Any) -> pb.ListReplicasResponse:
        size, after = _page_of(request)
        replicas = sorted(await self._overview.replicas(), key=lambda replica: replica.id)
        replicas = [replica for replica in replicas if replica.id > after]
        flags = await self._statuses()
        response = pb.ListReplicasResponse()
        for replica in replicas[:size]:
            operations.write_replica(response.replicas.add(), replica, flags)
        if len(replicas) > size:
            response.next_page_token = _seal(replicas[size - 1].id)
        return response

    async def GetReplica(self, request: pb.GetReplicaRequest, context: Any) -> pb.Replica:
        wanted = request.id or self._replica_id
        for replica in await self._overview.replicas():
            if replica.id == wanted:
                response = pb.Replica()
                operations.write_replica(response, replica, await self._statuses())
                return response
        raise NotFound(f"there is no replica {wanted!r}", Reason.NOT_FOUND, field="id")

    async def _statuses(self) -> Mapping[str, CollectionStatus]:
        return {status.collection.name: status for status in await self._overview.collections()}

    async def _explain(self, collection: str, target: Stage, actor: str) -> pb.MoveStageResponse:
        """The checks of a refused move, with their evidence."""
        report = await self._coordinator.move(
            collection, target, actor=actor, reason="", dry_run=True, override=False
        )
        response = pb.MoveStageResponse()
        operations.write_report(response, report)
        return response


def _write_jobs(target: pb.Collection, status: CollectionStatus) -> None:
    for kind in jobs.KINDS:
        if kind in status.jobs:
            jobs.write_job(target.jobs.add(), status.jobs[kind])


def _check_epoch(request: pb.MoveStageRequest, status: CollectionStatus) -> None:
    if request.HasField("epoch") and request.epoch != status.flag.epoch:
        text = f"{request.collection} is at epoch {status.flag.epoch}, not {request.epoch}: look again"
        raise Contended(text, Reason.ETAG_MISMATCH, field="epoch")


def _unmoved(status: CollectionStatus) -> pb.MoveStageResponse:
    response = pb.MoveStageResponse(moved=False)
    operations.write_collection(response.collection, status)
    return response


def _actor_of(context: Any) -> str:
    """Who calls: the name in the header, and where from."""
    metadata = dict(context.invocation_metadata() or ())
    name = metadata.get(ACTOR_HEADER, "")
    return f"{name} ({context.peer()})" if name else str(context.peer())


def _page_of(
    request: pb.ListCollectionsRequest | pb.ListDivergencesRequest | pb.ListReplicasRequest,
) -> tuple[int, str]:
    """The page's size, and what its token holds."""
    size = read_size(request.page_size, "page_size") or PAGE_SIZE
    return min(size, MAX_PAGE_SIZE), _unseal(request.page_token)


def _seal(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unseal(token: str) -> str:
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return data.decode()
    except ValueError as error:
        raise _bad_token() from error


def _row_of(text: str) -> tuple[int, str]:
    try:
        last_seen, divergence_id = json.loads(text)
    except (ValueError, TypeError) as error:
        raise _bad_token() from error
    if not isinstance(last_seen, int) or not isinstance(divergence_id, str):
        raise _bad_token()
    return last_seen, divergence_id


def _bad_token() -> Exception:
    return fault("this is no page token of this list", Reason.INVALID_PAGE_TOKEN, "page_token")
