"""The operator's client: names of the contract, lists read to their end, moves never repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import Enum
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from crossfade import (
    AsyncMigrationClient,
    DivergenceKind,
    DivergenceState,
    GateClosed,
    JobKind,
    JobState,
    Outcome,
    Stage,
    Unavailable,
    UnknownCollection,
)
from crossfade.v1 import error_pb2
from crossfade.v1 import migration_pb2 as pb
from tests.unit.client.conftest import QUICK
from tests.unit.client.fake import Failure, FakeProxy


@pytest.fixture
async def operator(proxy: FakeProxy) -> AsyncIterator[AsyncMigrationClient]:
    async with AsyncMigrationClient(proxy.address, retry=QUICK) as client:
        yield client


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (Stage, pb.Stage, "STAGE_"),
        (DivergenceKind, pb.DivergenceKind, "DIVERGENCE_KIND_"),
        (DivergenceState, pb.DivergenceState, "DIVERGENCE_STATE_"),
        (JobKind, pb.JobKind, "JOB_KIND_"),
        (JobState, pb.JobState, "JOB_STATE_"),
    ],
)
def test_names_are_those_of_the_contract(ours: type[Enum], theirs: Any, prefix: str) -> None:
    wanted = {name.removeprefix(prefix): number for name, number in theirs.items() if number}
    assert {member.name: member.value for member in ours} == wanted


async def test_lists_are_read_to_their_end(proxy: FakeProxy, operator: AsyncMigrationClient) -> None:
    proxy.answer(
        "ListCollections",
        pb.ListCollectionsResponse(collections=[pb.Collection(name="a")], next_page_token="2"),
        pb.ListCollectionsResponse(collections=[pb.Collection(name="b")]),
    )
    proxy.answer(
        "ListReplicas",
        pb.ListReplicasResponse(replicas=[pb.Replica(id="r1")], next_page_token="2"),
        pb.ListReplicasResponse(replicas=[pb.Replica(id="r2")]),
    )
    assert [collection.name for collection in await operator.list_collections()] == ["a", "b"]
    assert [replica.id for replica in await operator.list_replicas()] == ["r1", "r2"]
    assert [request.page_token for request in proxy.requests] == ["", "2", "", "2"]


async def test_divergences_are_filtered_by_the_proxy_and_limited_here(
    proxy: FakeProxy, operator: AsyncMigrationClient
) -> None:
    page = pb.ListDivergencesResponse(
        divergences=[pb.Divergence(id="1"), pb.Divergence(id="2")], next_page_token="more"
    )
    proxy.answer("ListDivergences", page)
    found = await operator.list_divergences(
        collection="jobs", kind=DivergenceKind.TRUE_MISMATCH, state=DivergenceState.OPEN, limit=3
    )
    assert len(found) == 3
    first, second = proxy.requests
    assert (first.collection, first.kind, first.state) == (
        "jobs",
        pb.DIVERGENCE_KIND_TRUE_MISMATCH,
        pb.DIVERGENCE_STATE_OPEN,
    )
    assert (first.page_size, second.page_size, second.page_token) == (3, 1, "more")


async def test_one_collection_and_one_replica(proxy: FakeProxy, operator: AsyncMigrationClient) -> None:
    detail = error_pb2.ErrorDetail(reason=error_pb2.ERROR_REASON_UNKNOWN_COLLECTION)
    proxy.answer("GetCollection", Failure(grpc.StatusCode.NOT_FOUND, detail))
    proxy.answer("GetReplica", pb.Replica(id="r1"))
    with pytest.raises(UnknownCollection):
        await operator.get_collection("none")
    assert (await operator.get_replica()).id == "r1"


async def test_a_closed_gate_shows_its_checks(proxy: FakeProxy, operator: AsyncMigrationClient) -> None:
    detail = error_pb2.ErrorDetail(
        reason=error_pb2.ERROR_REASON_GATE_CLOSED, outcome=error_pb2.OUTCOME_NOT_APPLIED
    )
    checks = [pb.Check(name="no_open_divergences", result=pb.Check.FAILED, evidence="3 open")]
    failure = Failure(
        grpc.StatusCode.FAILED_PRECONDITION, detail, more=(pb.MoveStageResponse(checks=checks),)
    )
    proxy.answer("MoveStage", failure)
    with pytest.raises(GateClosed) as caught:
        await operator.move_stage("jobs", Stage.DYNAMO_PRIMARY)
    assert list(caught.value.checks) == checks


@pytest.mark.parametrize(("dry_run", "outcome"), [(True, Outcome.NOT_APPLIED), (False, Outcome.UNKNOWN)])
async def test_a_move_is_never_repeated(
    proxy: FakeProxy, operator: AsyncMigrationClient, dry_run: bool, outcome: Outcome
) -> None:
    proxy.answer("MoveStage", Failure(grpc.StatusCode.UNAVAILABLE))
    with pytest.raises(Unavailable) as caught:
        await operator.move_stage("jobs", Stage.DYNAMO_PRIMARY, dry_run=dry_run)
    assert caught.value.outcome is outcome
    assert len(proxy.requests) == 1


def told(state: pb.JobState, copied: int) -> pb.Collection:
    job = pb.Job(collection="jobs", kind=pb.JOB_KIND_BACKFILL, state=state, counts={"copied": copied})
    return pb.Collection(jobs=[job, pb.Job(kind=pb.JOB_KIND_FEED, state=pb.JOB_STATE_RUNNING)])


async def test_a_job_is_waited_for_until_it_runs_no_more(
    proxy: FakeProxy, operator: AsyncMigrationClient
) -> None:
    proxy.answer("StartJob", told(pb.JOB_STATE_RUNNING, 0).jobs[0])
    proxy.answer(
        "GetCollection",
        pb.Collection(),
        told(pb.JOB_STATE_RUNNING, 5),
        Failure(grpc.StatusCode.UNAVAILABLE),
        told(pb.JOB_STATE_FINISHED, 9),
    )
    job = await operator.start_job("jobs", JobKind.BACKFILL)
    seen: list[pb.Job] = []
    done = await operator.wait_for_job(job, on_progress=seen.append, interval=0.001)
    assert proxy.requests[0] == pb.StartJobRequest(collection="jobs", kind=pb.JOB_KIND_BACKFILL)
    assert [found.counts["copied"] for found in seen] == [0, 5, 9]
    assert done == seen[-1]
    assert done.state == JobState.FINISHED.value


async def test_verbs_carry_what_the_operator_wishes(proxy: FakeProxy, operator: AsyncMigrationClient) -> None:
    for method in ("MoveStage", "Rollback", "Rehearse"):
        proxy.answer(method, pb.MoveStageResponse(moved=True))
    proxy.answer("Abort", pb.AbortResponse(aborted=True))
    assert (await operator.cutover("jobs", reason="soaked", epoch=4)).moved
    assert (await operator.rollback("jobs", dry_run=True)).moved
    assert (await operator.rehearse("jobs", 1.5, override=True, reason="friday")).moved
    assert (await operator.abort("jobs", reason="cold feet")).aborted
    assert proxy.requests == [
        pb.MoveStageRequest(collection="jobs", target=pb.STAGE_DYNAMO_PRIMARY, reason="soaked", epoch=4),
        pb.RollbackRequest(collection="jobs", dry_run=True),
        pb.RehearseRequest(
            collection="jobs",
            duration=Duration(seconds=1, nanos=500_000_000),
            override=True,
            reason="friday",
        ),
        pb.AbortRequest(collection="jobs", reason="cold feet"),
    ]


@pytest.mark.parametrize("verb", ["rollback", "rehearse"])
async def test_flips_are_never_repeated_and_their_outcome_is_unknown(
    proxy: FakeProxy, operator: AsyncMigrationClient, verb: str
) -> None:
    for method in ("Rollback", "Rehearse"):
        proxy.answer(method, Failure(grpc.StatusCode.UNAVAILABLE))
    with pytest.raises(Unavailable) as caught:
        await (operator.rollback("jobs") if verb == "rollback" else operator.rehearse("jobs", 30))
    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(proxy.requests) == 1


async def test_a_rehearsal_is_waited_for_until_all_is_told(
    proxy: FakeProxy, operator: AsyncMigrationClient
) -> None:
    states = (pb.Rehearsal.RUNNING, pb.Rehearsal.RETURNED, pb.Rehearsal.REPORTED)
    answers = [pb.Collection(rehearsal=pb.Rehearsal(state=state)) for state in states]
    proxy.answer("GetCollection", answers[0], Failure(grpc.StatusCode.UNAVAILABLE), *answers[1:])
    seen: list[pb.Rehearsal] = []
    end = await operator.wait_for_rehearsal("jobs", on_progress=seen.append, interval=0.001)
    assert [told.state for told in (*seen, end)] == list(states)


async def test_the_audit_is_filtered_by_the_proxy_and_limited_here(
    proxy: FakeProxy, operator: AsyncMigrationClient
) -> None:
    entries = [pb.AuditEntry(reason="1"), pb.AuditEntry(reason="2")]
    proxy.answer("ListAuditEntries", pb.ListAuditEntriesResponse(entries=entries, next_page_token="more"))
    found = await operator.list_audit_entries(collection="jobs", limit=3)
    assert [entry.reason for entry in found] == ["1", "2", "1"]
    assert [(one.collection, one.page_size, one.page_token) for one in proxy.requests] == [
        ("jobs", 3, ""),
        ("jobs", 1, "more"),
    ]


@pytest.mark.parametrize(("actor", "header"), [("", None), ("  ", None), ("Ada L.", "Ada L.")])
async def test_an_actor_is_sent_where_one_is_named(proxy: FakeProxy, actor: str, header: str | None) -> None:
    proxy.answer("ListReplicas", pb.ListReplicasResponse())
    async with AsyncMigrationClient(proxy.address, retry=QUICK, actor=actor) as client:
        await client.list_replicas()
    assert proxy.metadata[-1].get("x-crossfade-actor") == header
