"""MigrationService over a real connection, on memory stores."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from crossfade.v1 import error_pb2, storage_pb2
from crossfade.v1 import migration_pb2 as pb
from proxy.api.translate.documents import read_document
from proxy.api.translate.values import read_value
from proxy.core.comparison import Kind
from proxy.core.divergence import REDACTED, Divergence, FieldDifference
from proxy.core.stage import Stage
from proxy.core.version import Version
from tests.integration.api_server import Served, detail_in, serving, status_in
from tests.unit.api.samples import message_of


@pytest.fixture
async def proxy() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


def divergence(number: int, **more: object) -> Divergence:
    given: dict[str, object] = {
        "id": f"d{number}",
        "collection": "jobs",
        "kind": Kind.TRUE_MISMATCH,
        "key": '{"tenant": "t", "name": "a"}',
        "operation": "get",
        "epoch": 3,
        "primary_version": Version(3, 7),
        "mirror_version": None,
        "differences": (),
        "first_seen": 1_500,
        "last_seen": 1_000 * number,
        "replica": "replica-1",
        **more,
    }
    return Divergence(**given)  # type: ignore[arg-type]


async def test_collections_are_listed_by_name_a_page_at_a_time(proxy: Served) -> None:
    first = await proxy.migration.ListCollections(pb.ListCollectionsRequest(page_size=1))
    assert [c.name for c in first.collections] == ["jobs"]
    request = pb.ListCollectionsRequest(page_size=1, page_token=first.next_page_token)
    second = await proxy.migration.ListCollections(request)
    assert [c.name for c in second.collections] == ["numbered"]
    assert second.next_page_token == ""


async def test_a_collection_tells_what_was_declared_and_where_it_stands(proxy: Served) -> None:
    document = message_of({"tenant": "t", "name": "a"})
    await proxy.storage.Insert(storage_pb2.InsertRequest(collection="jobs", document=document))
    found = await proxy.migration.GetCollection(pb.GetCollectionRequest(name="jobs"))
    assert found.stage == pb.STAGE_MONGO_ONLY
    assert found.epoch == 3
    assert found.primary == pb.STORE_MONGODB
    assert found.mongo_namespace == "app.jobs"
    assert found.dynamo_table == "jobs"
    assert list(found.partition_key) == ["tenant"]
    assert list(found.sort_key) == ["name"]
    assert [(i.name, i.kind, list(i.sort_key)) for i in found.indexes] == [
        ("by_due", pb.Index.LOCAL, ["due"])
    ]
    assert found.mirror.store == pb.STORE_UNSPECIFIED
    assert found.counts.mongo_documents == 1
    assert found.counts.dynamo_documents == 0
    assert not found.HasField("change")


async def test_an_unknown_collection_is_not_found(proxy: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await proxy.migration.GetCollection(pb.GetCollectionRequest(name="nope"))
    assert detail_in(caught.value).reason == error_pb2.ERROR_REASON_UNKNOWN_COLLECTION


async def test_a_move_with_a_dry_run_first(proxy: Served) -> None:
    request = pb.MoveStageRequest(collection="jobs", target=pb.STAGE_MONGO_PRIMARY, dry_run=True, epoch=3)
    rehearsed = await proxy.migration.MoveStage(request)
    assert not rehearsed.moved
    assert rehearsed.checks
    assert all(check.evidence for check in rehearsed.checks)
    assert rehearsed.collection.stage == pb.STAGE_MONGO_ONLY
    request.dry_run = False
    moved = await proxy.migration.MoveStage(request)
    assert moved.moved
    assert moved.collection.stage == pb.STAGE_MONGO_PRIMARY
    assert moved.collection.epoch == 4
    assert pb.STEP_PUBLISH in [step.step for step in moved.steps]
    request.epoch = 4
    again = await proxy.migration.MoveStage(request)
    assert not again.moved
    assert again.collection.epoch == 4
    [entry] = await proxy.app.control.audit("jobs", 10)
    assert entry.actor


async def test_the_audit_names_who_called(proxy: Served) -> None:
    request = pb.MoveStageRequest(collection="jobs", target=pb.STAGE_MONGO_PRIMARY, reason="ready")
    await proxy.migration.MoveStage(request, metadata=(("x-crossfade-actor", "ada"),))
    [entry] = await proxy.app.control.audit("jobs", 10)
    assert entry.actor.startswith("ada (")
    assert entry.reason == "ready"


async def failure_of(proxy: Served, request: pb.MoveStageRequest) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await proxy.migration.MoveStage(request)
    found = await proxy.migration.GetCollection(pb.GetCollectionRequest(name="jobs"))
    assert found.epoch == 3, "a refused move changes nothing"
    return caught.value


async def test_a_move_on_an_old_epoch_is_refused(proxy: Served) -> None:
    request = pb.MoveStageRequest(collection="jobs", target=pb.STAGE_MONGO_PRIMARY, epoch=2)
    failure = await failure_of(proxy, request)
    assert failure.code() is grpc.StatusCode.ABORTED
    assert detail_in(failure).field == "epoch"


async def test_a_move_to_nowhere_or_too_far_is_refused(proxy: Served) -> None:
    failure = await failure_of(proxy, pb.MoveStageRequest(collection="jobs"))
    assert detail_in(failure).field == "target"
    request = pb.MoveStageRequest(collection="jobs", target=pb.STAGE_DYNAMO_ONLY)
    failure = await failure_of(proxy, request)
    assert failure.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert detail_in(failure).reason == error_pb2.ERROR_REASON_STAGE_NOT_ALLOWED


async def test_an_override_needs_a_reason(proxy: Served) -> None:
    request = pb.MoveStageRequest(collection="jobs", target=pb.STAGE_MONGO_PRIMARY, override=True)
    assert detail_in(await failure_of(proxy, request)).field == "reason"


async def test_a_closed_gate_sends_its_checks_with_the_error() -> None:
    async with serving(Stage.MONGO_PRIMARY) as proxy:
        request = pb.MoveStageRequest(collection="jobs", target=pb.STAGE_DYNAMO_PRIMARY)
        failure = await failure_of(proxy, request)
    assert detail_in(failure).reason == error_pb2.ERROR_REASON_GATE_CLOSED
    report = pb.MoveStageResponse()
    assert status_in(failure).details[1].Unpack(report)
    assert pb.Check.FAILED in [check.result for check in report.checks]


async def test_divergences_are_listed_the_latest_first_and_filtered(proxy: Served) -> None:
    log = proxy.app.divergences
    for number in range(5):
        await log.record(divergence(number))
    await log.record(divergence(9, collection="numbered", kind=Kind.QUERY_MISMATCH, key=""))
    request = pb.ListDivergencesRequest(collection="jobs", page_size=2)
    ids: list[str] = []
    while True:
        page = await proxy.migration.ListDivergences(request)
        ids += [found.id for found in page.divergences]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert ids == ["d4", "d3", "d2", "d1", "d0"]
    by_kind = pb.ListDivergencesRequest(kind=pb.DIVERGENCE_KIND_QUERY_MISMATCH)
    [found] = (await proxy.migration.ListDivergences(by_kind)).divergences
    assert found.collection == "numbered"
    closed = pb.ListDivergencesRequest(state=pb.DIVERGENCE_STATE_CLOSED)
    assert not (await proxy.migration.ListDivergences(closed)).divergences


async def test_a_divergence_shows_both_sides_but_nothing_redacted(proxy: Served) -> None:
    differences = (
        FieldDifference("n", '{"$numberInt": "1"}', '{"$numberLong": "1"}'),
        FieldDifference("gone", '"x"', None),
        FieldDifference("secret", REDACTED, REDACTED),
        FieldDifference("long", '{"$binary": "AAAA…', '"short"'),
        FieldDifference("", "the mirror refused the query", None),
    )
    await proxy.app.divergences.record(divergence(1, differences=differences))
    [found] = (await proxy.migration.ListDivergences(pb.ListDivergencesRequest())).divergences
    assert read_document(found.key).fields == {"tenant": "t", "name": "a"}
    assert (found.primary_version.epoch, found.primary_version.revision) == (3, 7)
    assert not found.HasField("mirror_version")
    assert "the mirror refused the query" in found.description
    number, gone, secret, long = found.differences
    assert number.primary.WhichOneof("kind") == "int32_value"
    assert number.mirror.WhichOneof("kind") == "int64_value"
    assert read_value(gone.primary) == "x"
    assert not gone.HasField("mirror")
    assert secret.redacted
    assert not secret.HasField("primary")
    assert read_value(long.primary) == '{"$binary": "AAAA…'


def unauthenticated(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token", ["!", "AAAA", unauthenticated('[9, "d9"]'), unauthenticated('[9, "d9"]' + "x" * 16)]
)
async def test_a_token_that_was_made_up_is_refused_by_every_list(proxy: Served, token: str) -> None:
    for call, request in (
        (proxy.migration.ListCollections, pb.ListCollectionsRequest()),
        (proxy.migration.ListDivergences, pb.ListDivergencesRequest()),
        (proxy.migration.ListAuditEntries, pb.ListAuditEntriesRequest()),
        (proxy.migration.ListReplicas, pb.ListReplicasRequest()),
        (proxy.migration.Repair, pb.RepairRequest(collection="jobs")),
    ):
        request.page_token = token
        assert await reason_of(call, request) == error_pb2.ERROR_REASON_INVALID_PAGE_TOKEN


async def test_a_token_of_a_list_is_good_for_that_list_alone(proxy: Served) -> None:
    for number in range(3):
        await proxy.app.divergences.record(divergence(number))
    request = pb.ListDivergencesRequest(collection="jobs", page_size=1)
    token = (await proxy.migration.ListDivergences(request)).next_page_token
    good = pb.ListDivergencesRequest(collection="jobs", page_size=5, page_token=token)
    assert [found.id for found in (await proxy.migration.ListDivergences(good)).divergences] == ["d1", "d0"]
    bent = token[:5] + ("A" if token[5] != "A" else "B") + token[6:]
    for call, other in (
        (proxy.migration.ListDivergences, pb.ListDivergencesRequest(collection="jobs", page_token=bent)),
        (proxy.migration.ListDivergences, pb.ListDivergencesRequest(page_token=token)),
        (proxy.migration.ListDivergences, pb.ListDivergencesRequest(collection="numbered", page_token=token)),
        (proxy.migration.ListAuditEntries, pb.ListAuditEntriesRequest(collection="jobs", page_token=token)),
        (proxy.migration.Repair, pb.RepairRequest(collection="jobs", page_token=token)),
    ):
        assert await reason_of(call, other) == error_pb2.ERROR_REASON_INVALID_PAGE_TOKEN


async def reason_of(call: Callable[..., Any], request: Any) -> int:
    """The reason why a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(request)
    return detail_in(caught.value).reason


async def test_replicas_tell_what_they_act_upon(proxy: Served) -> None:
    [listed] = (await proxy.migration.ListReplicas(pb.ListReplicasRequest())).replicas
    own = await proxy.migration.GetReplica(pb.GetReplicaRequest())
    assert listed == own
    assert own.id == "replica-1"
    assert own.alive
    assert [(c.collection, c.epoch, c.held) for c in own.collections] == [
        ("jobs", 3, False),
        ("numbered", 3, False),
    ]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await proxy.migration.GetReplica(pb.GetReplicaRequest(id="nobody"))
    assert detail_in(caught.value).reason == error_pb2.ERROR_REASON_NOT_FOUND


async def test_a_job_needs_a_mirror_and_a_kind() -> None:
    request = pb.StartJobRequest(collection="jobs", kind=pb.JOB_KIND_VERIFY)
    async with serving(Stage.MONGO_ONLY) as proxy:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await proxy.migration.StartJob(request)
    assert detail_in(caught.value).reason == error_pb2.ERROR_REASON_STAGE_NOT_ALLOWED
    async with serving(Stage.MONGO_PRIMARY) as proxy:
        job = await proxy.migration.StartJob(request)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await proxy.migration.StartJob(pb.StartJobRequest(collection="jobs", kind=pb.JOB_KIND_FEED))
    assert (job.kind, job.state, job.clean) == (pb.JOB_KIND_VERIFY, pb.JOB_STATE_RUNNING, False)
    assert job.start_time.seconds == 1
    assert detail_in(caught.value).field == "kind"
