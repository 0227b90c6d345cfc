"""The verbs that change the primary, over a real connection, on memory stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict

from crossfade.v1 import error_pb2, storage_pb2
from crossfade.v1 import migration_pb2 as pb
from proxy.core.errors import Unavailable
from proxy.core.flag import AuditEntry
from proxy.core.stage import Stage, StoreName
from proxy.cutover import checks, rehearsal
from proxy.faultpoint import armed
from tests.fixtures.waiting import until
from tests.integration.api_server import Served, detail_in, serving
from tests.unit.api.samples import message_of

LEASE = 0.5
ADA = (("x-crossfade-actor", "ada"),)
CUTOVER = pb.MoveStageRequest(
    collection="jobs", target=pb.STAGE_DYNAMO_PRIMARY, override=True, reason="in a test"
)
ROLLBACK = pb.RollbackRequest(collection="jobs", override=True, reason="in a test")


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """In MONGO_PRIMARY, where flips need only be apart by a second."""
    for module in (checks, rehearsal):
        monkeypatch.setattr(module, "LONGEST_OPERATION", 0.4)
    async with serving(Stage.MONGO_PRIMARY, lease=LEASE) as served:
        yield served


async def collection_of(proxy: Served) -> pb.Collection:
    return await proxy.migration.GetCollection(pb.GetCollectionRequest(name="jobs"))


async def failure_of(call: Awaitable[object]) -> error_pb2.ErrorDetail:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return detail_in(caught.value)


async def entries_of(proxy: Served, **given: Any) -> list[pb.AuditEntry]:
    request = pb.ListAuditEntriesRequest(collection="jobs", **given)
    return list((await proxy.migration.ListAuditEntries(request)).entries)


async def test_there_and_back(proxy: Served) -> None:
    there = await proxy.migration.MoveStage(CUTOVER, metadata=ADA)
    assert there.moved and there.hold.nanos > 0
    assert [step.step for step in there.steps] == [
        pb.STEP_HOLD,
        pb.STEP_FENCE,
        pb.STEP_DRAIN,
        pb.STEP_PUBLISH,
    ]
    asked = await proxy.migration.Rollback(pb.RollbackRequest(collection="jobs", dry_run=True))
    assert not asked.moved and asked.collection.stage == pb.STAGE_DYNAMO_PRIMARY
    assert {check.name for check in asked.checks} >= {"replicas_current", "spaced", "canary_returned"}
    back = await proxy.migration.Rollback(ROLLBACK)
    assert back.moved and back.collection.stage == pb.STAGE_MONGO_PRIMARY
    again = await proxy.migration.Rollback(ROLLBACK)
    assert not again.moved and again.collection.epoch == back.collection.epoch


@pytest.mark.parametrize("stage", [Stage.MONGO_ONLY, Stage.DYNAMO_ONLY])
async def test_a_rollback_never_begins_anything(stage: Stage) -> None:
    async with serving(stage) as proxy:
        detail = await failure_of(proxy.migration.Rollback(ROLLBACK))
        assert detail.reason == error_pb2.ERROR_REASON_STAGE_NOT_ALLOWED
        assert (await collection_of(proxy)).epoch == 3


async def test_a_rollback_on_an_old_epoch_is_refused(proxy: Served) -> None:
    request = pb.RollbackRequest(collection="jobs", epoch=2)
    detail = await failure_of(proxy.migration.Rollback(request))
    assert detail.reason == error_pb2.ERROR_REASON_ETAG_MISMATCH


async def test_a_rehearsal_is_told_until_its_report(proxy: Served) -> None:
    request = pb.RehearseRequest(
        collection="jobs", duration=Duration(seconds=1), override=True, reason="a first look"
    )
    begun = await proxy.migration.Rehearse(request, metadata=ADA)
    assert begun.moved
    assert begun.collection.rehearsal.state == pb.Rehearsal.RUNNING
    assert begun.collection.rehearsal.reason == "a first look"
    told: list[pb.Rehearsal] = []

    async def is_reported() -> bool:
        told.append((await collection_of(proxy)).rehearsal)
        return told[-1].state == pb.Rehearsal.REPORTED

    await until(is_reported, timeout=20)
    found, end = told[-1], await collection_of(proxy)
    assert end.stage == pb.STAGE_MONGO_PRIMARY
    assert found.id == begun.collection.rehearsal.id
    assert found.actor.startswith("ada (")
    assert (
        found.end_time.ToNanoseconds() >= found.return_time.ToNanoseconds() > found.start_time.ToNanoseconds()
    )
    assert found.HasField("hold_back")
    assert found.failed_returns == 0
    actions = [entry.action for entry in await entries_of(proxy)]
    assert actions[-2:] == ["published", "override"] and "rehearsed" in actions


@pytest.mark.parametrize("seconds", [None, 0, -1, 0.5, 24 * 3600 + 1, 300_000_000_000])
async def test_a_rehearsal_of_no_possible_length_changes_nothing(
    proxy: Served, seconds: float | None
) -> None:
    request = pb.RehearseRequest(collection="jobs", override=True, reason="why not")
    if seconds is not None:
        request.duration.seconds = int(seconds)
        request.duration.nanos = int(seconds % 1 * 1e9)
    detail = await failure_of(proxy.migration.Rehearse(request))
    assert (detail.reason, detail.field) == (error_pb2.ERROR_REASON_INVALID_ARGUMENT, "duration")
    assert (await collection_of(proxy)).epoch == 3


async def test_a_rehearsal_begins_in_mongo_primary_only() -> None:
    async with serving(Stage.DYNAMO_PRIMARY) as proxy:
        request = pb.RehearseRequest(
            collection="jobs", duration=Duration(seconds=60), override=True, reason="x"
        )
        detail = await failure_of(proxy.migration.Rehearse(request))
        assert detail.reason == error_pb2.ERROR_REASON_STAGE_NOT_ALLOWED


async def test_an_abort_ends_a_running_change_and_needs_a_reason(proxy: Served) -> None:
    abort = pb.AbortRequest(collection="jobs", reason="cold feet")
    detail = await failure_of(proxy.migration.Abort(abort))
    assert detail.reason == error_pb2.ERROR_REASON_STAGE_NOT_ALLOWED
    detail = await failure_of(proxy.migration.Abort(pb.AbortRequest(collection="jobs")))
    assert detail.field == "reason"
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def stand_still() -> None:
        reached.set()
        await go_on.wait()

    with armed("cutover.fence", stand_still):
        flip = asyncio.ensure_future(proxy.migration.MoveStage(CUTOVER))
        async with asyncio.timeout(10):
            await reached.wait()
        running = await collection_of(proxy)
        assert running.change.step == pb.STEP_FENCE
        aborted = await proxy.migration.Abort(abort, metadata=ADA)
        go_on.set()
    assert aborted.aborted
    assert (aborted.collection.stage, aborted.collection.epoch) == (pb.STAGE_MONGO_PRIMARY, 4)
    assert not (await flip).moved
    by_ada = [entry for entry in await entries_of(proxy) if entry.actor.startswith("ada (")]
    assert [(entry.action, entry.reason) for entry in by_ada] == [("abort", "cold feet")]


async def test_the_audit_is_listed_in_pages_the_latest_first(proxy: Served) -> None:
    for number, at in enumerate((1, 2, 2, 2, 2, 3)):
        details = {"checks": {"ok": True, "count": number}}
        entry = AuditEntry(at, "ann", "move", "jobs", f"n{number}", "MONGO_ONLY", "MONGO_PRIMARY", details)
        await proxy.app.control.record_audit(entry)
    await proxy.app.control.record_audit(AuditEntry(9, "bob", "move", "numbered", "", "", "", {}))
    request = pb.ListAuditEntriesRequest(collection="jobs", page_size=2)
    reasons: list[str] = []
    while True:
        page = await proxy.migration.ListAuditEntries(request)
        reasons += [entry.reason for entry in page.entries]
        if not page.next_page_token:
            break
        newer = AuditEntry(10 + len(reasons), "ann", "move", "jobs", "new", "", "", {})
        await proxy.app.control.record_audit(newer)
        request.page_token = page.next_page_token
    assert reasons == ["n5", "n4", "n3", "n2", "n1", "n0"]
    [last] = await entries_of(proxy, page_size=1)
    assert (last.reason, last.time.ToMilliseconds()) == ("new", 14)
    oldest = (await proxy.migration.ListAuditEntries(pb.ListAuditEntriesRequest(page_size=50))).entries[-1]
    assert MessageToDict(oldest.details) == {"checks": {"ok": True, "count": 0}}
    assert (oldest.before, oldest.after) == ("MONGO_ONLY", "MONGO_PRIMARY")


@pytest.mark.parametrize("token", ["!", "AAAA", "WzEsMl0x", "WzEsLTFd", "WzEsICJhIl0", "WzEsOTk5OTk5OTld"])
async def test_a_bad_token_of_the_audit_is_refused(proxy: Served, token: str) -> None:
    request = pb.ListAuditEntriesRequest(page_token=token)
    detail = await failure_of(proxy.migration.ListAuditEntries(request))
    assert detail.reason == error_pb2.ERROR_REASON_INVALID_PAGE_TOKEN


@pytest.mark.parametrize(
    ("header", "actor"),
    [
        ("ada", "ada ("),
        ("J%C3%B6rg%20M", "Jörg M ("),
        ("a%0Ab%1B", "ab ("),
        ("%0A", "ipv"),
        ("x" * 999, "x" * 200),
    ],
)
async def test_an_actor_is_read_as_one_line(proxy: Served, header: str, actor: str) -> None:
    await proxy.migration.MoveStage(CUTOVER, metadata=(("x-crossfade-actor", header),))
    entry = (await entries_of(proxy))[-1]
    assert entry.actor.startswith(actor) and entry.actor.isprintable()
    assert len(entry.actor) < 300


async def test_the_mirror_tells_what_was_applied_and_what_failed(proxy: Served) -> None:
    await proxy.storage.Insert(insert("a"))
    found = (await collection_of(proxy)).mirror
    assert (found.applied, found.deferred, found.last_error) == (1, 0, "")
    assert not found.HasField("last_error_time")
    lane = proxy.app.lanes["jobs"]

    async def refuse(record: object) -> object:
        raise Unavailable("the mirror is on holiday")

    lane.stores[StoreName.DYNAMODB].apply = refuse  # type: ignore[method-assign, assignment]
    await proxy.storage.Insert(insert("b"))
    found = (await collection_of(proxy)).mirror
    assert (found.applied, found.deferred, found.last_error) == (1, 1, "the mirror is on holiday")
    assert abs(found.last_error_time.ToMilliseconds() - await proxy.app.control.now()) < 60_000


def insert(name: str) -> storage_pb2.InsertRequest:
    document = message_of({"tenant": "t", "name": name})
    return storage_pb2.InsertRequest(collection="jobs", document=document)
