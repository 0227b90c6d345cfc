"""Who may call what, over real connections: tokens, roles, certificates, and the name in the audit trail."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from crossfade import (
    AsyncClient,
    AsyncMigrationClient,
    CrossfadeError,
    JobKind,
    Outcome,
    PermissionDenied,
    Reason,
    Stage,
    Unauthenticated,
    Unreachable,
    tls_credentials,
)
from crossfade.v1 import migration_pb2, storage_pb2
from proxy.access.certificates import Certificates, TlsFiles
from proxy.api.admission import NEEDS
from proxy.core.stage import Stage as Published
from tests.fixtures.authority import Authority
from tests.fixtures.doors import Doorway, doorway
from tests.integration.api_server import Served, serving
from tests.unit.api.samples import message_of

JOB = {"tenant": "t", "name": "a"}
KNOWN = ("app", "reports", "ops", "stranger")


@pytest.fixture
def way(tmp_path: Path) -> Doorway:
    return doorway(tmp_path)


@pytest.fixture
async def proxy(way: Doorway) -> AsyncIterator[Served]:
    async with serving(Published.MONGO_PRIMARY, door=way.door) as served:
        yield served


def address(proxy: Served) -> str:
    return f"127.0.0.1:{proxy.server.port}"


Ask = Callable[[AsyncClient, AsyncMigrationClient], Awaitable[Any]]

READS: dict[str, Ask] = {
    "find_one": lambda client, _: client["jobs"].find_one(JOB),
    "find": lambda client, _: client["jobs"].find({"tenant": "t"}).to_list(),
    "count": lambda client, _: client["jobs"].count_documents({"tenant": "t"}),
}
WRITES: dict[str, Ask] = {
    "insert": lambda client, _: client["jobs"].insert_one(dict(JOB)),
    "replace": lambda client, _: client["jobs"].replace_one(JOB, JOB | {"x": 1}, upsert=True),
    "update": lambda client, _: client["jobs"].update_one(JOB, {"$set": {"x": 1}}, upsert=True),
    "delete": lambda client, _: client["jobs"].delete_one(JOB),
    "take": lambda client, _: client["jobs"].find_one_and_update(JOB, {"$set": {"x": 2}}),
    "batch": lambda client, _: client["jobs"].insert_many([dict(JOB)]),
}
STEERING: dict[str, Ask] = {
    "move": lambda _, operator: operator.move_stage("jobs", Stage.MONGO_ONLY, reason="a test"),
    "rollback": lambda _, operator: operator.rollback("jobs", reason="a test"),
    "rehearse": lambda _, operator: operator.rehearse("jobs", 30, reason="a test"),
    "abort": lambda _, operator: operator.abort("jobs", reason="a test"),
    "job": lambda _, operator: operator.start_job("jobs", JobKind.VERIFY),
    "audit": lambda _, operator: operator.list_audit_entries(collection="jobs"),
    "divergences": lambda _, operator: operator.list_divergences(collection="jobs"),
}
MAY = {"app": READS | WRITES, "reports": READS, "ops": STEERING, "stranger": {}}
"""What each of the static tokens may do."""


async def reason_of(proxy: Served, ask: Ask, token: str | None) -> Reason | None:
    """Why the proxy refused, if it did."""
    async with (
        AsyncClient(address(proxy), token=token) as client,
        AsyncMigrationClient(address(proxy), token=token) as operator,
    ):
        try:
            await ask(client, operator)
        except CrossfadeError as error:
            return error.reason
        return None


DENIALS = (Reason.PERMISSION_DENIED, Reason.UNAUTHENTICATED)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("call", [*READS, *WRITES, *STEERING])
async def test_everybody_may_do_what_their_role_says_and_nothing_else(
    proxy: Served, way: Doorway, name: str, call: str
) -> None:
    reason = await reason_of(proxy, (READS | WRITES | STEERING)[call], way.tokens[name])
    if call in MAY[name]:
        assert reason not in DENIALS
    else:
        assert reason is Reason.PERMISSION_DENIED
        assert proxy.writes() == 0 and not await proxy.app.control.audit("", 10)


@pytest.mark.parametrize("call", [*READS, *WRITES, *STEERING])
@pytest.mark.parametrize("token", [None, "nonsense"])
async def test_who_is_not_known_may_do_nothing(proxy: Served, call: str, token: str | None) -> None:
    assert await reason_of(proxy, (READS | WRITES | STEERING)[call], token) is Reason.UNAUTHENTICATED
    assert proxy.writes() == 0 and not await proxy.app.control.audit("", 10)


async def test_refusals_are_errors_of_the_tree_that_say_nothing_was_done(proxy: Served, way: Doorway) -> None:
    async with AsyncClient(address(proxy), token=way.tokens["reports"]) as client:
        with pytest.raises(PermissionDenied, match="token:reports is no writer of jobs") as denied:
            await client["jobs"].insert_one(dict(JOB))
    async with AsyncClient(address(proxy), token="x" * 30) as client:
        with pytest.raises(Unauthenticated) as unknown:
            await client["jobs"].insert_one(dict(JOB))
    assert denied.value.outcome is unknown.value.outcome is Outcome.NOT_APPLIED
    assert "x" * 30 not in str(unknown.value)


async def test_a_role_ends_at_its_collections(proxy: Served, way: Doorway) -> None:
    async with AsyncClient(address(proxy), token=way.tokens["app"]) as client:
        for other in ("numbered", "nowhere", "*", ""):
            with pytest.raises(PermissionDenied):
                await client[other].find_one({"n": 1})


async def test_an_operator_of_one_collection_sees_that_one_alone(proxy: Served, way: Doorway) -> None:
    async with AsyncMigrationClient(address(proxy), token=way.signer.sign("ada")) as operator:
        assert [one.name for one in await operator.list_collections()] == ["jobs"]
        for replica in (await operator.get_replica(), *await operator.list_replicas()):
            assert [one.collection for one in replica.collections] == ["jobs"]
        with pytest.raises(PermissionDenied):
            await operator.get_collection("numbered")
        for everything in (operator.list_audit_entries(), operator.list_divergences()):
            with pytest.raises(PermissionDenied, match="every collection"):
                await everything


async def test_the_audit_trail_has_the_identity_and_not_what_the_client_says(
    proxy: Served, way: Doorway
) -> None:
    async with AsyncMigrationClient(
        address(proxy), token=way.signer.sign("ada"), actor="the president"
    ) as operator:
        await operator.move_stage("jobs", Stage.MONGO_ONLY, reason="a test")
        (entry, *_) = await operator.list_audit_entries(collection="jobs")
    assert entry.actor.startswith("jwt:ada (") and "president" not in entry.actor
    assert (entry.before, entry.after, entry.reason) == ("MONGO_PRIMARY", "MONGO_ONLY", "a test")
    assert entry.time.seconds > 0


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "token", ""])
async def test_a_header_that_shows_no_token_is_refused(proxy: Served, header: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await proxy.storage.Get(
            storage_pb2.GetRequest(collection="jobs", key=message_of(dict(JOB))),
            metadata=(("authorization", header),),
        )
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_bytes_that_are_no_request_do_not_come_before_the_question_who_calls(proxy: Served) -> None:
    raw = proxy.channel.unary_unary("/crossfade.v1.StorageService/Insert", bytes, bytes)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_every_method_of_the_contract_needs_a_role() -> None:
    methods = {
        f"{service.name}/{method.name}"
        for file in (storage_pb2.DESCRIPTOR, migration_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    }
    assert set(NEEDS) == methods and len(methods) > 15


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def subject_shown(port: int, authority: Authority) -> str:
    """The common name that a handshake shows."""
    context = ssl.create_default_context(cafile=str(authority.file))
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    return str(dict(part for (part,) in shown["subject"])["commonName"])


async def test_certificates_are_replaced_without_a_restart(authority: Authority) -> None:
    files = [str(path) for path in authority.issue("first", file="server")]
    async with (
        serving(certificates=Certificates(TlsFiles(*files))) as served,
        AsyncClient(address(served), credentials=tls_credentials(ca=authority.file)) as client,
    ):
        await client["jobs"].insert_one(dict(JOB))
        assert await subject_shown(served.server.port, authority) == "first"
        authority.issue("second", file="server")
        assert await subject_shown(served.server.port, authority) == "second"
        assert await client["jobs"].find_one(JOB)  # the old connection goes on


async def test_a_pair_that_does_not_fit_leaves_the_old_one_in_place(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = authority.issue("first", file="server")
    async with serving(certificates=Certificates(TlsFiles(str(certificate), str(key)))) as served:
        other, _ = authority.issue("other")
        certificate.write_bytes(other.read_bytes())
        assert await subject_shown(served.server.port, authority) == "first"
        assert "the certificates stay as they were" in caplog.text
        key.write_bytes(other.with_suffix(".key").read_bytes())
        assert await subject_shown(served.server.port, authority) == "other"


async def test_in_the_clear_nobody_speaks_to_a_proxy_with_tls(authority: Authority) -> None:
    files = [str(path) for path in authority.issue("server")]
    async with serving(certificates=Certificates(TlsFiles(*files))) as served:
        async with AsyncClient(address(served), timeout=2) as client:
            with pytest.raises(Unreachable):
                await client["jobs"].insert_one(dict(JOB))
        assert served.writes() == 0


async def test_a_client_is_known_by_its_certificate(
    authority: Authority, way: Doorway, tmp_path: Path
) -> None:
    certificate, key = (str(path) for path in authority.issue("server"))
    shown = Certificates(TlsFiles(certificate, key, str(authority.file)))
    stranger = Authority(tmp_path, "stranger")
    async with serving(door=way.door, certificates=shown) as served:
        cert, key_file = authority.issue("worker")
        async with AsyncClient(
            address(served), credentials=tls_credentials(ca=authority.file, cert=cert, key=key_file)
        ) as client:
            await client["jobs"].insert_one(dict(JOB))
            with pytest.raises(PermissionDenied, match="cert:worker"):
                await client["numbered"].find_one({"n": 1})
        forged = stranger.issue("worker", file="forged")
        for files in ({}, {"cert": forged[0], "key": forged[1]}):
            credentials = tls_credentials(ca=authority.file, **files)
            async with AsyncClient(address(served), credentials=credentials, timeout=2) as client:
                with pytest.raises(Unreachable):
                    await client["jobs"].insert_one({"tenant": "t", "name": "b"})
        assert served.writes() == 1
