"""The demo's ledger notices every sort of loss: a checker that cannot fail proves nothing."""

from __future__ import annotations

from typing import Any

import bson
import pytest

from examples.demo.ledger import Entry, Held, Journal, Judgement, Ledger, Name, Owned, State, Tally, Untouched

NAME: Name = ("webtasks", "auth0", "c", "t")
GOOD = Judgement()


def held(**fields: Any) -> Held:
    return Held(fields, bson.encode(fields))


def tally(acknowledged: int, unknown: int = 0) -> Tally:
    return Tally("revision", 1, acknowledged, unknown)


def journal(*tokens: str, unknown: int = 0, limit: int | None = None) -> Journal:
    return Journal(("log",), "at", limit, exists=True, acknowledged=list(tokens), unknown=unknown)


def log(*tokens: str) -> Held:
    return held(log=[{"at": token} for token in tokens])


@pytest.mark.parametrize(
    ("entry", "found", "judgement"),
    [
        (Untouched(bson.encode({"a": 1})), held(a=1), GOOD),
        (Untouched(bson.encode({"a": 1})), held(a=1.0), Judgement(lost=1)),
        (Untouched(bson.encode({"a": 1})), None, Judgement(lost=1)),
        (tally(4), held(revision=5), GOOD),
        (tally(4), held(revision=3), Judgement(lost=2)),
        (tally(4), held(revision=6), Judgement(doubled=1)),
        (tally(4, unknown=2), held(revision=7), GOOD),
        (tally(4, unknown=2), held(revision=4), Judgement(lost=1)),
        (tally(0), None, Judgement(lost=1)),
        (journal("a", "b"), log("a", "b"), GOOD),
        (journal("a", "b"), log("b"), Judgement(lost=1)),
        (journal("a", "b"), log("b", "a", "a"), Judgement(doubled=1)),
        (journal("a"), log("a", "in doubt"), GOOD),
        (journal("a", "b"), None, Judgement(lost=2)),
        (journal(), None, Judgement(lost=1)),
        (journal("a", "b", "c", limit=2), log("b", "c"), GOOD),
        (journal("a", "b", "c", limit=2), log("a", "b"), Judgement(lost=1)),
        (journal("a", "b", "c", limit=2, unknown=1), log("c", "in doubt"), GOOD),
        (State("code", "x"), held(code="x"), GOOD),
        (State("code", "x"), held(code="w"), Judgement(lost=1)),
        (State("code", "x"), None, Judgement(lost=1)),
        (State("code", None), held(code="resurrected"), Judgement(lost=1)),
        (State("code", None), None, GOOD),
        (State("code", "x", {"y", None}), held(code="y"), GOOD),
        (State("code", "x", {"y", None}), None, GOOD),
    ],
)
def test_an_entry_judges(entry: Entry, found: Held | None, judgement: Judgement) -> None:
    assert entry.judge(found) == judgement


def test_the_ledger_adds_up_and_names_the_broken() -> None:
    other: Name = ("webtasks", "auth0", "c", "other")
    ledger = Ledger(entries={NAME: tally(4), other: tally(1)})
    stored = {NAME: held(revision=2), other: held(revision=2)}
    assert ledger.judge(stored) == Judgement(lost=3)
    assert ledger.broken(stored) == [NAME]


@pytest.mark.parametrize(
    ("first", "second", "collisions"),
    [
        (Owned(NAME, 0, 1, 10, 100), Owned(NAME, 9, 11, 20, 109), 0),
        (Owned(NAME, 0, 1, 10, 100), Owned(NAME, 5, 6, 20, 105), 1),
        (Owned(NAME, 0, 1, 300, 100), Owned(NAME, 101, 102, 120, 201), 0),
        (Owned(NAME, 9, 11, 20, 109), Owned(NAME, 0, 1, 10, 100), 0),
    ],
    ids=["after it was given back", "while it was owned", "after it ran out", "in the other order"],
)
def test_a_job_has_one_owner_at_a_time(first: Owned, second: Owned, collisions: int) -> None:
    assert Ledger(owned=[first, second]).collisions() == collisions


def test_two_jobs_may_have_two_owners() -> None:
    owned = [Owned(("cron_jobs", name), 0, 1, 10, 100) for name in "ab"]
    assert Ledger(owned=owned).collisions() == 0
