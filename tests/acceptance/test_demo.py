"""`make demo` migrates, back and there again, and its own independent checker finds nothing wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from pymongo import MongoClient

ROOT = Path(__file__).resolve().parents[2]
_LIMIT = 900.0  # seconds


@pytest.fixture(scope="module")
def stores(mongodb_uri: str, dynamodb_endpoint: str) -> Mapping[str, str]:
    """The session's stores, as given ones: the demo must leave them as it found them."""
    return {"CROSSFADE_MONGODB_URI": mongodb_uri, "CROSSFADE_DYNAMODB_ENDPOINT": dynamodb_endpoint}


@pytest.fixture(scope="module")
def before(stores: Mapping[str, str]) -> set[str]:
    return _names(stores)


@pytest.fixture(scope="module")
def demo(stores: Mapping[str, str], before: set[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "examples.demo", "--json"]
    command += ["--documents", "600", "--dwell", "1.5", "--lease", "1.5"]
    environment = {**os.environ, **stores}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=False
    )


@pytest.fixture(scope="module")
def summary(demo: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    lines = demo.stdout.splitlines()
    if demo.returncode not in (0, 1) or not lines:
        pytest.fail(f"the demo ended with {demo.returncode}:\n{demo.stdout}\n{demo.stderr}")
    loaded: dict[str, Any] = json.loads(lines[-1])
    return loaded


def test_it_exits_well_and_says_why(demo: subprocess.CompletedProcess[str], summary: dict[str, Any]) -> None:
    assert summary["is_good"], demo.stdout + demo.stderr
    assert demo.returncode == 0


def test_nothing_is_lost_doubled_or_stale(summary: dict[str, Any]) -> None:
    assert summary["acknowledged_writes"] > 300
    assert (summary["lost_writes"], summary["doubled_writes"], summary["stale_reads"]) == (0, 0, 0)


def test_both_stores_are_equal_at_the_end(summary: dict[str, Any]) -> None:
    assert summary["documents"] >= 600
    assert (summary["unequal_documents"], summary["unequal_by_kind"]) == (0, {})


def test_reads_were_compared_and_none_diverged(summary: dict[str, Any]) -> None:
    assert summary["shadow_reads_compared"] > 100
    assert (summary["divergences"], summary["divergences_by_kind"]) == (0, {})


def test_the_primary_changed_there_and_back_and_there(summary: dict[str, Any]) -> None:
    assert summary["flips"] == 12
    assert 0 < summary["longest_hold_ms"] < 5_000
    assert summary["longest_hold_ms"] == max(summary["holds_ms"])


def test_no_job_had_two_owners(summary: dict[str, Any]) -> None:
    assert summary["reservations"] > 20
    assert summary["overlapping_reservations"] == 0


def test_given_stores_are_left_as_they_were(
    demo: subprocess.CompletedProcess[str], stores: Mapping[str, str], before: set[str]
) -> None:
    assert not any(name.startswith(("extend-", "crossfade-")) for name in _names(stores) - before)
    assert not any("webtask" in name for name in _names(stores) - before)


def _names(stores: Mapping[str, str]) -> set[str]:
    """The databases and tables that there are."""
    client: MongoClient[dict[str, Any]] = MongoClient(stores["CROSSFADE_MONGODB_URI"])
    with client:
        databases = client.list_database_names()
    dynamodb = boto3.client("dynamodb", endpoint_url=stores["CROSSFADE_DYNAMODB_ENDPOINT"])
    pages = dynamodb.get_paginator("list_tables").paginate()
    return {*databases, *(name for page in pages for name in page["TableNames"])}
