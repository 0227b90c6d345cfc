"""MigrationService: what operators see and steer, by the overview, the coordinator and the divergence log."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import unquote

from crossfade.v1 import migration_pb2 as pb
from crossfade.v1 import migration_pb2_grpc
from proxy.api.admission import caller
from proxy.api.guard import DetailedError
from proxy.api.translate import audit, divergences, jobs, operations, rehearsals, repairs
from proxy.api.translate.paging import Pages, place_of, row_of
from proxy.core.errors import NotFound, Reason, Refused
from proxy.core.exchange import DivergenceQuery
from proxy.core.flag import Job, Replica
from proxy.core.ports import DivergenceLog
from proxy.core.stage import Stage
from proxy.cutover.coordinator import Coordinator, MoveReport
from proxy.cutover.overview import CollectionStatus, Overview
from proxy.cutover.steering import GateClosed, Order, Steering
from proxy.reconcile.charter import JobOrder
from proxy.reconcile.mender import Explanation
from proxy.reconcile.repair import RepairReport

ACTOR_HEADER = "x-crossfade-actor"
"""The header in which a client says on whose behalf it calls, percent-encoded, for the audit record."""

MAX_ACTOR = 200
"""Characters of an actor's name that are kept."""

_Move = pb.MoveStageRequest | pb.RollbackRequest | pb.RehearseRequest


class Workshop(Protocol):
    """What backfills and verifies collections in the background."""

    async def start_job(self, collection: str, kind: str, order: JobOrder = ..., share: float = ...) -> Job:
        """Start a "backfill", "verify" or "sample" of a share of the documents, go on with a paused one or
        join in the running one, and return at once."""
        ...

    async def pause_job(self, collection: str, kind: str, order: JobOrder = ...) -> Job:
        """Have all who work at it stop at a checkpoint. Raises Refused where none is running."""
        ...


class Mender(Protocol):
    """What repairs and explains divergences."""

    async def repair(
        self, query: DivergenceQuery, ids: Sequence[str], *, by_verify: bool, actor: str
    ) -> RepairReport:
        """Repair one page of a collection's unclosed divergences, or those of these ids."""
        ...

    async def explain(self, collection: str, divergence: str) -> Explanation:
        """What can be known of one. Raises NotFound."""
        ...


class MigrationServicer(migration_pb2_grpc.MigrationServiceServicer):
    """Serves operators; raises `core.errors`, which the guard maps.

    `replica_id` is this replica; `page_key` the secret that makes page tokens, the same in all replicas.
    """

    def __init__(
        self,
        overview: Overview,
        coordinator: Coordinator,
        divergences: DivergenceLog,
        workshop: Workshop,
        mender: Mender,
        replica_id: str,
        page_key: bytes,
    ) -> None:
        self._pages = Pages(page_key)
        self._mender = mender
        self._workshop = workshop
        self._overview = overview
        self._coordinator = coordinator
        self._steering = Steering(overview, coordinator)
        self._divergences = divergences
        self._replica_id = replica_id

    async def ListCollections(
        self, request: pb.ListCollectionsRequest, context: Any
    ) -> pb.ListCollectionsResponse:
        size, after = self._pages.read(request)
        statuses = [s for s in await self._seen() if s.collection.name > after]
        response = pb.ListCollectionsResponse()
        for status in statuses[:size]:
            self._write(response.collections.add(), status)
        if len(statuses) > size:
            response.next_page_token = self._pages.seal(request, statuses[size - 1].collection.name)
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
        order, share = jobs.read_order(request, _actor_of(context)), jobs.read_share(request)
        jobs.write_job(response, await self._workshop.start_job(request.collection, kind, order, share))
        return response

    async def PauseJob(self, request: pb.PauseJobRequest, context: Any) -> pb.Job:
        kind = jobs.read_job_kind(request.kind)
        response = pb.Job()
        order = JobOrder(actor=_actor_of(context), reason=request.reason)
        jobs.write_job(response, await self._workshop.pause_job(request.collection, kind, order))
        return response

    async def Repair(self, request: pb.RepairRequest, context: Any) -> pb.RepairResponse:
        query, ids = repairs.read_query(request, self._pages), tuple(request.divergences)
        actor = _actor_of(context)
        report = await self._mender.repair(query, ids, by_verify=request.last_verify, actor=actor)
        response = pb.RepairResponse()
        repairs.write_report(response, report, request, self._pages)
        return response

    async def ExplainDivergence(self, request: pb.ExplainDivergenceRequest, context: Any) -> pb.Explanation:
        response = pb.Explanation()
        found = await self._mender.explain(request.collection, request.id)
        repairs.write_explanation(response, found)
        return response

    async def MoveStage(self, request: pb.MoveStageRequest, context: Any) -> pb.MoveStageResponse:
        target = operations.read_stage(request.target, "target")
        return await self._answer(self._steering.move(_order(request, target, context)), request)

    async def Rollback(self, request: pb.RollbackRequest, context: Any) -> pb.MoveStageResponse:
        order = _order(request, Stage.MONGO_PRIMARY, context)
        return await self._answer(self._steering.roll_back(order), request)

    async def Rehearse(self, request: pb.RehearseRequest, context: Any) -> pb.MoveStageResponse:
        seconds = request.duration.seconds + request.duration.nanos / 1e9
        order = _order(request, Stage.DYNAMO_PRIMARY, context, seconds)
        return await self._answer(self._steering.rehearse(order), request)

    async def Abort(self, request: pb.AbortRequest, context: Any) -> pb.AbortResponse:
        actor = _actor_of(context)
        aborted = await self._steering.abort(request.collection, actor=actor, reason=request.reason)
        response = pb.AbortResponse(aborted=aborted)
        self._write(response.collection, await self._overview.collection(request.collection))
        return response

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Any
    ) -> pb.ListAuditEntriesResponse:
        size, token = self._pages.read(request)
        until, told = place_of(token) if token else (None, 0)
        found = (await self._overview.audit(request.collection, told + size + 1, until))[told:]
        response = pb.ListAuditEntriesResponse()
        for entry in found[:size]:
            audit.write_entry(response.entries.add(), entry)
        if len(found) > size:
            response.next_page_token = self._pages.seal(request, audit.place_after(found[:size], until, told))
        return response

    async def ListDivergences(
        self, request: pb.ListDivergencesRequest, context: Any
    ) -> pb.ListDivergencesResponse:
        size, after = self._pages.read(request)
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
            response.next_page_token = self._pages.seal(request, json.dumps([last.last_seen, last.id]))
        return response

    async def ListReplicas(self, request: pb.ListReplicasRequest, context: Any) -> pb.ListReplicasResponse:
        size, after = self._pages.read(request)
        replicas = sorted(await self._overview.replicas(), key=lambda replica: replica.id)
        replicas = [replica for replica in replicas if replica.id > after]
        flags = await self._statuses()
        response = pb.ListReplicasResponse()
        for replica in replicas[:size]:
            operations.write_replica(response.replicas.add(), _as_seen(replica), flags)
        if len(replicas) > size:
            response.next_page_token = self._pages.seal(request, replicas[size - 1].id)
        return response

    async def GetReplica(self, request: pb.GetReplicaRequest, context: Any) -> pb.Replica:
        wanted = request.id or self._replica_id
        for replica in await self._overview.replicas():
            if replica.id == wanted:
                response = pb.Replica()
                operations.write_replica(response, _as_seen(replica), await self._statuses())
                return response
        raise NotFound(f"there is no replica {wanted!r}", Reason.NOT_FOUND, field="id")

    async def _statuses(self) -> Mapping[str, CollectionStatus]:
        return {status.collection.name: status for status in await self._seen()}

    async def _seen(self) -> Sequence[CollectionStatus]:
        """Every collection that is the caller's to see."""
        who, statuses = caller(), await self._overview.collections()
        return [status for status in statuses if who is None or who.may_see(status.collection.name)]

    async def _answer(self, work: Awaitable[MoveReport | None], request: _Move) -> pb.MoveStageResponse:
        """What a move did, and how the collection stands now. A closed gate comes with its checks."""
        response = pb.MoveStageResponse()
        try:
            report = await work
        except GateClosed as closed:
            operations.write_report(response, closed.report)
            raise DetailedError(closed, response) from closed
        if report is not None:
            operations.write_report(response, report)
        self._write(response.collection, await self._overview.collection(request.collection))
        return response

    def _write(self, target: pb.Collection, status: CollectionStatus) -> None:
        """All about a collection but its counts."""
        operations.write_collection(target, status, self._coordinator.step_of(status.flag))
        _write_jobs(target, status)
        rehearsals.write_rehearsal(target, status.flag.rehearsal, status.jobs.get("rehearsal"))


def _write_jobs(target: pb.Collection, status: CollectionStatus) -> None:
    for kind in jobs.KINDS:
        if kind in status.jobs:
            jobs.write_job(target.jobs.add(), status.jobs[kind])


def _as_seen(replica: Replica) -> Replica:
    """A replica without the collections that are not the caller's to see."""
    who = caller()
    if who is None:
        return replica
    return replace(replica, seen={name: at for name, at in replica.seen.items() if who.may_see(name)})


def _order(request: _Move, target: Stage, context: Any, rehearse_for: float = 0.0) -> Order:
    return Order(
        collection=request.collection,
        target=target,
        actor=_actor_of(context),
        reason=request.reason,
        dry_run=request.dry_run,
        override=request.override,
        epoch=request.epoch if request.HasField("epoch") else None,
        rehearse_for=rehearse_for,
    )


def _actor_of(context: Any) -> str:
    """Who calls, and where from: the identity where callers are asked for it, else the name in the header."""
    who = caller()
    if who is not None:
        return f"{who.identity.name} ({context.peer()})"
    metadata = dict(context.invocation_metadata() or ())
    name = "".join(filter(str.isprintable, unquote(metadata.get(ACTOR_HEADER, ""))))[:MAX_ACTOR].strip()
    return f"{name} ({context.peer()})" if name else str(context.peer())
