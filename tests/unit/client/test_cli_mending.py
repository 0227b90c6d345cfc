"""The commands that pause, resume, limit, sample, repair and explain, against a scripted proxy."""

from __future__ import annotations

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from crossfade.cli.arguments import parse
from crossfade.v1 import document_pb2
from crossfade.v1 import migration_pb2 as pb
from tests.unit.client.fake import FakeProxy
from tests.unit.client.test_cli import RUNNING, Run, run

__all__ = ["run"]

KEY = document_pb2.Document(
    fields=[document_pb2.Field(name="name", value=document_pb2.Value(string_value="a"))]
)


def row(**more: object) -> pb.Divergence:
    return pb.Divergence(
        id="d1",
        collection="cron_jobs",
        key=KEY,
        kind=pb.DIVERGENCE_KIND_TRUE_MISMATCH,
        state=pb.DIVERGENCE_STATE_OPEN,
        **more,  # type: ignore[arg-type]
    )


def test_a_job_is_paused(run: Run, remote_proxy: FakeProxy) -> None:
    paused = pb.Job(collection="cron_jobs", kind=pb.JOB_KIND_BACKFILL, state=pb.JOB_STATE_PAUSED)
    remote_proxy.answer("PauseJob", paused)
    status, out, _ = run("backfill", "cron_jobs", "--pause")
    assert status == 0
    assert out.startswith("backfill of cron_jobs: paused")
    assert remote_proxy.requests == [
        pb.PauseJobRequest(collection="cron_jobs", kind=pb.JOB_KIND_BACKFILL),
    ]


def test_a_job_is_resumed_under_new_limits(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("StartJob", RUNNING)
    words = ("--resume", "--max-rate", "50", "--max-wcu", "0", "--reason", "slow nights")
    assert run("verify", "cron_jobs", *words)[0] == 0
    [request] = remote_proxy.requests
    assert isinstance(request, pb.StartJobRequest)
    assert (request.only_resume, request.max_rate, request.max_write_units) == (True, 50.0, 0.0)
    assert request.HasField("max_write_units"), "0 lifts the limit"
    assert request.reason == "slow nights"


@pytest.mark.parametrize(("words", "share"), [([], 0.01), (["5%"], 0.05), (["0.2"], 0.2)])
def test_a_sample_is_another_kind_of_job(
    run: Run, remote_proxy: FakeProxy, words: list[str], share: float
) -> None:
    sample = pb.Job(
        collection="cron_jobs",
        kind=pb.JOB_KIND_SAMPLE,
        state=pb.JOB_STATE_FINISHED,
        clean=True,
        coverage=share,
        differing_at_most=0.03,
    )
    remote_proxy.answer("StartJob", sample)
    status, out, _ = run("verify", "cron_jobs", "--sample", *words)
    [request] = remote_proxy.requests
    assert isinstance(request, pb.StartJobRequest)
    assert request.kind == pb.JOB_KIND_SAMPLE
    assert request.sample_share == pytest.approx(share)
    assert status == 0 and "with 95 % confidence at most 3.00% of all differ" in out


@pytest.mark.parametrize("share", ["0", "101%", "many"])
def test_a_share_must_make_sense(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["verify", "cron_jobs", "--sample", share])
    assert ended.value.code == 2 and "no share" in capsys.readouterr().err


def test_a_repair_goes_through_all_pages_and_exits_by_what_is_left(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer(
        "Repair",
        pb.RepairResponse(looked=2, closed=2, results={"applied": 2}, next_page_token="t"),
        pb.RepairResponse(looked=1, unequal=1, results={"quarantined": 1}),
    )
    status, out, _ = run("repair", "cron_jobs", "--last-verify")
    assert status == 1
    assert out.startswith("2 of 3 divergences closed; applied 2, quarantined 1; 1 documents still differ")
    assert [request.page_token for request in remote_proxy.requests] == ["", "t"]
    assert all(request.last_verify for request in remote_proxy.requests)


def test_a_repair_of_one_divergence_that_closes_it_is_well(run: Run, remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("Repair", pb.RepairResponse(looked=1, closed=1, results={"stamped": 1}))
    status, out, _ = run("repair", "cron_jobs", "d1", "--json")
    assert (status, json.loads(out)["closed"]) == (0, "1")
    assert list(remote_proxy.requests[0].divergences) == ["d1"]


def test_an_explanation_tells_what_differs_who_saw_what_and_why(run: Run, remote_proxy: FakeProxy) -> None:
    explanation = pb.Explanation(
        divergence=row(
            history=[
                pb.DivergenceStep(
                    time=Timestamp(seconds=1_500_283_380),
                    state=pb.DIVERGENCE_STATE_RECHECKING,
                    replica="r1",
                    evidence="a repair looks",
                )
            ]
        ),
        looked=True,
        primary_version=pb.Version(epoch=4, revision=9),
        differences=[
            pb.FieldDifference(path="n", primary=document_pb2.Value(int64_value=7)),
            pb.FieldDifference(path="secret", redacted=True),
        ],
        primary_operations=[pb.SeenOperation(op=b"\x01" * 16), pb.SeenOperation(seen_by_other=True)],
        cause="A writer bypasses the proxy.",
        advice="Find it.",
    )
    remote_proxy.answer("ExplainDivergence", explanation)
    status, out, _ = run("explain", "cron_jobs", "d1")
    assert status == 0
    for words in (
        "4.9",
        "absent",
        "A writer bypasses the proxy.",
        "Find it.",
        "01" * 16,
        "the primary alone",
    ):
        assert words in out
    assert "(redacted)" in out and "(missing)" in out and "a repair looks" in out


def test_quarantine_shows_only_what_the_mirror_still_cannot_hold(run: Run, remote_proxy: FakeProxy) -> None:
    told = {"kind": pb.DIVERGENCE_KIND_ERROR_PARITY}
    ours = row(source=pb.DIVERGENCE_SOURCE_RECONCILER, description="the mirror cannot hold it: too large")
    ours.MergeFrom(pb.Divergence(**told))  # type: ignore[arg-type]
    closed = pb.Divergence()
    closed.CopyFrom(ours)
    closed.state = pb.DIVERGENCE_STATE_CLOSED
    shadow = row(source=pb.DIVERGENCE_SOURCE_SHADOW_READ)
    remote_proxy.answer("ListDivergences", pb.ListDivergencesResponse(divergences=[ours, closed, shadow]))
    status, out, _ = run("quarantine", "cron_jobs")
    assert status == 1
    assert out.count("name=a") == 1 and "too large" in out
