"""The commands that change the primary, what they tell of the audit, and what must not be overlooked."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from crossfade.cli import main
from crossfade.cli.arguments import parse
from crossfade.cli.stories import holds_data, rehearsal_line
from crossfade.cli.tables import Alarm
from crossfade.cli.terminal import show
from crossfade.v1 import migration_pb2 as pb
from tests.unit.client.fake import FakeProxy

Run = Callable[..., tuple[int, str, str]]

NOW = 1_500_283_380
PASSED = pb.Check(name="replicas_current", result=pb.Check.PASSED, evidence="2 of 2 at epoch 4")
FAILED = pb.Check(name="no_open_divergences", result=pb.Check.FAILED, evidence="1 open", overridable=True)
AT_DYNAMO = pb.Collection(name="jobs", stage=pb.STAGE_DYNAMO_PRIMARY, epoch=5)
AT_MONGO = pb.Collection(name="jobs", stage=pb.STAGE_MONGO_PRIMARY, epoch=6)
STEPS = [
    pb.StepTiming(step=pb.STEP_HOLD, duration=Duration(nanos=60_000_000)),
    pb.StepTiming(step=pb.STEP_FENCE, duration=Duration(nanos=20_000_000)),
]
FLIPPED = pb.MoveStageResponse(
    collection=AT_DYNAMO, checks=[PASSED], moved=True, hold=Duration(nanos=80_000_000), steps=STEPS
)
RUNNING = pb.Rehearsal(
    id="c1",
    state=pb.Rehearsal.RUNNING,
    start_time=Timestamp(seconds=NOW),
    return_time=Timestamp(seconds=NOW + 30),
)
REPORTED = pb.Rehearsal(
    id="c1",
    state=pb.Rehearsal.REPORTED,
    start_time=Timestamp(seconds=NOW),
    return_time=Timestamp(seconds=NOW + 30),
    end_time=Timestamp(seconds=NOW + 30, nanos=500_000_000),
    hold_there=Duration(nanos=80_000_000),
    hold_back=Duration(nanos=61_000_000),
    shadow_compared=340,
    shadow_matched=340,
    shadow_dropped=2,
)


@pytest.fixture
def run(remote_proxy: FakeProxy, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        status = main([*words, "--address", remote_proxy.address])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def entry(action: str, hold_ms: float | None = None) -> pb.AuditEntry:
    found = pb.AuditEntry(
        time=Timestamp(seconds=NOW),
        actor="ada (ipv4:127.0.0.1:9)",
        action=action,
        collection="jobs",
        reason="soaked",
        before="MONGO_PRIMARY",
        after="DYNAMO_PRIMARY",
    )
    if hold_ms is not None:
        found.details.update({"epoch": 5, "hold_ms": hold_ms, "steps_ms": {"hold": 1.5}})
    return found


def flips(*holds: float) -> pb.ListAuditEntriesResponse:
    return pb.ListAuditEntriesResponse(entries=[entry("move"), *(entry("published", hold) for hold in holds)])


def test_a_cutover_tells_its_hold_its_steps_and_the_holds_so_far(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("MoveStage", FLIPPED)
    remote_proxy.answer("ListAuditEntries", flips(80.2, 61, 95))
    status, out, _ = run("cutover", "jobs", "--reason", "soaked")
    assert status == 0
    assert "jobs is at DYNAMO_PRIMARY (epoch 5); writes were held for 80 ms (hold 60 ms, fence 20 ms)" in out
    assert "holds of jobs so far: 3 flips, median 80 ms, 99th percentile 95 ms, longest 95 ms" in out
    asked = remote_proxy.requests[0]
    assert (asked.target, asked.reason) == (pb.STAGE_DYNAMO_PRIMARY, "soaked")


def test_a_cutover_in_json_has_the_holds(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("MoveStage", FLIPPED)
    remote_proxy.answer("ListAuditEntries", flips(80))
    data = json.loads(run("cutover", "jobs", "--json")[1])
    assert data["hold"] == "0.080s"
    assert data["holds"] == {"flips": 1, "median_ms": 80, "p99_ms": 80, "longest_ms": 80}


@pytest.mark.parametrize("command", ["cutover", "rollback", "finish"])
def test_a_dry_run_shows_every_check_and_changes_nothing(
    run: Run, remote_proxy: FakeProxy, command: str
) -> None:
    response = pb.MoveStageResponse(collection=AT_MONGO, checks=[PASSED, FAILED])
    for method in ("MoveStage", "Rollback"):
        remote_proxy.answer(method, response)
    status, out, _ = run(command, "jobs", "--dry-run")
    assert status == 1
    for told in ("2 of 2 at epoch 4", "1 open", "is not safe; nothing was changed"):
        assert told in out
    assert [request.dry_run for request in remote_proxy.requests] == [True]


def test_a_rollback_has_a_verb_of_its_own(run: Run, remote_proxy: FakeProxy) -> None:
    response = pb.MoveStageResponse(collection=AT_MONGO, moved=True, hold=Duration(nanos=50_000_000))
    remote_proxy.answer("Rollback", response)
    remote_proxy.answer("ListAuditEntries", flips())
    status, out, _ = run("rollback", "jobs", "--override", "--reason", "slow", "--epoch", "5")
    assert status == 0
    assert "no hold of jobs is on record" in out
    assert remote_proxy.requests[0] == pb.RollbackRequest(
        collection="jobs", override=True, reason="slow", epoch=5
    )


FINISHED = pb.MoveStageResponse(
    collection=pb.Collection(name="jobs", stage=pb.STAGE_DYNAMO_ONLY, epoch=6), moved=True
)


@pytest.mark.parametrize("command", [["finish", "jobs"], ["stage", "jobs", "DYNAMO_ONLY"]], ids=" ".join)
@pytest.mark.parametrize(
    ("typed", "words", "status"),
    [("jobs\n", [], 0), ("job\n", [], 1), ("", [], 1), ("", ["--yes"], 0)],
    ids=["its name", "another", "nobody there", "told yes"],
)
def test_finishing_asks_for_the_name(
    command: list[str],
    run: Run,
    remote_proxy: FakeProxy,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    words: list[str],
    status: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    remote_proxy.answer("MoveStage", FINISHED)
    code, out, err = run(*command, *words)
    assert code == status
    assert ("no way back" in err) is (not words)
    assert len(remote_proxy.requests) == (status == 0)
    if status:
        assert "nothing was changed" in out


def test_a_rehearsal_is_waited_for_and_reported(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("Rehearse", FLIPPED)
    remote_proxy.answer("GetCollection", pb.Collection(rehearsal=RUNNING), pb.Collection(rehearsal=REPORTED))
    status, out, err = run("rehearse", "jobs", "--for", "1.5m", "--reason", "friday")
    assert status == 0
    assert "rehearsal of jobs: DynamoDB is the primary, and about to go back" in err
    told = {" ".join(line.split()) for line in out.splitlines()}
    assert told >= {
        "rehearsal: DynamoDB was the primary of jobs for 30.5 s",
        "hold there: 80 ms",
        "hold back: 61 ms",
        "shadow reads: 340 compared, 340 matched, 2 not compared",
        "divergences: no divergences",
    }
    asked = remote_proxy.requests[0]
    assert (asked.duration.ToSeconds(), asked.reason) == (90, "friday")


def test_a_rehearsal_that_left_something_to_mend_exits_1(run: Run, remote_proxy: FakeProxy) -> None:
    bad = pb.Rehearsal()
    bad.CopyFrom(REPORTED)
    bad.divergences["TRUE_MISMATCH"] = 2
    remote_proxy.answer("Rehearse", FLIPPED)
    remote_proxy.answer("GetCollection", pb.Collection(rehearsal=bad))
    status, out, _ = run("rehearse", "jobs", "--for", "30", "--json")
    assert status == 1
    assert json.loads(out)["divergences"] == {"TRUE_MISMATCH": "2"}


def test_a_rehearsal_need_not_be_waited_for(run: Run, remote_proxy: FakeProxy) -> None:
    begun = pb.MoveStageResponse()
    begun.CopyFrom(FLIPPED)
    begun.collection.rehearsal.CopyFrom(RUNNING)
    begun.collection.rehearsal.return_time.GetCurrentTime()
    begun.collection.rehearsal.return_time.seconds += 30
    remote_proxy.answer("Rehearse", begun)
    status, out, _ = run("rehearse", "jobs", "--for", "30s", "--no-wait")
    assert status == 0
    assert "rehearsal: DynamoDB is the primary, for another" in out
    assert len(remote_proxy.requests) == 1


def test_a_rehearsal_that_was_aborted_on_the_way_is_not_waited_for(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("Rehearse", pb.MoveStageResponse(collection=AT_MONGO))
    status, out, _ = run("rehearse", "jobs", "--for", "30s")
    assert status == 1
    assert "the move was aborted" in out


@pytest.mark.parametrize(
    ("rehearsal", "line"),
    [
        (pb.Rehearsal(), "-"),
        (pb.Rehearsal(state=pb.Rehearsal.RUNNING, failed_returns=2), "about to go back, 2 failed ways back"),
        (pb.Rehearsal(state=pb.Rehearsal.RETURNED), "MongoDB is the primary again"),
        (REPORTED, "over at 2017-07-17 09:23:30Z; 340 compared"),
    ],
)
def test_a_rehearsal_in_a_line(rehearsal: pb.Rehearsal, line: str) -> None:
    assert line in rehearsal_line(rehearsal)


@pytest.mark.parametrize(
    ("response", "status", "words"),
    [
        (pb.AbortResponse(collection=AT_MONGO, aborted=True), 0, "the change of jobs was aborted"),
        (pb.AbortResponse(collection=AT_DYNAMO), 1, "too late"),
        (
            pb.AbortResponse(collection=pb.Collection(name="jobs", rehearsal=RUNNING), aborted=True),
            0,
            "the rehearsal of jobs goes back",
        ),
    ],
    ids=["change", "too late", "rehearsal"],
)
def test_an_abort_tells_what_it_came_to(
    run: Run, remote_proxy: FakeProxy, response: pb.AbortResponse, status: int, words: str
) -> None:
    remote_proxy.answer("Abort", response)
    code, out, _ = run("abort", "jobs", "--reason", "cold feet")
    assert code == status
    assert words in out
    assert remote_proxy.requests == [pb.AbortRequest(collection="jobs", reason="cold feet")]


def test_the_audit_tells_who_when_what_and_why(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("ListAuditEntries", flips(80.5))
    status, out, _ = run("audit", "jobs", "--limit", "5")
    assert status == 0
    heading, began, ended = (" ".join(line.split()) for line in out.splitlines())
    assert heading == "TIME WHO COLLECTION WHAT BEFORE AFTER WHY DETAILS"
    start = "2017-07-17 09:23:00Z ada (ipv4:127.0.0.1:9) jobs"
    assert began == f"{start} move MONGO_PRIMARY DYNAMO_PRIMARY soaked -"
    assert ended.startswith(f"{start} published MONGO_PRIMARY DYNAMO_PRIMARY soaked ")
    assert set(ended.rpartition(" soaked ")[2].split(", ")) == {"epoch: 5", "hold_ms: 80.5"}
    (asked,) = remote_proxy.requests
    assert (asked.collection, asked.page_size) == ("jobs", 5)
    data = json.loads(run("audit", "--json")[1])
    assert data[1]["details"] == {"epoch": 5, "hold_ms": 80.5, "steps_ms": {"hold": 1.5}}


def test_percentiles_are_of_the_nearest_rank() -> None:
    data = holds_data([float(hold) for hold in range(1, 201)])
    assert (data["median_ms"], data["p99_ms"], data["longest_ms"]) == (100, 198, 200)
    assert holds_data([]) == {}


@pytest.mark.parametrize("word", ["30", "30s", "0.5m"])
def test_times_are_in_seconds_minutes_or_hours(word: str) -> None:
    assert parse(["rehearse", "jobs", "--for", word]).seconds == 30
    assert parse(["rehearse", "jobs", "--for", "2h"]).seconds == 7200


@pytest.mark.parametrize(("actor", "header"), [("ada", "ada"), ("Jörg <j@x>\n", "J%C3%B6rg %3Cj@x%3E%0A")])
def test_the_actor_is_sent_with_every_call(
    run: Run, remote_proxy: FakeProxy, actor: str, header: str
) -> None:
    remote_proxy.answer("ListCollections", pb.ListCollectionsResponse())
    run("status", "--actor", actor)
    assert remote_proxy.metadata[-1]["x-crossfade-actor"] == header


def test_the_actor_is_the_user_unless_told(
    run: Run, remote_proxy: FakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "grace")
    remote_proxy.answer("ListCollections", pb.ListCollectionsResponse())
    run("status")
    assert remote_proxy.metadata[-1]["x-crossfade-actor"] == "grace"


def mirrored(state: pb.JobState, age: float = 0.0, **more: str) -> pb.Collection:
    feed = pb.Job(
        kind=pb.JOB_KIND_FEED,
        state=state,
        counts={"bypass": 12, "bypass_at": 5, "lag_ms": 1},
        update_time=Timestamp(seconds=int(time.time() - age)),
        **more,  # type: ignore[arg-type]
    )
    mirror = pb.MirrorHealth(store=pb.STORE_DYNAMODB, pending=3, lag=Duration(seconds=2))
    return pb.Collection(name="jobs", stage=pb.STAGE_MONGO_PRIMARY, mirror=mirror, jobs=[feed])


@pytest.mark.parametrize(
    ("job", "age", "message", "status", "state", "alarm"),
    [
        (pb.JOB_STATE_RUNNING, 0.0, "", 0, "running", ""),
        (pb.JOB_STATE_FAILED, 0.0, "lost: verify", 1, "failed", "feed failed: lost: verify"),
        (pb.JOB_STATE_RUNNING, 100.0, "", 1, "silent 10", "no reconciler has reported for 10"),
    ],
    ids=["well", "failed", "silent"],
)
def test_a_feed_in_trouble_is_an_alarm(
    run: Run,
    remote_proxy: FakeProxy,
    job: pb.JobState,
    age: float,
    message: str,
    status: int,
    state: str,
    alarm: str,
) -> None:
    collection = mirrored(job, age, message=message)
    remote_proxy.answer("ListCollections", pb.ListCollectionsResponse(collections=[collection]))
    remote_proxy.answer("GetCollection", collection)
    code, out, _ = run("status")
    assert code == status
    behind = "2 s" if state == "running" else f"feed {state}"
    assert f"DynamoDB {behind}" in " ".join(out.split())
    assert ("ALARM jobs: " in out) is bool(alarm) and alarm in out
    code, out, _ = run("status", "jobs")
    assert code == status
    assert "2 s, 3 documents wait" in out and alarm in out
    assert "bypass_at" not in out


def test_an_alarm_is_red_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show((Alarm("ALARM"),))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show((Alarm("ALARM"),))
    assert capsys.readouterr().out == "ALARM\n\x1b[1;31mALARM\x1b[0m\n"
