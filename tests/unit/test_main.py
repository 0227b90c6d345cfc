"""The proxy's command: what `plan` prints, and what a wrong start says."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.__main__ import main

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/collections.yaml"

CRON_JOBS = """\
cron_jobs
  MongoDB     extend.cron_jobs
    unique index  deployment_key (string), webtask_container (string), webtask_name (string)
    index         deployment_key (string), next_available_at (number)  (serves work_queue)
  DynamoDB    table cron_jobs
      partition   deployment_key (S)
      sort        container_name (S)  = webtask_container/webtask_name
    local index work_queue  (strong reads, keys only)
      partition   deployment_key (S)
      sort        next_available_at (N)
"""


def test_plan_prints_what_the_example_makes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(EXAMPLES)]) == 0
    printed = capsys.readouterr().out
    assert CRON_JOBS in printed
    assert printed.count("DynamoDB    table ") == 4


def test_a_missing_file_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "nowhere.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["proxy: nowhere.yaml: cannot be read: No such file or directory"]


def test_a_wrong_setting_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--listen", "nonsense"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("proxy: --listen must be host:port")


def test_a_start_that_fails_leaves_the_garbage_collector_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--collections", "nowhere.yaml"]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err
    assert gc.isenabled()


def test_plan_loads_no_driver_and_nothing_loads_telemetry_that_is_off() -> None:
    program = (
        "import sys; from proxy.__main__ import main; main(['plan', sys.argv[1]]);"
        "print([one for one in ('pymongo', 'botocore', 'aiohttp') if one in sys.modules], file=sys.stderr);"
        "import proxy.wiring, proxy.gates;"
        "assert 'opentelemetry' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(EXAMPLES)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr.strip() == "[]"
