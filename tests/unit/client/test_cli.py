"""What the commands print for people and for scripts, and with which status they exit."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from crossfade.cli import main
from crossfade.cli.arguments import parse
from crossfade.cli.tables import Table, plain
from crossfade.cli.terminal import show
from crossfade.v1 import document_pb2, error_pb2
from crossfade.v1 import migration_pb2 as pb
from tests.unit.client.fake import Failure, FakeProxy

Run = Callable[..., tuple[int, str, str]]

JOBS = pb.Collection(
    name="cron_jobs",
    stage=pb.STAGE_MONGO_PRIMARY,
    epoch=4,
    primary=pb.STORE_MONGODB,
    stage_time=Timestamp(seconds=1_500_283_380),
    mongo_namespace="extend.cron_jobs",
    dynamo_table="cron_jobs",
    partition_key=["deployment_key"],
    sort_key=["webtask_container", "webtask_name"],
    indexes=[
        pb.Index(
            name="work_queue",
            kind=pb.Index.LOCAL,
            partition_key=["deployment_key"],
            sort_key=["next_available_at"],
        )
    ],
    mirror=pb.MirrorHealth(
        store=pb.STORE_DYNAMODB,
        breaker=pb.MirrorHealth.HALF_OPEN,
        applied=90,
        deferred=7,
        pending=2,
        lag=Duration(seconds=1, nanos=500_000_000),
    ),
    counts=pb.Counts(mongo_documents=60, shadow_compared=50, shadow_matched=49, open_divergences=1),
    change=pb.Change(to_stage=pb.STAGE_DYNAMO_PRIMARY, step=pb.STEP_DRAIN),
)

MOVED = pb.Collection(name="c", stage=pb.STAGE_DYNAMO_PRIMARY, epoch=5)

PASSED = pb.Check(name="every_replica_current", result=pb.Check.PASSED, evidence="2 of 2 at epoch 4")
FAILED = pb.Check(name="no_open_divergences", result=pb.Check.FAILED, evidence="1 open", overridable=True)


@pytest.fixture
def run(remote_proxy: FakeProxy, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        status = main([*words, "--address", remote_proxy.address])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_status_lists_collections(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer(
        "ListCollections",
        pb.ListCollectionsResponse(
            collections=[JOBS, pb.Collection(name="modules", stage=pb.STAGE_MONGO_ONLY, epoch=1)]
        ),
    )
    status, out, _ = run("status")
    assert status == 0
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "COLLECTION STAGE EPOCH MIRROR LAG BACKFILL VERIFY CHANGE",
        "cron_jobs MONGO_PRIMARY 4 DynamoDB, breaker half open 1.5 s - - to DYNAMO_PRIMARY: drain",
        "modules MONGO_ONLY 1 - - - - -",
    ]


def test_status_of_one_collection_tells_all(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("GetCollection", JOBS)
    status, out, _ = run("status", "cron_jobs")
    facts = dict(line.split(":", 1) for line in out.splitlines())
    told = {name: value.strip() for name, value in facts.items()}
    assert status == 0
    assert told["stage"] == "MONGO_PRIMARY (epoch 4) since 2017-07-17 09:23:00Z"
    assert told["key"] == "deployment_key | webtask_container/webtask_name"
    assert told["index"] == "work_queue (local): deployment_key | next_available_at"
    assert told["mirror writes"] == "90 applied, 7 deferred"
    assert told["lag"] == "1.5 s, 2 documents wait"
    assert told["rehearsal"] == "-"
    assert told["documents"] == "about 60 in MongoDB, unknown in DynamoDB"
    assert told["divergences"] == "1 open"


def test_status_in_json_is_the_contracts(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("GetCollection", JOBS)
    status, out, _ = run("status", "cron_jobs", "--json")
    data = json.loads(out)
    assert status == 0
    assert (data["stage"], data["epoch"], data["mirror"]["lag"]) == ("STAGE_MONGO_PRIMARY", "4", "1.500s")


def test_a_move_tells_its_checks_steps_and_hold(run: Run, remote_proxy: FakeProxy) -> None:
    response = pb.MoveStageResponse(
        collection=pb.Collection(name="cron_jobs", stage=pb.STAGE_DYNAMO_PRIMARY, epoch=5),
        checks=[PASSED],
        moved=True,
        hold=Duration(nanos=80_000_000),
        steps=[
            pb.StepTiming(step=pb.STEP_HOLD, duration=Duration(nanos=60_000_000)),
            pb.StepTiming(step=pb.STEP_FENCE, duration=Duration(nanos=20_000_000)),
        ],
    )
    remote_proxy.answer("MoveStage", response)
    status, out, _ = run("stage", "cron_jobs", "dynamo-primary", "--reason", "soaked", "--epoch", "4")
    assert status == 0
    assert "every_replica_current  passed  2 of 2 at epoch 4" in out
    assert (
        "cron_jobs is at DYNAMO_PRIMARY (epoch 5); writes were held for 80 ms (hold 60 ms, fence 20 ms)"
        in out
    )
    assert remote_proxy.requests == [
        pb.MoveStageRequest(collection="cron_jobs", target=pb.STAGE_DYNAMO_PRIMARY, reason="soaked", epoch=4)
    ]


@pytest.mark.parametrize(
    ("checks", "status", "verdict"), [([PASSED], 0, "is safe"), ([PASSED, FAILED], 1, "is not safe")]
)
def test_a_dry_run_exits_by_its_checks(
    run: Run, remote_proxy: FakeProxy, checks: list[pb.Check], status: int, verdict: str
) -> None:
    remote_proxy.answer("MoveStage", pb.MoveStageResponse(collection=JOBS, checks=checks))
    code, out, _ = run("stage", "cron_jobs", "DYNAMO_PRIMARY", "--dry-run")
    assert code == status
    assert verdict in out
    assert "nothing was changed" in out
    assert remote_proxy.requests[0].dry_run


@pytest.mark.parametrize(
    ("response", "status", "words"),
    [
        (pb.MoveStageResponse(collection=JOBS), 1, "the move was aborted: cron_jobs is at MONGO_PRIMARY"),
        (pb.MoveStageResponse(collection=MOVED), 0, "c is at DYNAMO_PRIMARY (epoch 5) already"),
        (pb.MoveStageResponse(collection=MOVED, moved=True), 0, "(epoch 5); no write had to wait"),
    ],
    ids=["aborted", "there already", "no hold"],
)
def test_a_move_exits_by_where_the_collection_is(
    run: Run, remote_proxy: FakeProxy, response: pb.MoveStageResponse, status: int, words: str
) -> None:
    remote_proxy.answer("MoveStage", response)
    code, out, _ = run("stage", "cron_jobs", "DYNAMO_PRIMARY")
    assert code == status
    assert words in out


def test_a_check_of_unknown_result_is_not_safe(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("MoveStage", pb.MoveStageResponse(collection=JOBS, checks=[pb.Check(name="new")]))
    assert run("stage", "cron_jobs", "DYNAMO_PRIMARY", "--dry-run")[0] == 1


def test_a_closed_gate_prints_the_checks_and_exits_1(run: Run, remote_proxy: FakeProxy) -> None:
    detail = error_pb2.ErrorDetail(
        reason=error_pb2.ERROR_REASON_GATE_CLOSED, outcome=error_pb2.OUTCOME_NOT_APPLIED
    )
    refusal = Failure(
        grpc.StatusCode.FAILED_PRECONDITION,
        detail,
        "1 check failed",
        more=(pb.MoveStageResponse(checks=[PASSED, FAILED]),),
    )
    remote_proxy.answer("MoveStage", refusal)
    status, out, err = run("stage", "cron_jobs", "DYNAMO_PRIMARY")
    assert status == 1
    assert "no_open_divergences" in out
    assert err == "crossfade: 1 check failed\n"
    status, out, _ = run("stage", "cron_jobs", "DYNAMO_PRIMARY", "--json")
    data = json.loads(out)
    assert status == 1
    assert data["error"]["reason"] == "GATE_CLOSED"
    assert [check["result"] for check in data["checks"]] == ["PASSED", "FAILED"]


def job(state: pb.JobState, *, clean: bool = False, **counts: int) -> pb.Job:
    return pb.Job(
        collection="cron_jobs",
        kind=pb.JOB_KIND_VERIFY,
        state=state,
        clean=clean,
        counts=counts,
        epoch=4,
        update_time=Timestamp(seconds=1_500_283_380),
    )


RUNNING = job(pb.JOB_STATE_RUNNING, MATCH=3)


def test_a_job_is_started_and_left_alone(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("StartJob", RUNNING)
    status, out, err = run("verify", "cron_jobs")
    assert (status, err) == (0, "")
    assert out == "verify of cron_jobs: running (epoch 4, 2017-07-17 09:23:00Z); match 3\n"
    assert remote_proxy.requests == [pb.StartJobRequest(collection="cron_jobs", kind=pb.JOB_KIND_VERIFY)]


@pytest.mark.parametrize(
    ("end", "status", "words"),
    [
        (job(pb.JOB_STATE_FINISHED, clean=True, MATCH=9), 0, "finished, clean"),
        (job(pb.JOB_STATE_FINISHED, MATCH=8, TRUE_MISMATCH=1), 1, "finished, not clean"),
        (job(pb.JOB_STATE_FAILED, MATCH=8), 1, "failed"),
    ],
)
def test_a_job_that_is_waited_for_exits_by_its_end(
    run: Run, remote_proxy: FakeProxy, end: pb.Job, status: int, words: str
) -> None:
    remote_proxy.answer("StartJob", RUNNING)
    remote_proxy.answer("GetCollection", pb.Collection(jobs=[RUNNING]), pb.Collection(jobs=[end]))
    code, out, err = run("verify", "cron_jobs", "--wait")
    assert code == status
    assert out.startswith(f"verify of cron_jobs: {words} (epoch 4")
    assert "verify of cron_jobs: 0 documents; match 3" in err


def test_a_job_in_json_is_the_contracts(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("StartJob", job(pb.JOB_STATE_FINISHED, MATCH=8, TRUE_MISMATCH=1))
    status, out, _ = run("verify", "cron_jobs", "--wait", "--json")
    data = json.loads(out)
    assert status == 1
    assert (data["state"], data["clean"]) == ("JOB_STATE_FINISHED", False)
    assert data["counts"] == {"MATCH": "8", "TRUE_MISMATCH": "1"}


def test_status_of_one_collection_tells_its_jobs(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("GetCollection", pb.Collection(name="cron_jobs", jobs=[RUNNING]))
    assert "verify:            running (epoch 4" in run("status", "cron_jobs")[1]


def test_divergences(run: Run, remote_proxy: FakeProxy) -> None:
    key = document_pb2.Document(
        fields=[document_pb2.Field(name="name", value=document_pb2.Value(string_value="a"))]
    )
    divergence = pb.Divergence(
        id="d1",
        collection="cron_jobs",
        key=key,
        kind=pb.DIVERGENCE_KIND_TRUE_MISMATCH,
        state=pb.DIVERGENCE_STATE_OPEN,
        primary_version=pb.Version(epoch=4, revision=9),
        occurrences=2,
        description="state differs",
    )
    remote_proxy.answer("ListDivergences", pb.ListDivergencesResponse(divergences=[divergence]))
    status, out, _ = run(
        "divergences", "--collection", "cron_jobs", "--kind", "true_mismatch", "--limit", "5"
    )
    assert status == 0
    words = "d1 cron_jobs name=a TRUE_MISMATCH OPEN 4.9 absent 2 - state differs"
    assert out.splitlines()[1].split() == words.split()
    (request,) = remote_proxy.requests
    assert (request.collection, request.kind, request.page_size) == (
        "cron_jobs",
        pb.DIVERGENCE_KIND_TRUE_MISMATCH,
        5,
    )


def test_replicas(run: Run, remote_proxy: FakeProxy) -> None:
    replica = pb.Replica(
        id="r1",
        address="127.0.0.1:1",
        version="0.1.0",
        alive=True,
        heartbeat_time=Timestamp(seconds=1_500_283_380),
        collections=[
            pb.ReplicaCollection(collection="a", epoch=3),
            pb.ReplicaCollection(collection="b", epoch=4, held=True),
        ],
    )
    remote_proxy.answer("ListReplicas", pb.ListReplicasResponse(replicas=[replica]))
    status, out, _ = run("replicas")
    assert status == 0
    assert "r1       127.0.0.1:1  0.1.0    yes    2017-07-17 09:23:00Z  -        a=3 b=4 held" in out


def test_empty_lists_say_so(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("ListDivergences", pb.ListDivergencesResponse())
    assert run("divergences")[1] == "no divergences\n"
    assert json.loads(run("divergences", "--json")[1]) == []


def test_values_of_a_newer_proxy_are_shown_as_numbers(run: Run, remote_proxy: FakeProxy) -> None:
    newer = pb.Collection(name="c", stage=99)  # type: ignore[arg-type]
    remote_proxy.answer("ListCollections", pb.ListCollectionsResponse(collections=[newer]))
    assert "99" in run("status")[1]


def test_an_unreachable_proxy_exits_3(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        assert main(["status", "--address", address, "--timeout", "5"]) == 3
        assert "crossfade: " in capsys.readouterr().err
        assert main(["status", "--address", address, "--timeout", "5", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["stage", "c"],
        ["stage", "c", "MONGO"],
        ["divergences", "--kind", "odd"],
        ["status", "--limit"],
        ["verify"],
        ["cutover"],
        ["abort", "c"],
        ["rehearse", "c"],
        ["rehearse", "c", "--for", "soon"],
    ],
    ids=str,
)
def test_a_wrong_command_line_exits_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: crossfade" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("a,b", 2, "--address 'a,b': 'a' is not host:port"),
        (" ", 2, "--address ' ': the address of the proxy is empty"),
        ("nobody.invalid:1,nobody.invalid:2", 3, "--address 'nobody.invalid:1,nobody.invalid:2'"),
    ],
)
def test_a_wrong_address_is_named(
    capsys: pytest.CaptureFixture[str], address: str, code: int, says: str
) -> None:
    assert main(["status", "--address", address]) == code
    assert says in capsys.readouterr().err


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFADE_ADDRESS", "elsewhere:1")
    assert parse(["status"]).address == "elsewhere:1"
    assert parse(["status", "--address", "here:2"]).address == "here:2"
    monkeypatch.delenv("CROSSFADE_ADDRESS")
    assert parse(["status"]).address == "127.0.0.1:50051"


TABLE = Table(("name", "what"), [("a", "[red]x[/red]")], "nothing")


def test_a_terminal_gets_a_rich_table_with_cells_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show((TABLE,))
    out = capsys.readouterr().out
    assert "[red]x[/red]" in out
    assert out.strip() != plain(TABLE)


def test_without_rich_a_terminal_gets_plain_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    show((TABLE,))
    assert capsys.readouterr().out == "NAME  WHAT\na     [red]x[/red]\n"
