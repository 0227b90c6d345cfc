"""What a verify proves: everything when it saw everything, else a share that holds in 95 of 100 samples."""

from __future__ import annotations

import random

import pytest

from proxy.core.assurance import assurance_of, is_clean, upper_bound
from proxy.core.flag import Job


def job(kind: str = "verify", state: str = "finished", done: int = 100, **counts: int) -> Job:
    return Job("jobs", kind, state, 1, 1, 1, counts, done=done, population=1_000)


def test_a_finished_verify_knows() -> None:
    proof = assurance_of(job(MATCH=98, MISSING_IN_MIRROR=1, REPRESENTATION=1))
    assert (proof.is_complete, proof.unequal, proof.at_most) == (True, 2, 0.02)
    assert str(proof) == "all 100 documents of both stores were compared, 2 differ"


@pytest.mark.parametrize("unsure", [job("sample", MATCH=100), job(state="paused", MATCH=100)])
def test_whatever_is_not_complete_says_how_sure_it_is(unsure: Job) -> None:
    proof = assurance_of(unsure)
    assert (proof.is_complete, proof.coverage, proof.unequal) == (False, 0.1, 0)
    assert 0.029 < proof.at_most < 0.031, "the rule of three"
    assert "10.0% of the documents were compared" in str(proof)


def test_a_sample_of_as_many_as_there_are_is_still_no_verify() -> None:
    assert not assurance_of(job("sample", done=5_000)).is_complete


def test_nothing_compared_proves_nothing() -> None:
    assert assurance_of(job("sample", done=0)).at_most == 1.0


@pytest.mark.parametrize("truth", [0.01, 0.03, 0.2])
def test_the_bound_holds_in_about_95_of_100_samples(truth: float) -> None:
    dice, looked, trials = random.Random(1), 800, 400
    held = 0
    for _ in range(trials):
        found = sum(dice.random() < truth for _ in range(looked))
        held += upper_bound(found, looked) >= truth
    assert 0.92 * trials <= held < trials


def test_clean_is_what_has_finished_and_left_nothing() -> None:
    assert is_clean(job(MATCH=3)) and is_clean(job("backfill", copied=3))
    assert not is_clean(job("backfill", copied=3, quarantined=1))
    assert not is_clean(job(REPRESENTATION=1))
    assert not is_clean(job(state="running", MATCH=3))
