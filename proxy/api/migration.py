"""MigrationService: what operators see and steer, by the overview, the coordinator and the divergence log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote

from crossfade.v1 import migration_pb2 as pb
from crossfade.v1 import migration_pb2_grpc
from proxy.api.interceptors import DetailedError
from proxy.api.translate import audit, divergences, jobs, operations, rehearsals
from proxy.api.translate.fault import fault
from proxy.api.translate.paging import place_of, read_page, row_of, seal
from proxy.core.errors import Contended, NotFound, Reason, Refused
from proxy.core.flag import Job
from proxy.core.ports import DivergenceLog, DivergenceQuery
from proxy.core.stage import Stage
from proxy.cutover.coordinator import Coordinator, MoveReport
from proxy.cutover.overview import CollectionStatus, Overview

ACTOR_HEADER = "x-crossfade-actor"
"""The header in which a client says on whose behalf it calls, percent-encoded, for the audit record."""

MAX_ACTOR = 200
"""Characters of an actor's name that are kept."""

_Move = pb.MoveStageRequest | pb.RollbackRequest | pb.RehearseRequest


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
        size, after = read_page(request)
        statuses = [s for s in await self._overview.collections() if s.collection.name > after]
        response = pb.ListCollectionsResponse()
        for status in statuses[:size]:
            self._write(response.collections.add(), status)
        if len(statuses) > size:
            response.next_page_token = seal(statuses[size - 1].collection.name)
        return response

    async def GetCollection(self, request: pb.GetCollectionRequest, context: Any) -> pb.Collection:
        status = await self._overview.collection(request.name)
        response = pb.Collection()
        self._write(response, status)
        operations.write_counts(response.counts, status)
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
        return await self._move(request, operations.read_stage(request.target, "target"), context)

    async def Rollback(self, request: pb.RollbackRequest, context: Any) -> pb.MoveStageResponse:
        stage = (await self._overview.collection(request.collection)).flag.stage
        if stage not in (Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY):
            text = f"{request.collection} is at {stage.value}: a rollback leads from DYNAMO_PRIMARY only"
            raise Refused(text, Reason.STAGE_NOT_ALLOWED)
        return await self._move(request, Stage.MONGO_PRIMARY, context)

    async def Rehearse(self, request: pb.RehearseRequest, context: Any) -> pb.MoveStageResponse:
        seconds = request.duration.seconds + request.duration.nanos / 1e9
        if seconds <= 0:
            raise fault("a rehearsal needs a duration", Reason.INVALID_ARGUMENT, "duration")
        return await self._move(request, Stage.DYNAMO_PRIMARY, context, seconds)

    async def Abort(self, request: pb.AbortRequest, context: Any) -> pb.AbortResponse:
        if not request.reason.strip():
            raise fault("an abort needs a reason", Reason.INVALID_ARGUMENT, "reason")
        before = (await self._overview.collection(request.collection)).flag
        actor = _actor_of(context)
        after = await self._coordinator.abort(request.collection, actor=actor, reason=request.reason)
        response = pb.AbortResponse(aborted=after.stage is before.stage)
        self._write(response.collection, await self._overview.collection(request.collection))
        return response

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Any
    ) -> pb.ListAuditEntriesResponse:
        size, token = read_page(request)
        until, told = place_of(token) if token else (None, 0)
        found = (await self._overview.audit(request.collection, told + size + 1, until))[told:]
        response = pb.ListAuditEntriesResponse()
        for entry in found[:size]:
            audit.write_entry(response.entries.add(), entry)
        if len(found) > size:
            response.next_page_token = seal(audit.place_after(found[:size], until, told))
        return response

    async def ListDivergences(
        self, request: pb.ListDivergencesRequest, context: Any
    ) -> pb.ListDivergencesResponse:
        size, after = read_page(request)
        query = DivergenceQuery(
            collection=request.collection,
            kind=operations.read_kind(request.kind),
            state=operations.read_state(request.state),
            limit=size + 1,
            before=row_of(after) if after else None,
        )
        found = await self._divergences.list(query)
        response = pb.ListDivergencesResponse()
        for divergence in found[:size]:
            divergences.write_divergence(response.divergences.add(), divergence)
        if len(found) > size:
            last = found[size - 1]
            response.next_page_token = seal(json.dumps([last.last_seen, last.id]))
        return response

    async def ListReplicas(self, request: pb.ListReplicasRequest, context: Any) -> pb.ListReplicasResponse:
        size, after = read_page(request)
        replicas = sorted(await self._overview.replicas(), key=lambda replica: replica.id)
        replicas = [replica for replica in replicas if replica.id > after]
        flags = await self._statuses()
        response = pb.ListReplicasResponse()
        for replica in replicas[:size]:
            operations.write_replica(response.replicas.add(), replica, flags)
        if len(replicas) > size:
            response.next_page_token = seal(replicas[size - 1].id)
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

    async def _move(
        self, request: _Move, target: Stage, context: Any, rehearse_for: float = 0.0
    ) -> pb.MoveStageResponse:
        status = await self._overview.collection(request.collection)
        _check_epoch(request, status)
        if request.override and not request.reason:
            raise fault("an override needs a reason", Reason.INVALID_ARGUMENT, "reason")
        response = pb.MoveStageResponse()
        is_there = status.flag.stage is target and status.flag.change is None and not rehearse_for
        if not is_there:
            operations.write_report(response, await self._drive(request, target, context, rehearse_for))
            status = await self._overview.collection(request.collection)
        self._write(response.collection, status)
        return response

    async def _drive(self, request: _Move, target: Stage, context: Any, rehearse_for: float) -> MoveReport:
        """Move, or try to. A closed gate comes with its checks."""
        move = partial(
            self._coordinator.move,
            request.collection,
            target,
            actor=_actor_of(context),
            reason=request.reason,
            rehearse_for=rehearse_for,
        )
        try:
            return await move(dry_run=request.dry_run, override=request.override)
        except Refused as refusal:
            if refusal.reason is not Reason.GATE_CLOSED:
                raise
            checks = pb.MoveStageResponse()
            operations.write_report(checks, await move(dry_run=True, override=False))
            raise DetailedError(refusal, checks) from refusal

    def _write(self, target: pb.Collection, status: CollectionStatus) -> None:
        """All about a collection but its counts."""
        operations.write_collection(target, status, self._coordinator.step_of(status.flag))
        _write_jobs(target, status)
        rehearsals.write_rehearsal(target, status.flag.rehearsal, status.jobs.get("rehearsal"))


def _write_jobs(target: pb.Collection, status: CollectionStatus) -> None:
    for kind in jobs.KINDS:
        if kind in status.jobs:
            jobs.write_job(target.jobs.add(), status.jobs[kind])


def _check_epoch(request: _Move, status: CollectionStatus) -> None:
    if request.HasField("epoch") and request.epoch != status.flag.epoch:
        text = f"{request.collection} is at epoch {status.flag.epoch}, not {request.epoch}: look again"
        raise Contended(text, Reason.ETAG_MISMATCH, field="epoch")


def _actor_of(context: Any) -> str:
    """Who calls: the name in the header, and where from."""
    metadata = dict(context.invocation_metadata() or ())
    name = "".join(filter(str.isprintable, unquote(metadata.get(ACTOR_HEADER, ""))))[:MAX_ACTOR].strip()
    return f"{name} ({context.peer()})" if name else str(context.peer())
