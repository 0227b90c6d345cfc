"""The likely cause of a divergence, from what both stores hold and remember."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.core.comparison import Kind
from proxy.core.explaining import find_cause
from proxy.core.finding import Finding, describe
from proxy.core.stage import StoreName
from proxy.core.version import Record, Version
from tests.fixtures.yard import EPOCH, JOBS, key, op, record

WRITTEN = record((EPOCH, 9), 1)


def chain(revision: int, content: int = 1) -> Record:
    """A record that remembers the operations of its last eight revisions."""
    ops = tuple(op(number) for number in range(max(1, revision - 7), revision + 1))
    return replace(record((EPOCH, revision), content), ops=ops)


def cause(kind: Kind, primary: Record | None, mirror: Record | None, message: str = "") -> str:
    row = describe(JOBS, Finding(kind, key(), "verify", EPOCH, primary, mirror, message), "r1", 1)
    return find_cause(row, primary, mirror, StoreName.MONGODB).text


@pytest.mark.parametrize(
    ("primary", "mirror", "words"),
    [
        (record(), None, "No backfill has brought it to DynamoDB"),
        (WRITTEN, None, "lacks even the tombstone"),
        (None, record(), "deleted in MongoDB past the proxy after it was copied"),
        (None, WRITTEN, "brought back in DynamoDB"),
        (chain(9), chain(6), "DynamoDB has not got the last 3 writes"),
        (chain(9), chain(8), "has not got the last write:"),
        (chain(99), chain(5), "has missed more than 8 writes"),
        (chain(6), chain(9), "has seen writes that MongoDB has lost"),
        (record((EPOCH, 3), made_by=70), chain(99), "which MongoDB never had"),
        (WRITTEN, record((EPOCH, 9), made_by=70), "made by different operations"),
        (WRITTEN, record((EPOCH, 9), 2), "a writer that bypasses the proxy"),
        (WRITTEN, record((EPOCH, 9), 1.0), "equal as MongoDB compares"),
        (WRITTEN, WRITTEN, "Both stores agree by now"),
    ],
)
def test_causes(primary: Record | None, mirror: Record | None, words: str) -> None:
    assert words in cause(Kind.TRUE_MISMATCH, primary, mirror)


def test_what_the_mirror_refuses_is_said_in_its_own_words() -> None:
    text = cause(Kind.ERROR_PARITY, WRITTEN, None, "the mirror cannot hold it: n: too large")
    assert "the mirror cannot hold it: n: too large" in text


def test_the_stores_are_named_by_their_roles() -> None:
    row = describe(JOBS, Finding(Kind.STUCK_LAG, key(), "verify", EPOCH, None, None), "r1", 1)
    found = find_cause(row, chain(9), chain(8), StoreName.DYNAMODB)
    assert found.text.startswith("MongoDB has not got the last write")


def test_a_document_of_another_epoch_is_compared_by_versions_alone() -> None:
    ahead = replace(record((EPOCH, 9), made_by=70), version=Version(EPOCH + 1, 1))
    assert "never had" in cause(Kind.MIRROR_AHEAD, WRITTEN, ahead)
