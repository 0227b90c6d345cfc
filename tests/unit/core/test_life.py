"""Every state meets every event, and the promises of a divergence's life hold for all of them."""

from __future__ import annotations

import itertools

import pytest

from proxy.core.life import UNCLOSED, Event, State, follow, sources_of, target_of

O, L, R, C = State.OPEN, State.RECHECKING, State.REPAIRED, State.CLOSED  # noqa: E741

TABLE: dict[tuple[State, Event], State | None] = {
    (O, Event.SEE): O,
    (L, Event.SEE): O,
    (R, Event.SEE): O,
    (C, Event.SEE): O,
    (O, Event.LOOK): L,
    (L, Event.LOOK): L,
    (R, Event.LOOK): L,
    (C, Event.LOOK): None,
    (O, Event.MEND): R,
    (L, Event.MEND): R,
    (R, Event.MEND): None,
    (C, Event.MEND): None,
    (O, Event.AGREE): C,
    (L, Event.AGREE): C,
    (R, Event.AGREE): C,
    (C, Event.AGREE): None,
    (O, Event.DIFFER): O,
    (L, Event.DIFFER): O,
    (R, Event.DIFFER): O,
    (C, Event.DIFFER): None,
}


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(itertools.product(State, Event))


@pytest.mark.parametrize(("state", "event"), TABLE, ids=lambda one: one.name)
def test_a_life_goes_on_as_the_table_says(state: State, event: Event) -> None:
    after = follow(state, event)
    assert after is TABLE[state, event]
    assert (state in sources_of(event)) == (after is not None)
    assert after in (None, target_of(event))


@pytest.mark.parametrize("events", list(itertools.product(Event, repeat=4)), ids=lambda _: "")
def test_only_agreement_closes_and_only_sight_reopens(events: tuple[Event, ...]) -> None:
    """Over all lives of four events, whatever has no place among them."""
    state = State.OPEN
    for event in events:
        before, state = state, follow(state, event) or state
        if state is State.CLOSED and before is not State.CLOSED:
            assert event is Event.AGREE
        if before is State.CLOSED and state is not State.CLOSED:
            assert event is Event.SEE


def test_whoever_dies_leaves_a_state_from_which_a_repair_can_begin() -> None:
    for state in UNCLOSED:
        assert follow(state, Event.LOOK) is State.RECHECKING
    assert set(UNCLOSED) == set(State) - {State.CLOSED}
