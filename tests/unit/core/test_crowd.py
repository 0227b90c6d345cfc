"""Calls in hand: bounded, fair, and what gives way first."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from proxy.core.crowd import RETRY_AFTER, WORK, Crowd
from proxy.core.errors import Outcome, Overloaded, Reason
from proxy.core.silence import SilentSignals


def admitted(crowd: Crowd, client: str, collection: str = "jobs", count: int = 1000) -> int:
    """How many of `count` calls get in."""
    for number in range(count):
        try:
            crowd.enter(client, collection)
        except Overloaded:
            return number
    return count


def test_there_are_never_more_than_fit() -> None:
    crowd = Crowd(10)
    assert admitted(crowd, "a") == crowd.held == 10
    with pytest.raises(Overloaded) as refused:
        crowd.enter("a", "jobs")
    assert (refused.value.reason, refused.value.outcome) == (Reason.OVERLOADED, Outcome.NOT_APPLIED)
    assert refused.value.retry_after == RETRY_AFTER
    crowd.leave("a", "jobs")
    crowd.enter("a", "jobs")


def test_without_a_limit_everybody_gets_in() -> None:
    assert admitted(Crowd(), "a") == 1000


def test_a_flood_of_one_client_leaves_the_others_their_share() -> None:
    crowd = Crowd(12)
    crowd.enter("quiet", "jobs")
    assert admitted(crowd, "flood") == 6
    assert admitted(crowd, "late") == 4, "a third that comes late has a third of all"
    assert crowd.held <= 12


def test_a_flood_to_one_collection_leaves_the_others_theirs() -> None:
    crowd = Crowd(12)
    crowd.enter("a", "tasks")
    assert admitted(crowd, "a", "jobs") == 6
    assert admitted(crowd, "a", "tasks", 20) == 5


def test_who_is_alone_may_take_all() -> None:
    assert admitted(Crowd(12), "a") == 12


def test_shadow_reads_give_way_before_jobs_and_jobs_before_calls() -> None:
    crowd, seen = Crowd(8), []
    for _ in range(8):
        seen.append((crowd.sheds_shadow_read(), crowd.slows_job()))
        crowd.enter("a", "jobs")
    assert seen == [(False, False)] * 4 + [(True, False)] * 2 + [(True, True)] * 2


def test_memory_counts_like_calls() -> None:
    crowd = Crowd(8)
    for share, expected in ((0.4, (False, False)), (0.6, (True, False)), (0.8, (True, True))):
        crowd.note_memory(share)
        assert (crowd.sheds_shadow_read(), crowd.slows_job()) == expected
    crowd.note_memory(1.0)
    assert admitted(crowd, "a") == 0
    crowd.note_memory(0.5)
    assert admitted(crowd, "a") == 8


def test_whoever_comes_and_goes_the_books_are_right() -> None:
    dice, crowd = random.Random(7), Crowd(20)
    held: list[tuple[str, str]] = []
    for _ in range(5000):
        if held and dice.random() < 0.5:
            crowd.leave(*held.pop(dice.randrange(len(held))))
        else:
            call = (dice.choice("abc"), dice.choice("xyz"))
            try:
                crowd.enter(*call)
            except Overloaded:
                continue
            held.append(call)
        assert crowd.held == len(held) <= 20
    while held:
        crowd.leave(*held.pop())
    assert admitted(crowd, "a") == 20


def test_what_is_shed_is_counted_and_nothing_else() -> None:
    counted: Counter[str] = Counter()

    class Counting(SilentSignals):
        def count(self, name: str, amount: float = 1, **attributes: str) -> None:
            assert name == "crossfade.shed"
            counted[attributes["work"]] += int(amount)

    crowd = Crowd(4, Counting())
    for _ in range(4):
        crowd.sheds_shadow_read()
        crowd.slows_job()
        crowd.enter("a", "jobs")
    assert admitted(crowd, "a", count=3) == 0
    assert counted == {"shadow_read": 2, "job_step": 1, "call": 1}
    assert set(counted) == set(WORK)
