"""Alone one tries for the first, in a crowd for any of the first few."""

from __future__ import annotations

import pytest

from proxy.core.keys import Key
from proxy.stores.dynamo import rivals as module
from proxy.stores.dynamo.rivals import PICKS, Rivals

KEYS = [Key((number,)) for number in range(25)]


def test_who_is_alone_tries_for_the_first_and_then_for_any() -> None:
    rivals = Rivals()
    chosen = [rivals.choose(KEYS) for _ in range(50)]
    assert {picks[0] for picks in chosen} == {KEYS[0]}
    assert len({picks[1] for picks in chosen}) > 5
    assert all(len(set(picks)) == PICKS for picks in chosen)


def test_who_lost_one_tries_for_any_until_it_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    rivals = Rivals()
    rivals.notice()
    assert len({rivals.choose(KEYS)[0] for _ in range(100)}) > 10
    monkeypatch.setattr(module, "MEMORY", 0.0)
    assert rivals.choose(KEYS)[0] == KEYS[0]


@pytest.mark.parametrize("is_crowded", [False, True])
@pytest.mark.parametrize("count", range(5))
def test_few_candidates_are_tried_for_once_each(count: int, is_crowded: bool) -> None:
    rivals = Rivals()
    if is_crowded:
        rivals.notice()
    chosen = rivals.choose(KEYS[:count])
    assert len(chosen) == len(set(chosen)) == min(count, PICKS)
    assert set(chosen) <= set(KEYS[:count])
