"""The blocking clients do what the asynchronous ones do, from any thread, and leave nothing behind."""

from __future__ import annotations

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from crossfade import (
    AsyncCollection,
    AsyncCursor,
    AsyncMigrationClient,
    Client,
    Collection,
    Cursor,
    EtagMismatch,
    MigrationClient,
    Stage,
)
from crossfade.v1 import error_pb2, migration_pb2
from crossfade.v1 import storage_pb2 as pb
from tests.unit.client.fake import Failure, FakeProxy
from tests.unit.client.test_collection import message
from tests.unit.client.test_cursor import Pages


@pytest.mark.parametrize(
    ("blocking", "asynchronous"),
    [(Collection, AsyncCollection), (Cursor, AsyncCursor), (MigrationClient, AsyncMigrationClient)],
)
def test_no_method_is_missing(blocking: type, asynchronous: type) -> None:
    wanted = {name for name in vars(asynchronous) if not name.startswith("_")}
    assert wanted
    assert wanted <= {name for kind in blocking.__mro__ for name in vars(kind)} | {"name", "plan"}


def test_methods_keep_signature_and_documentation(remote_proxy: FakeProxy) -> None:
    with Client(remote_proxy.address) as client:
        method = client["jobs"].update_one
        parameters = list(inspect.signature(AsyncCollection.update_one).parameters)
        assert method.__doc__ == AsyncCollection.update_one.__doc__
        assert list(inspect.signature(method).parameters) == parameters


def test_reads_and_writes(remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("Get", pb.GetResponse(document=message({"a": 1}), etag="e1"))
    remote_proxy.answer("Update", pb.WriteResponse(matched=True, modified=True))
    with Client(remote_proxy.address) as client:
        jobs = client["jobs"]
        found = jobs.find_one({"k": 1})
        assert found == {"a": 1}
        assert found is not None
        assert found.etag == "e1"
        assert jobs.update_one({"k": 1}, {"$set": {"a": 2}}).modified_count == 1
        assert jobs.name == "jobs"


def test_a_cursor_is_iterated(remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("Query", Pages(10))
    with Client(remote_proxy.address) as client:
        cursor = client["jobs"].find({"a": 1}).sort("due").limit(7).batch_size(3)
        assert [document["n"] for document in cursor] == list(range(7))
        assert cursor.plan is not None
        assert cursor.plan.index == "work_queue"


def test_errors_are_the_same(remote_proxy: FakeProxy) -> None:
    detail = error_pb2.ErrorDetail(reason=error_pb2.ERROR_REASON_ETAG_MISMATCH)
    remote_proxy.answer("Delete", Failure(grpc.StatusCode.ABORTED, detail))
    with Client(remote_proxy.address) as client, pytest.raises(EtagMismatch):
        client["jobs"].delete_one({"k": 1}, etag="old")


def test_many_threads_share_a_client(remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("Count", pb.CountResponse(count=3))
    with Client(remote_proxy.address) as client, ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda _: client["jobs"].count_documents(), range(100)))
    assert counts == [3] * 100


def test_closing_ends_the_thread_and_refuses_more(remote_proxy: FakeProxy) -> None:
    before = threading.active_count()
    client = Client(remote_proxy.address)
    assert threading.active_count() == before + 1
    client.close()
    assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="closed"):
        client["jobs"].find_one({"k": 1})


def test_a_bad_address_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="address"):
        Client("")
    assert threading.active_count() == before


def test_an_operator_moves_a_stage(remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("MoveStage", migration_pb2.MoveStageResponse(moved=True))
    with MigrationClient(remote_proxy.address) as client:
        assert client.move_stage("jobs", Stage.MONGO_PRIMARY, reason="soak", epoch=4).moved
    assert remote_proxy.requests == [
        migration_pb2.MoveStageRequest(
            collection="jobs", target=migration_pb2.STAGE_MONGO_PRIMARY, reason="soak", epoch=4
        )
    ]
