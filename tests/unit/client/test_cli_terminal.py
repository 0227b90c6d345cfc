"""What an operator sees on a terminal: colours with a meaning, bars, a watch that is redrawn, completion."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from crossfade.cli import main
from crossfade.cli.answer import Answer
from crossfade.cli.completion import SHELLS, collections
from crossfade.cli.progress import Progress
from crossfade.cli.tables import Facts, Table, Tone, Toned
from crossfade.cli.terminal import fit, show
from crossfade.cli.watching import watch
from crossfade.errors import Unavailable
from crossfade.v1 import migration_pb2 as pb
from tests.unit.client.fake import Failure, FakeProxy

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(remote_proxy: FakeProxy, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        status = main([*words, "--address", remote_proxy.address])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on both streams are a terminal that knows colours."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)


def job(done: int, state: pb.JobState = pb.JOB_STATE_RUNNING, **more: Any) -> pb.Job:
    more = {"total": 200, "rate": 50.0, "workers": 2, **more}
    return pb.Job(collection="c", kind=pb.JOB_KIND_BACKFILL, state=state, done=done, **more)


def test_colours_mean_something_and_words_say_it_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_terminal(monkeypatch)
    rows = [(Toned("passed", Tone.GOOD), "a"), (Toned("failed", Tone.BAD), "b")]
    show((Table(("result", "check"), rows, "none"), Facts([("stage", Toned("moving", Tone.BUSY))])))
    out = capsys.readouterr().out
    assert "\x1b[32mpassed\x1b[0m" in out
    assert "\x1b[1;31mfailed\x1b[0m" in out
    assert "\x1b[36mmoving\x1b[0m" in out


def test_a_terminal_sees_a_bar_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_terminal(monkeypatch)
    with Progress() as progress:
        progress.advance("backfill of c", 50, 200, 50.0, "copied 50")
    err = capsys.readouterr().err
    assert "backfill of c" in err and "25%" in err
    assert "about 3 s left" in err and "copied 50" in err


def test_without_rich_a_terminal_sees_progress_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_terminal(monkeypatch)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with Progress() as progress:
        for line in ("one", "one", "two"):
            progress.tell(line)
    assert capsys.readouterr().err == "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[K"


@pytest.mark.parametrize(
    ("done", "total", "words"),
    [
        (199, 200, "99 % of about 200 documents, about 0 s left"),
        (200, 200, "100 % of about 200 documents"),
        (7, 0, "7 documents"),
        (0, 60_000, "0 % of about 60000 documents, about 20 min left"),
    ],
)
def test_a_pipe_is_told_how_far_it_is(
    capsys: pytest.CaptureFixture[str], done: int, total: int, words: str
) -> None:
    with Progress() as progress:
        progress.advance("verify of c", done, total, 50.0, "match 3")
    assert capsys.readouterr().err == f"verify of c: {words}; match 3\n"


def test_jobs_lists_what_runs_and_what_ran(run: Run, remote_proxy: FakeProxy) -> None:
    feed = pb.Job(collection="c", kind=pb.JOB_KIND_FEED, state=pb.JOB_STATE_RUNNING)
    failed = job(9, pb.JOB_STATE_FAILED, counts={"COPIED": 9})
    remote_proxy.answer(
        "ListCollections",
        pb.ListCollectionsResponse(collections=[pb.Collection(name="c", jobs=[job(50), feed])]),
    )
    remote_proxy.answer("GetCollection", pb.Collection(name="c", jobs=[failed]))
    status, out, _ = run("jobs")
    assert status == 0
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "COLLECTION JOB STATE PROGRESS COUNTS EPOCH UPDATED",
        "c backfill running 25 % 50 of about 200, 50 a second, about 3 s left - 0 -",
    ]
    status, out, _ = run("jobs", "c", "--json")
    assert status == 1, "a failed job is not well"
    assert [(one["state"], one["done"]) for one in json.loads(out)] == [("JOB_STATE_FAILED", "9")]


class Looks:
    """Answers one after the other; then Ctrl+C is pressed."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self._answers: Iterator[Answer | Exception] = iter(answers)

    async def __call__(self) -> Answer:
        answer = next(self._answers, None)
        if answer is None:
            raise asyncio.CancelledError
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_narrow_terminal_gets_names_with_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No word is broken, and nothing is cut off."""
    on_terminal(monkeypatch)
    rows = [("a-rather-long-collection", "DYNAMO_PRIMARY")]
    show((Table(("collection", "stage"), rows, "none"),))
    assert len(capsys.readouterr().out.splitlines()) == 2
    monkeypatch.setenv("COLUMNS", "38")
    show((Table(("collection", "stage"), rows, "none"),))
    lines = [line.split() for line in _bare(capsys.readouterr().out).splitlines() if line.strip()]
    assert lines == [["collection", "a-rather-long-collection"], ["stage", "DYNAMO_PRIMARY"]]


@pytest.mark.parametrize(
    ("room", "widths"), [(40, [5, 20]), (20, [5, 15]), (13, [5, 8]), (12, None)], ids=str
)
def test_columns_are_broken_between_words_alone(room: int, widths: list[int] | None) -> None:
    assert fit([["a", "whole"], ["key", "deployed at some day"]], room) == widths


def _bare(text: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


async def test_a_watch_through_a_pipe_says_what_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = Answer(("one",), 1), Answer(("two",), 2, is_good=False)
    last = await watch(Looks(one, one, Unavailable("gone"), two), 0, in_json=False)
    said = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("--- ")]
    assert said == ["one", "NO ANSWER: gone; asking again", "two"]
    assert last == two


async def test_a_watch_in_json_is_a_line_for_every_look(capsys: pytest.CaptureFixture[str]) -> None:
    await watch(Looks(Answer((), {"a": 1}), Answer((), {"a": 1})), 0, in_json=True)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"a": 1}, {"a": 1}]


async def test_a_watch_on_a_terminal_is_redrawn_in_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_terminal(monkeypatch)
    await watch(Looks(Answer(("first",), 1), Answer(("second",), 2)), 0, in_json=False)
    out = capsys.readouterr().out
    assert out.index("first") < out.index("\x1b[1A") < out.index("second"), "the cursor went back up"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_gets_what_it_reads(run: Run, shell: str) -> None:
    status, out, _ = run("completion", shell)
    assert status == 0
    assert "crossfade" in out and "_ARGCOMPLETE" in out


def test_without_argcomplete_it_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    status, out, _ = run("completion", "bash")
    assert status == 1 and 'pip install "crossfade[cli]"' in out


def test_a_shell_is_told_the_verbs_and_the_collections(remote_proxy: FakeProxy) -> None:
    """As bash asks: through the environment, and an answer on a descriptor of its own."""
    found = [pb.Collection(name="cron_jobs"), pb.Collection(name="modules")]
    remote_proxy.answer("ListCollections", pb.ListCollectionsResponse(collections=found))
    assert completed("crossfade roll", remote_proxy) == ["rollback"]
    assert completed("crossfade cutover c", remote_proxy) == ["cron_jobs"]
    assert "MONGO_PRIMARY" in completed("crossfade stage cron_jobs MONGO", remote_proxy)


def completed(line: str, proxy: FakeProxy) -> list[str]:
    """What completes a command line."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "CROSSFADE_ADDRESS": proxy.address,
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": "/dev/stdout",
    }
    command = [sys.executable, "-c", "from crossfade.cli import main; main()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return [word.strip() for word in done.stdout.splitlines()]


def test_a_proxy_that_is_away_completes_nothing(remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("ListCollections", Failure(grpc.StatusCode.UNAVAILABLE))
    arguments = type("Arguments", (), {"address": remote_proxy.address})
    assert collections("c", arguments) == []
