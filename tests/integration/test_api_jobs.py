"""Jobs, repairs and explanations over the contract: a real server, a real workshop, memory stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from crossfade.v1 import error_pb2
from crossfade.v1 import migration_pb2 as pb
from proxy.core.document import Document
from proxy.core.keys import Key, key_of
from proxy.core.stage import Stage, StoreName
from proxy.core.version import LEGACY, Record
from tests.integration.api_server import Served, detail_in, serving
from tests.unit.api.samples import JOBS

MANY = 40


@pytest.fixture
async def proxy() -> AsyncIterator[Served]:
    async with serving(Stage.MONGO_PRIMARY, is_working=True) as proxy:
        yield proxy


def legacy(number: int, **more: object) -> Record:
    fields = {"_id": number, "tenant": "auth0", "name": f"job-{number:03}", "n": number, **more}
    return Record(key_of(JOBS, fields), LEGACY, b"", (), Document(fields))


def fill(proxy: Served, store: StoreName, numbers: range) -> list[Key]:
    """Put legacy documents into one store, past the proxy and from before its feed."""
    records = [legacy(number) for number in numbers]
    proxy.tables["jobs"][store].records |= {record.key: record for record in records}
    return [record.key for record in records]


async def job_until(
    proxy: Served, kind: pb.JobKind, is_so: Callable[[pb.Job], bool], within: float = 20.0
) -> pb.Job:
    async with asyncio.timeout(within):
        while True:
            collection = await proxy.migration.GetCollection(pb.GetCollectionRequest(name="jobs"))
            for job in collection.jobs:
                if job.kind == kind and is_so(job):
                    return job
            await asyncio.sleep(0.02)


def finished(job: pb.Job) -> bool:
    return job.state == pb.JOB_STATE_FINISHED


async def run(proxy: Served, kind: pb.JobKind, **more: Any) -> pb.Job:
    await proxy.migration.StartJob(pb.StartJobRequest(collection="jobs", kind=kind, **more))
    return await job_until(proxy, kind, finished)


async def reason_of(call: object) -> int:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return detail_in(caught.value).reason


async def test_a_backfill_is_limited_paused_gone_on_with_and_finished(proxy: Served) -> None:
    fill(proxy, StoreName.MONGODB, range(MANY))
    request = pb.StartJobRequest(
        collection="jobs", kind=pb.JOB_KIND_BACKFILL, max_rate=10.0, reason="at night"
    )
    begun = await proxy.migration.StartJob(request, metadata=(("x-crossfade-actor", "ada"),))
    assert (begun.state, begun.total, begun.max_rate) == (pb.JOB_STATE_RUNNING, MANY, 10.0)
    named: Any = {"collection": "jobs", "kind": pb.JOB_KIND_BACKFILL}
    await job_until(proxy, pb.JOB_KIND_BACKFILL, lambda job: job.done > 0)
    paused = await proxy.migration.PauseJob(pb.PauseJobRequest(**named, reason="too busy"))
    assert paused.state == pb.JOB_STATE_PAUSED
    assert not paused.HasField("remaining")
    again = pb.PauseJobRequest(**named)
    assert await reason_of(proxy.migration.PauseJob(again)) == error_pb2.ERROR_REASON_STAGE_NOT_ALLOWED

    resumed = await proxy.migration.StartJob(pb.StartJobRequest(**named, only_resume=True, max_rate=0.0))
    assert (resumed.state, resumed.max_rate) == (pb.JOB_STATE_RUNNING, 0.0)
    assert resumed.start_time == begun.start_time, "it is the same run"
    done = await job_until(proxy, pb.JOB_KIND_BACKFILL, finished)
    assert (done.clean, done.done, sum(done.counts.values())) == (True, MANY, MANY)

    found = await proxy.migration.ListAuditEntries(pb.ListAuditEntriesRequest(collection="jobs"))
    told = [(one.action, one.before, one.after, one.reason) for one in found.entries]
    assert told == [
        ("resume", "paused", "running", ""),
        ("pause", "running", "paused", "too busy"),
        ("start", "none", "running", "at night"),
    ]
    assert found.entries[2].actor.startswith("ada (")
    assert found.entries[0].details["max_rate_before"] == 10.0


async def test_there_must_be_something_to_resume(proxy: Served) -> None:
    request = pb.StartJobRequest(collection="jobs", kind=pb.JOB_KIND_VERIFY, only_resume=True)
    assert await reason_of(proxy.migration.StartJob(request)) == error_pb2.ERROR_REASON_STAGE_NOT_ALLOWED


@pytest.mark.parametrize(
    ("field", "value"), [("max_rate", -1.0), ("max_write_units", float("nan")), ("sample_share", 1.5)]
)
async def test_limits_and_shares_must_make_sense(proxy: Served, field: str, value: float) -> None:
    named: Any = {field: value}
    request = pb.StartJobRequest(collection="jobs", kind=pb.JOB_KIND_SAMPLE, **named)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await proxy.migration.StartJob(request)
    assert detail_in(caught.value).field == field


async def test_a_verify_proves_all_and_a_sample_a_part(proxy: Served) -> None:
    for store in StoreName:
        fill(proxy, store, range(MANY))
    verify = await run(proxy, pb.JOB_KIND_VERIFY)
    assert (verify.coverage, verify.differing_at_most, verify.clean) == (1.0, 0.0, True)
    sample = await run(proxy, pb.JOB_KIND_SAMPLE, sample_share=0.5)
    assert 0 < sample.coverage < 1.0
    assert 0 < sample.differing_at_most < 0.2
    checks = await proxy.migration.MoveStage(
        pb.MoveStageRequest(collection="jobs", target=pb.STAGE_DYNAMO_PRIMARY, dry_run=True)
    )
    [clean] = [check for check in checks.checks if check.name == "verify_clean"]
    assert clean.result == pb.Check.PASSED
    assert f"all {2 * MANY} documents of both stores were compared, 0 differ" in clean.evidence


async def test_no_gate_takes_a_sample_for_a_verify(proxy: Served) -> None:
    for store in StoreName:
        fill(proxy, store, range(MANY))
    await run(proxy, pb.JOB_KIND_SAMPLE, sample_share=1.0)
    checks = await proxy.migration.MoveStage(
        pb.MoveStageRequest(collection="jobs", target=pb.STAGE_DYNAMO_PRIMARY, dry_run=True)
    )
    [clean] = [check for check in checks.checks if check.name == "verify_clean"]
    assert (clean.result, clean.evidence) == (pb.Check.FAILED, "no verify has run")


async def test_what_a_verify_found_is_explained_repaired_and_closed(proxy: Served) -> None:
    fill(proxy, StoreName.MONGODB, range(6))
    fill(proxy, StoreName.DYNAMODB, range(4))
    spoilt = legacy(1, extra="x")
    proxy.tables["jobs"][StoreName.DYNAMODB].put(spoilt.key, spoilt)
    await run(proxy, pb.JOB_KIND_VERIFY)
    listed = await proxy.migration.ListDivergences(pb.ListDivergencesRequest(collection="jobs"))
    kinds = {row.kind: row.id for row in listed.divergences}
    assert len(listed.divergences) == 3

    asked = pb.ExplainDivergenceRequest(collection="jobs", id=kinds[pb.DIVERGENCE_KIND_TRUE_MISMATCH])
    found = await proxy.migration.ExplainDivergence(asked)
    assert (found.looked, found.agrees) == (True, False)
    assert [one.path for one in found.differences] == ["extra"]
    assert found.primary_version.epoch == found.mirror_version.epoch == 0
    assert "bypasses the proxy" in found.cause and found.advice

    first = await proxy.migration.Repair(pb.RepairRequest(collection="jobs", last_verify=True, page_size=2))
    assert (first.looked, first.closed, first.unequal) == (2, 2, 0)
    rest = pb.RepairRequest(
        collection="jobs", last_verify=True, page_size=2, page_token=first.next_page_token
    )
    second = await proxy.migration.Repair(rest)
    assert (second.looked, second.closed, second.next_page_token) == (1, 1, "")
    found = await proxy.migration.ExplainDivergence(asked)
    assert found.agrees and found.divergence.state == pb.DIVERGENCE_STATE_CLOSED
    assert [step.state for step in found.divergence.history] == [
        pb.DIVERGENCE_STATE_RECHECKING,
        pb.DIVERGENCE_STATE_REPAIRED,
        pb.DIVERGENCE_STATE_CLOSED,
    ]
    audit = await proxy.migration.ListAuditEntries(pb.ListAuditEntriesRequest(collection="jobs"))
    assert {entry.action for entry in audit.entries} == {"start", "repair"}
    assert (await run(proxy, pb.JOB_KIND_VERIFY)).clean


async def test_a_divergence_that_is_not_there_is_not_found(proxy: Served) -> None:
    request = pb.ExplainDivergenceRequest(collection="jobs", id="nothing")
    assert await reason_of(proxy.migration.ExplainDivergence(request)) == error_pb2.ERROR_REASON_NOT_FOUND
